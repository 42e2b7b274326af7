//! Domains: whose they are, whoever asks for them.

use wpaas_core::access::Actor;
use wpaas_core::name::{Cid, Hostname};
use wpaas_core::service::{DomainEvidence, IfMatch, Mode, NewSite, SiteUpdate, SiteView};
use wpaas_core::site::{DomainLeads, DomainLook, DomainState, DomainWants, NoAnswer};

use crate::{NOW, World, at, customer, parse, path, place, site, world, world_on_postgres};

/// What DNS says of every name: these records, of those that a person can set.
fn evidence(wants: &DomainWants, says: &[&str]) -> DomainEvidence {
    let of = |kind: &str| {
        let records = wants.records().into_iter().filter(move |record| record.r#type == kind);
        records.map(|record| record.value).filter(|_| says.contains(&kind)).collect::<Vec<_>>()
    };
    let leads = DomainLeads { aliases: of("CNAME"), addresses: Vec::new() };
    DomainEvidence::Look(DomainLook { texts: Ok(of("TXT")), leads: Ok(leads) })
}

fn silence() -> DomainEvidence {
    let none = || NoAnswer("timed out".to_owned());
    DomainEvidence::Look(DomainLook { texts: Err(none()), leads: Err(none()) })
}

struct Claimant<'a> {
    world: &'a World,
    cid: Cid,
}

impl<'a> Claimant<'a> {
    /// A customer with a site that asks for the domain.
    async fn new(world: &'a World, name: &str) -> Self {
        let made = world.register_customer(Some(&Actor::Operator), customer(name, name), NOW).await;
        let cid = made.expect("registers").cid;
        let new = NewSite { domains: vec![parse("www.example.com")], ..site("blog") };
        world.create_site(&Actor::Operator, &place(&cid), new, Mode::Commit, NOW).await.expect("is made");
        Self { world, cid }
    }

    async fn view(&self) -> SiteView {
        self.world.site(&Actor::Operator, &path(&self.cid, "blog")).await.expect("is there")
    }

    async fn state(&self) -> DomainState {
        self.view().await.domains[0].claim.state
    }

    async fn names(&self) -> Vec<Hostname> {
        self.view().await.names.domains
    }

    /// As the worker does it: what DNS says of its names and of those of whoever has them.
    async fn look(&self, seconds: i64, says: &[&str], other_says: &[&str]) {
        let claims =
            self.world.claims_to_check(&Actor::Operator, &path(&self.cid, "blog")).await.expect("read");
        let found: Vec<_> =
            claims.wants.into_iter().map(|wants| (wants.clone(), evidence(&wants, says))).collect();
        let contests =
            self.world.record_evidence(claims.site, &found, false, at(seconds)).await.expect("kept");
        for contest in contests {
            let theirs = [(contest.wants.clone(), evidence(&contest.wants, other_says))];
            self.world.record_evidence(contest.holder, &theirs, true, at(seconds)).await.expect("kept");
            self.world.record_evidence(claims.site, &found, false, at(seconds)).await.expect("kept");
        }
    }
}

async fn worlds() -> Vec<World> {
    let mut worlds = vec![world("memory").await, world("file").await];
    worlds.extend(world_on_postgres().await);
    worlds
}

