//! Instances that follow a site's load, as its gateways count it.

use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;
use wpaas_core::converge::Part;
use wpaas_core::id::SiteId;
use wpaas_core::keyring::Keyring;
use wpaas_core::secret::Secret;
use wpaas_core::store::scratch;
use wpaas_server::config::{Flags, Period};

use super::harness::{Api, Tenant, send, site};
use super::releases::{git, repository};

/// Decisions within seconds.
fn soon() -> Flags {
    let second = Some(Period::seconds(1));
    Flags { autoscale_up_after: second, autoscale_down_after: second, ..Flags::default() }
}

/// The numbers of two gateways that the simulated backend does not speak for.
const GATEWAYS: [u8; 2] = [8, 9];

/// A site whose gateways the test itself is.
struct Scaled<'a> {
    api: &'a Api,
    tenant: Tenant,
    path: String,
    id: SiteId,
}

impl<'a> Scaled<'a> {
    /// With these bounds.
    async fn start(api: &'a Api, autoscale: Value) -> Self {
        Self::of(api, site("blog"), autoscale).await
    }

    /// The same of this site.
    async fn of(api: &'a Api, mut body: Value, autoscale: Value) -> Self {
        let tenant = api.tenant("acme").await;
        body["features"] = json!({ "autoscale": autoscale });
        let made = api.post("/wpaas", &tenant.key, body).await.is(202).body;
        let path = format!("/wpaas/{}/default/blog", tenant.cid);
        Self { api, tenant, path, id: made["id"].as_str().unwrap().parse().unwrap() }
    }

    async fn get(&self) -> Value {
        self.api.get(&self.path, &self.tenant.key).await.is(200).body
    }

    /// A report of the gateway of this number, in hundredths of a request.
    async fn report(&self, gateway: u8, busy: u64) {
        report(self.api, self.id, gateway, busy).await;
    }

    /// Reports this load until the site is so; each try is two whole requests.
    async fn under(&self, busy: u64, is: impl Fn(&Value) -> bool) -> Value {
        self.under_at(self.api, busy, is).await
    }

    /// Reports it to this server.
    async fn under_at(&self, server: &Api, busy: u64, is: impl Fn(&Value) -> bool) -> Value {
        let began = std::time::Instant::now();
        loop {
            report(server, self.id, GATEWAYS[0], busy).await;
            let site = self.get().await;
            if is(&site) {
                return site;
            }
            assert!(began.elapsed().as_secs() < 60, "under {busy} still {site}");
        }
    }

    async fn put(&self, body: Value) -> Value {
        self.api.put(&self.path, &self.tenant.key, body).await.is(202).body
    }

    /// From and to how many, of each time that it was scaled.
    async fn events(&self) -> Vec<(u64, u64)> {
        let path = format!("/events?cid={}&kind=site_scaled&limit=500", self.tenant.cid);
        let events = self.api.get(&path, &self.api.operator).await.is(200).body;
        let number = |event: &Value, which: &str| event["detail"][which].as_u64().unwrap();
        events["items"].as_array().unwrap().iter().map(|e| (number(e, "from"), number(e, "to"))).collect()
    }
}

async fn report(api: &Api, site: SiteId, gateway: u8, busy: u64) {
    let part = Part::Gateway(gateway);
    let body = json!({
        "boot": "ab12", "busy": busy,
        "gateway": {"phase": "serving", "revision": "1", "servers": {}, "error": null},
    });
    let request =
        api.report_request(&format!("/reports/{site}/{part}")).bearer_auth(token(api, site, part).expose());
    send(request.json(&body)).await.is(204);
}

/// What only this node has.
fn token(api: &Api, site: SiteId, part: Part) -> Secret {
    Keyring::open_or_create(&api.data().join("keys")).unwrap().report_token(site, part)
}

fn wants(instances: u64) -> impl Fn(&Value) -> bool {
    move |site| site["status"]["autoscale"]["wanted"] == instances
}

fn runs(instances: u64) -> impl Fn(&Value) -> bool {
    move |site| site["actual"]["num_instances"] == instances && wants(instances)(site)
}

