//! Instances that follow loads, within what quotas allow.

use proptest::prelude::*;
use wpaas_core::access::Actor;
use wpaas_core::name::Cid;
use wpaas_core::quota::Quota;
use wpaas_core::service::{IfMatch, Mode, NewSite, OrgUpdate};
use wpaas_core::site::{Autoscale, Features, Load, Scaling, Site};

use crate::{NOW, World, at, parse, path, place, site, world};

const SITES: [&str; 2] = ["blog", "shop"];

/// What happens: a site's load needs so many instances, or the org may have so many.
#[derive(Debug, Clone)]
enum Op {
    Needs(usize, u16),
    May(u32),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0..SITES.len(), 1_u16..9).prop_map(|(site, instances)| Op::Needs(site, instances)),
        1 => (2_u32..14).prop_map(Op::May),
    ]
}

async fn allow(world: &World, cid: &Cid, instances: u32) {
    let quota = Quota { wordpress_instances: Some(instances), ..Quota::default() };
    let update = OrgUpdate { quota: Some(quota), ..OrgUpdate::default() };
    let org = parse("default");
    world.update_org(&Actor::Operator, cid, &org, update, IfMatch::Any, NOW).await.expect("is changed");
}

async fn stored(world: &World, cid: &Cid, name: &str) -> Site {
    world.site(&Actor::Operator, &path(cid, name)).await.expect("is there").site
}

async fn used(world: &World, cid: &Cid) -> u32 {
    let mut sum = 0;
    for name in SITES {
        sum += u32::from(stored(world, cid, name).await.instances());
    }
    sum
}

async fn never_above(quota: u32, ops: Vec<Op>) -> Result<(), TestCaseError> {
    let world = world("memory").await;
    let (cid, _) = world.acme().await;
    for name in SITES {
        let autoscale = Some(Autoscale { min: 1, max: 8, target: 4 });
        let new = NewSite { features: Features { autoscale, ..Features::default() }, ..site(name) };
        world.create_site(&Actor::Operator, &place(&cid), new, Mode::Commit, NOW).await.expect("is made");
    }
    let mut allowed = quota;
    allow(&world, &cid, allowed).await;
    for (second, op) in (1..).zip(ops) {
        let before = used(&world, &cid).await;
        match op {
            Op::May(instances) => {
                allowed = instances;
                allow(&world, &cid, allowed).await;
            }
            Op::Needs(which, instances) => {
                let site = stored(&world, &cid, SITES[which]).await;
                let to = Scaling { instances, measured: Load(0), why: "because".to_owned() };
                world.scale(&site, &to, at(second)).await.expect("is scaled");
                let now = stored(&world, &cid, SITES[which]).await.instances();
                let (wanted, had) = (instances, site.instances());
                prop_assert!(now >= wanted.min(had) && now <= wanted.max(had), "{} for {}", now, wanted);
                let room = u32::from(wanted.saturating_sub(now));
                prop_assert!(room == 0 || used(&world, &cid).await >= allowed, "{} more would do", room);
            }
        }
        let after = used(&world, &cid).await;
        prop_assert!(after <= allowed.max(before), "{} of {} after {}", after, allowed, before);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever loads and quotas come: no more than the quota allows is ever begun, and as much as it allows is.
    #[test]
    fn loads_never_pass_a_quota(quota in 2_u32..14, ops in prop::collection::vec(op(), 1..30)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(never_above(quota, ops))?;
    }
}