#[tokio::test]
async fn a_site_answers_by_a_domain_once_it_is_proved() {
    for world in worlds().await {
        let acme = Claimant::new(&world, "acme").await;
        assert_eq!((acme.state().await, acme.names().await), (DomainState::Pending, Vec::new()));
        acme.look(1, &[], &[]).await;
        assert_eq!(acme.state().await, DomainState::Pending);
        acme.look(20, &["TXT"], &[]).await;
        assert_eq!(
            (acme.state().await, acme.names().await),
            (DomainState::Verified, vec![parse("www.example.com")])
        );
        acme.look(40, &["TXT", "CNAME"], &[]).await;
        assert_eq!(acme.state().await, DomainState::Active);
        let told = world.kinds().await.into_iter().filter(|kind| *kind == "site_domain_changed").count();
        assert_eq!(told, 2, "verified, then active");
        assert!(world.claims_due(None, 9, at(40)).await.expect("read").is_empty());
        assert_eq!(world.claims_due(None, 9, at(7 * 3600)).await.expect("read").len(), 1);

        let none = SiteUpdate { domains: Some(Vec::new()), ..SiteUpdate::default() };
        let blog = path(&acme.cid, "blog");
        let update = world.update_site(&Actor::Operator, &blog, none, IfMatch::Any, Mode::Commit, at(50));
        assert!(update.await.expect("is changed").domains.is_empty());
        let other = Claimant::new(&world, "other").await;
        other.look(60, &["TXT"], &[]).await;
        assert_eq!(other.state().await, DomainState::Verified, "what nobody asks for is free");
    }
}

#[tokio::test]
async fn a_domain_stays_whose_it_is_as_long_as_dns_says_so() {
    for world in worlds().await {
        let (first, second) = (Claimant::new(&world, "first").await, Claimant::new(&world, "second").await);
        first.look(1, &["TXT"], &[]).await;
        second.look(2, &["TXT"], &["TXT"]).await;
        assert_eq!((first.state().await, second.state().await), (DomainState::Verified, DomainState::Failed));
        assert_eq!(second.names().await, Vec::<Hostname>::new());
        let told = second.view().await.domains[0].claim.found.clone();
        assert!(told.starts_with("another site has this domain") && !told.contains("first"), "{told}");

        second.look(3, &["TXT"], &[]).await;
        assert_eq!((first.state().await, second.state().await), (DomainState::Failed, DomainState::Verified));
        assert_eq!((first.names().await.len(), second.names().await.len()), (0, 1));
    }
}

#[tokio::test]
async fn a_record_for_a_site_says_more_than_an_alias_that_was_left() {
    for world in worlds().await {
        let (first, second) = (Claimant::new(&world, "first").await, Claimant::new(&world, "second").await);
        first.look(1, &["CNAME"], &[]).await;
        assert_eq!(first.state().await, DomainState::Active);
        second.look(2, &["TXT"], &["CNAME"]).await;
        assert_eq!((first.state().await, second.state().await), (DomainState::Failed, DomainState::Verified));
    }
}

#[tokio::test]
async fn silence_takes_nothing_from_anybody() {
    let world = world("memory").await;
    let (first, second) = (Claimant::new(&world, "first").await, Claimant::new(&world, "second").await);
    first.look(1, &["CNAME"], &[]).await;
    let claims = world.claims_to_check(&Actor::Operator, &path(&second.cid, "blog")).await.expect("read");
    let found = [(claims.wants[0].clone(), evidence(&claims.wants[0], &["CNAME"]))];
    let contests = world.record_evidence(claims.site, &found, false, at(2)).await.expect("kept");
    let theirs = [(contests[0].wants.clone(), silence())];
    world.record_evidence(contests[0].holder, &theirs, true, at(2)).await.expect("kept");
    assert_eq!((first.state().await, second.state().await), (DomainState::Active, DomainState::Failed));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_that_prove_it_at_once_has_it() {
    for world in worlds().await {
        let mut claims = Vec::new();
        for name in ["aaa", "bbb", "ccc", "ddd", "eee", "fff", "ggg", "hhh"] {
            let claimant = Claimant::new(&world, name).await;
            claims.push(
                world.claims_to_check(&Actor::Operator, &path(&claimant.cid, "blog")).await.expect("read"),
            );
        }
        let mut all = tokio::task::JoinSet::new();
        for claims in claims.clone() {
            let service = world.service.clone();
            all.spawn(async move {
                let found = [(claims.wants[0].clone(), evidence(&claims.wants[0], &["TXT"]))];
                service.record_evidence(claims.site, &found, false, at(1)).await.expect("kept").len()
            });
        }
        assert_eq!(all.join_all().await.iter().sum::<usize>(), 7, "all but one contest it");
    }
}