#[tokio::test]
async fn instances_follow_the_load_up_and_down_and_a_change_of_anything_else_does_not_fight_it() {
    let api = Api::with(soon()).await;
    let blog = Scaled::start(&api, json!({"min": 1, "max": 3, "target": 4})).await;
    let begun = blog.get().await;
    let features = json!({"autoscale": {"min": 1, "max": 3, "target": 4}, "hsts": false});
    assert_eq!(begun["features"], features);
    let unknown = json!({
        "wanted": 1, "measured": null, "target": 4, "why": "the load is not known yet", "since": null,
    });
    assert_eq!(begun["status"]["autoscale"], unknown);

    let why = "24.0 requests under way need 6 instances, and more than max are not allowed";
    let up = blog.under(2400, |site| runs(3)(site) && site["status"]["autoscale"]["why"] == why).await;
    let told = &up["status"]["autoscale"];
    assert_eq!(told["measured"], 24.0);
    assert!(told["since"].as_str().unwrap().parse::<Timestamp>().unwrap() <= Timestamp::now());
    assert_eq!(blog.events().await, [(1, 2), (2, 3)], "twice as many at most at a time");
    assert_eq!((&up["expected_num_instances"], &up["spec"]["num_instances"]), (&3.into(), &1.into()));

    let renamed = blog.put(json!({"title": "Another", "num_instances": 2})).await;
    assert_eq!(renamed["expected_num_instances"], 3, "what a site begins with is not what it has");
    // The generation is the caller's: its own last answer still stands for the site.
    assert_eq!(renamed["generation"], 2);
    let also = blog.put(json!({"features": {"hsts": {"max_age": 600}}})).await;
    let both = json!({"autoscale": {"min": 1, "max": 3, "target": 4}, "hsts": {"max_age": 600}});
    assert_eq!((&also["features"], &also["expected_num_instances"]), (&both, &3.into()));

    blog.under(0, runs(1)).await;
    let events = blog.events().await;
    assert!(events.iter().all(|(from, to)| (1..=3).contains(to) && from != to), "{events:?}");

    let off = blog.put(json!({"features": {"autoscale": false}})).await;
    assert_eq!((&off["expected_num_instances"], &off["status"]["autoscale"]), (&2.into(), &Value::Null));
}

#[tokio::test]
async fn a_load_is_scaled_for_as_far_as_the_quota_allows() {
    let api = Api::with(soon()).await;
    let blog = Scaled::start(&api, json!({"min": 1, "max": 8})).await;
    let org = format!("/orgs/{}/default", blog.tenant.cid);
    api.put(&org, &api.operator, json!({"quota": {"wordpress_instances": 3}})).await.is(200);
    let limited = |site: &Value| {
        let why = site["status"]["autoscale"]["why"].as_str().unwrap().to_owned();
        runs(3)(site) && why.ends_with("the org's quota of 3 wordpress_instances allows no more")
    };
    blog.under(3200, limited).await;
    let refused =
        api.put(&blog.path, &blog.tenant.key, json!({"features": {"autoscale": {"min": 4, "max": 8}}}));
    refused.await.is_problem(409, "quota_exceeded");

    api.put(&org, &api.operator, json!({"quota": {"wordpress_instances": 5}})).await.is(200);
    blog.under(3200, wants(5)).await;
    // A quota that is lowered takes nothing away, and is in the way of no return.
    api.put(&org, &api.operator, json!({"quota": {"wordpress_instances": 2}})).await.is(200);
    blog.under(0, wants(1)).await;
}

#[tokio::test]
async fn new_bounds_hold_at_once_and_a_site_that_rests_is_left_alone() {
    let api = Api::with(soon()).await;
    let blog = Scaled::start(&api, json!(true)).await;
    let features = &blog.get().await["features"];
    assert_eq!(features["autoscale"], json!({"min": 1, "max": 4, "target": 4}));
    let bounds = json!({"features": {"autoscale": {"min": 2, "max": 6, "target": 8}}});
    assert_eq!(blog.put(bounds).await["expected_num_instances"], 2);
    blog.under(4000, wants(5)).await;
    let narrower = json!({"features": {"autoscale": {"min": 1, "max": 3, "target": 8}}});
    assert_eq!(blog.put(narrower).await["expected_num_instances"], 3);
    let more = api.put(&blog.path, &blog.tenant.key, json!({"num_instances": 4})).await;
    assert_eq!(more.is_problem(422, "invalid").body["field"], "features.autoscale.max");

    let rests = blog.put(json!({"num_instances": 0})).await;
    assert_eq!((&rests["expected_num_instances"], &rests["status"]["autoscale"]), (&0.into(), &Value::Null));
    let before = blog.events().await;
    let at_rest = |site: &Value| site["actual"]["num_instances"] == 0;
    blog.under(4000, at_rest).await;
    assert_eq!(blog.events().await, before);
    assert_eq!(blog.put(json!({"num_instances": 1})).await["expected_num_instances"], 1);
}

