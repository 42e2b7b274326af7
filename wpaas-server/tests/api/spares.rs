//! Sites that are made before anybody asks for one.

use std::collections::BTreeSet;

use wpaas_core::converge::Part;
use wpaas_core::id::SiteId;
use wpaas_core::store::scratch;
use wpaas_server::config::Flags;

use super::harness::{Api, Runs, site};
use super::several::on;

fn with(spares: usize) -> Flags {
    Flags { spares: Some(spares), ..Flags::default() }
}

/// How many this server can give away.
async fn ready(api: &Api) -> usize {
    let metrics = api.get("/metrics", "").await.is(200).body;
    let line =
        metrics.as_str().unwrap().lines().find_map(|it| it.strip_prefix("wpaas_spares{state=\"ready\"} "));
    line.unwrap().parse().unwrap()
}

async fn until_ready(api: &Api, spares: usize) {
    until(async || (ready(api).await == spares).then_some(())).await;
}

async fn until<T>(ask: impl AsyncFn() -> Option<T>) -> T {
    let began = std::time::Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(began.elapsed().as_secs() < 60, "not within a minute");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

fn is_wordpress(part: Part) -> bool {
    matches!(part, Part::Wordpress(_))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_site_takes_over_what_is_up_and_nothing_of_it_is_made_anew() {
    let api = Api::with(with(1)).await;
    until_ready(&api, 1).await;
    let before = api.runs();
    assert!(!before.iter().any(|(_, part, _)| is_wordpress(*part)), "{before:?}");
    let metrics = api.get("/metrics", "").await.is(200).body;
    assert!(!metrics.as_str().unwrap().contains("wpaas_sites{"), "a spare is no customer's site: {metrics}");

    let tenant = api.tenant("acme").await;
    let dry = api.post("/wpaas?dry_run=true", &tenant.key, site("blog")).await.is(200);
    let made = api.post("/wpaas", &tenant.key, site("blog")).await.is(202);
    let (id, dry): (SiteId, SiteId) =
        [&made.body, &dry.body["site"]].map(|body| body["id"].as_str().unwrap().parse().unwrap()).into();
    assert!(before.iter().all(|(site, ..)| *site == id), "{before:?}");
    assert_ne!(dry, id);
    assert_eq!((&made.body["generation"], &made.body["name"]), (&1.into(), &"blog".into()));
    let path = format!("/wpaas/{}/default/blog", tenant.cid);
    api.until(&path, &tenant.key, |site| site["num_instances"] == 1).await;
    let after = api.runs();
    assert!(after.is_superset(&before), "{before:?} {after:?}");
    assert!(after.iter().any(|(_, part, _)| is_wordpress(*part)));
}

#[tokio::test(flavor = "multi_thread")]
async fn spares_that_are_not_wanted_any_more_go_and_sites_stay() {
    let api = Api::with(with(2)).await;
    until_ready(&api, 2).await;
    let tenant = api.tenant("acme").await;
    let made = api.post("/wpaas", &tenant.key, site("blog")).await.is(202);
    let id: SiteId = made.body["id"].as_str().unwrap().parse().unwrap();
    let path = format!("/wpaas/{}/default/blog", tenant.cid);
    api.until(&path, &tenant.key, |site| site["num_instances"] == 1).await;

    let (world, of_site) = (api.world(), api.runs().into_iter().filter(|(site, ..)| *site == id));
    let of_site: Runs = of_site.collect();
    let Api { server, folder, .. } = api;
    server.stop().await;
    let api = Api::in_world(folder, Flags::default(), world).await;
    let left =
        until(async || Some(api.runs()).filter(|runs| runs.iter().all(|(site, ..)| *site == id))).await;
    assert_eq!(left, of_site);
    let used = api.get("/usage", &api.operator).await.is(200);
    let others = used.body["items"].as_array().unwrap().iter().filter(|it| it["site_id"] != id.to_string());
    assert_eq!(others.count(), 0, "nobody pays for a spare: {}", used.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_server_gives_away_the_spares_that_it_tends() {
    let Some(url) = scratch::url().await else { return };
    let flags = || Flags { spares: Some(12), ..on(&url) };
    let first = Api::with(flags()).await;
    until_ready(&first, 12).await;
    let spares: BTreeSet<SiteId> = first.runs().into_iter().map(|(site, ..)| site).collect();
    // It has a world of its own, and makes there what it tends from now on.
    let second = first.beside(flags()).await;
    let shared = until(async || {
        let (mine, other) = (ready(&first).await, ready(&second).await);
        (mine > 0 && other > 0 && mine + other == 12).then_some([(&first, mine), (&second, other)])
    })
    .await;

    let tenant = first.tenant("acme").await;
    let mut taken = BTreeSet::new();
    for (api, many) in shared {
        for _ in 0..many {
            let name = format!("site-{}", taken.len());
            let made = api.post("/wpaas", &tenant.key, site(&name)).await.is(202).body;
            taken.insert(made["id"].as_str().unwrap().parse::<SiteId>().unwrap());
        }
    }
    assert_eq!(taken, spares);
    assert_eq!(ready(&first).await + ready(&second).await, 0);
}