#[tokio::test]
async fn the_load_of_two_gateways_is_one_and_another_part_has_none() {
    let api = Api::with(soon()).await;
    let blog = Scaled::start(&api, json!({"min": 1, "max": 8})).await;
    let both = |site: &Value| site["status"]["autoscale"]["measured"] == 6.0;
    let began = std::time::Instant::now();
    while !both(&blog.get().await) {
        blog.report(GATEWAYS[0], 250).await;
        blog.report(GATEWAYS[1], 350).await;
        assert!(began.elapsed().as_secs() < 60, "still {}", blog.get().await);
    }
    let node = json!({"phase": "serving", "release": "stock", "admin_version": 1, "error": null});
    let request = blog.api.report_request(&format!("/reports/{}/wordpress-39", blog.id));
    let request = request.bearer_auth(token(&api, blog.id, Part::Wordpress(39)).expose());
    send(request.json(&json!({"boot": "ab12", "busy": 9900, "wordpress": node}))).await.is(204);
    let told = blog.get().await;
    assert!(both(&told), "{told}");
}

#[tokio::test]
async fn a_load_is_followed_while_a_release_is_tried() {
    let folder = TempDir::new().unwrap();
    let code = repository(folder.path());
    let prefixes = Some(vec![format!("file://{}/", folder.path().display())]);
    let api = Api::with(Flags { code_allowed_prefixes: prefixes, ..soon() }).await;
    let mut body = site("blog");
    body["code"] = json!({"git": code, "ref": "main"});
    let blog = Scaled::of(&api, body, json!({"min": 1, "max": 4})).await;
    let revision = |site: &Value| site["release"]["revision"].as_str().map(str::to_owned);
    let first = revision(&blog.under(0, |site| revision(site).is_some() && runs(1)(site)).await);
    let mut seen = vec![first];
    for (busy, instances) in [(1600, 4), (0, 1), (700, 2)] {
        git(&folder.path().join("blog"), &["commit", "--quiet", "--allow-empty", "--message", "again"]);
        api.post(&format!("{}/refetch", blog.path), &blog.tenant.key, json!({})).await.is(202);
        let last = seen.last().unwrap().clone();
        let both = |site: &Value| {
            let is_new = revision(site) != last && site["candidate"].is_null();
            is_new && runs(instances)(site) && site["status"]["phase"] == "ready"
        };
        seen.push(revision(&blog.under(busy, both).await));
    }
    let begun = seen.len();
    seen.dedup();
    assert_eq!((seen.len(), blog.get().await["generation"].as_u64()), (begun, Some(4)), "{seen:?}");
}

/// One hears what the gateways report, and both know.
#[tokio::test(flavor = "multi_thread")]
async fn whichever_server_leads_scales() {
    let Some(url) = scratch::url().await else { return };
    let flags = || Flags { database_url: Some(url.clone()), ..soon() };
    let first = Api::with(flags()).await;
    let second = first.beside(flags()).await;
    let blog = Scaled::start(&second, json!({"min": 1, "max": 4})).await;
    // The first one leads, as it was there first: it has heard it from the second.
    blog.under_at(&second, 700, wants(2)).await;
    blog.under_at(&first, 1500, wants(4)).await;
    first.server.stop().await;
    blog.under_at(&second, 0, wants(1)).await;
    let events = blog.events().await;
    let (begun, ended) = (events.first().map(|(from, _)| *from), events.last().map(|(_, to)| *to));
    assert_eq!((begun, ended), (Some(1), Some(1)), "{events:?}");
    assert!(events.windows(2).all(|two| two[0].1 == two[1].0), "one decides at a time: {events:?}");
}
