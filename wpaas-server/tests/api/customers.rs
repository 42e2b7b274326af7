//! `/customers`.

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};

use super::harness::{Api, PASSWORD, send};

#[tokio::test]
async fn a_customer_is_registered_shown_changed_and_deleted() {
    let api = Api::start().await;
    let body = json!({"name": "Acme Inc.", "email": "a@acme.example", "password": PASSWORD});
    let made = api.post("/customers", &api.operator, body).await.is(201);
    assert_eq!((&made.body["cid"], &made.body["username"]), (&"acm".into(), &"a@acme.example".into()));
    assert_eq!((made.header("location"), &made.body["status"]), ("/customers/acm", &"free".into()));
    assert!(!made.body.to_string().contains("password"), "{}", made.body);
    assert_eq!(api.get("/customers/acm", &api.operator).await.is(200).body, made.body);
    assert_eq!(api.get("/customers", &api.operator).await.is(200).body["items"], json!([made.body]));

    let change = json!({"name": "Acme", "status": "paid", "payment": {"identifier": "cus_1"}});
    let changed = api.put("/customers/acm", &api.operator, change).await.is(200).body;
    assert_eq!((&changed["name"], &changed["status"]), (&"Acme".into(), &"paid".into()));
    assert_eq!(changed["payment"], json!({"identifier": "cus_1", "status_id": null}));

    let change = json!({"payment_accounts": {"team": {"identifier": "cus_2"}}});
    let changed = api.put("/customers/acm", &api.operator, change).await.is(200).body;
    let accounts = json!({"team": {"identifier": "cus_2", "status_id": null}});
    assert_eq!(
        (&changed["payment_accounts"], &changed["payment"]["identifier"]),
        (&accounts, &"cus_1".into())
    );
    let refused = json!({"payment_accounts": {"team": {"iban": "x"}}});
    let refused = api.put("/customers/acm", &api.operator, refused).await;
    assert_eq!(refused.is_problem(422, "invalid").body["field"], "payment_accounts.team.iban");
    let org = "/orgs/acm/default";
    let unknown = api.put(org, &api.operator, json!({"payment_account": "other"})).await;
    assert_eq!(unknown.is_problem(422, "invalid").body["field"], "payment_account");
    let billed = api.put(org, &api.operator, json!({"payment_account": "team"})).await.is(200).body;
    assert_eq!(billed["payment_account"], "team");
    let away = json!({"payment_accounts": {"team": null}});
    api.put("/customers/acm", &api.operator, away).await.is_problem(409, "payment_account_used");

    let gone = api.delete("/customers/acm?grace=1h", &api.operator).await.is(202);
    assert_eq!(gone.body["status"], "to_be_removed");
    api.post("/customers/acm/restore", &api.operator, json!({})).await.is(200);
}

#[tokio::test]
async fn a_suspended_customer_only_reads() {
    let api = Api::start().await;
    let tenant = api.tenant("acme").await;
    let path = format!("/customers/{}", tenant.cid);
    let suspended = api.put(&path, &api.operator, json!({"status": "suspended"})).await.is(200);
    assert_eq!(suspended.body["status"], "suspended");
    let sites = format!("/wpaas/{}/default", tenant.cid);
    api.post(&sites, &tenant.key, super::harness::site("blog")).await.is_problem(403, "customer_suspended");
    api.get(&sites, &tenant.key).await.is(200);
    assert_eq!(api.put(&path, &api.operator, json!({"status": "paid"})).await.is(200).body["status"], "paid");
    api.post(&sites, &tenant.key, super::harness::site("blog")).await.is(202);
}

#[tokio::test]
async fn a_change_that_ends_a_suspension_is_done_whole_or_not_at_all() {
    let api = Api::start().await;
    let path = format!("/customers/{}", api.customer("acme").await);
    let stale = api.get(&path, &api.operator).await.header("etag").to_owned();
    api.put(&path, &api.operator, json!({"status": "suspended"})).await.is(200);
    let put = |tag: String, body| {
        let request = api.request(Method::PUT, &path).bearer_auth(&api.operator);
        send(request.header("if-match", tag).json(&body))
    };
    let tag = || async { api.get(&path, &api.operator).await.header("etag").to_owned() };
    put(stale, json!({"status": "paid"})).await.is_problem(412, "version_mismatch");
    put(tag().await, json!({"status": "paid", "name": " "})).await.is_problem(422, "invalid");
    let still = api.get(&path, &api.operator).await;
    assert_eq!(still.body["lifecycle"]["state"], "suspended", "what is refused changes nothing");
    let cid = path.rsplit('/').next().unwrap();
    let own = json!({"username": "acme@example.com", "password": PASSWORD});
    let own = api.post("/sessions", "", own).await.is(201).body["token"].as_str().unwrap().to_owned();
    for status in ["active", "suspended"] {
        api.put(&path, &own, json!({"status": status})).await.is_problem(403, "forbidden");
    }
    let paid = put(tag().await, json!({"status": "paid", "name": "Acme"})).await.is(200).body;
    assert_eq!(
        (&paid["status"], &paid["lifecycle"]["state"], &paid["name"]),
        (&"paid".into(), &"active".into(), &"Acme".into())
    );
    let suspended = put(tag().await, json!({"status": "suspended", "name": "B"})).await.is(200).body;
    assert_eq!((&suspended["status"], &suspended["name"]), (&"suspended".into(), &"B".into()));
    assert_eq!(suspended["version"], paid["version"].as_u64().unwrap() + 1, "one change");
    let told = api.get(&format!("/events?cid={cid}"), &api.operator).await.is(200).body;
    let told: Vec<_> =
        told["items"].as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap()).collect();
    let changes = ["customer_resumed", "customer_updated", "customer_suspended", "customer_updated"];
    assert_eq!(told[told.len() - 4..], changes, "{told:?}");
}

#[tokio::test]
async fn pages_of_a_list_follow_each_other() {
    let api = Api::start().await;
    for name in ["anton", "berta", "caesar"] {
        api.customer(name).await;
    }
    let first = api.get("/customers?limit=2", &api.operator).await.is(200).body;
    assert_eq!(first["items"].as_array().unwrap().len(), 2);
    let next = format!("/customers?limit=2&cursor={}", first["next"].as_str().unwrap());
    let second = api.get(&next, &api.operator).await.is(200).body;
    assert_eq!((&second["items"][0]["cid"], second.get("next")), (&"cae".into(), None));
}

#[tokio::test]
async fn a_change_of_an_old_version_is_refused() {
    let api = Api::start().await;
    let cid = api.customer("acme").await;
    let path = format!("/customers/{cid}");
    let tag = api.get(&path, &api.operator).await.header("etag").to_owned();
    let put = |tag: String, name: &'static str| {
        let request = api.request(Method::PUT, &path).bearer_auth(&api.operator);
        send(request.header("if-match", tag).json(&json!({"name": name})))
    };
    let changed = put(tag.clone(), "One").await.is(200);
    assert_ne!(changed.header("etag"), tag);
    put(tag, "Two").await.is_problem(412, "version_mismatch");
    put("5".to_owned(), "Two").await.is_problem(400, "invalid_if_match");
    put("*".to_owned(), "Three").await.is(200);
}

#[tokio::test]
async fn path_and_body_must_agree() {
    let api = Api::start().await;
    let cid = api.customer("acme").await;
    let answer = api.put(&format!("/customers/{cid}"), &api.operator, json!({"cid": "other"})).await;
    assert_eq!(answer.is_problem(400, "path_body_mismatch").body["field"], "cid");
}

#[tokio::test]
async fn a_customer_deleted_without_a_grace_leaves_only_its_id() {
    let api = Api::start().await;
    let tenant = api.tenant("acme").await;
    api.post("/wpaas", &tenant.key, super::harness::site("blog")).await.is(202);
    let path = format!("/customers/{}", tenant.cid);
    api.delete(&format!("{path}?grace=0"), &api.operator).await.is(202);
    let left = api.until(&path, &api.operator, |answer| answer["status"] != "to_be_removed").await;
    assert!(!left.to_string().contains("example.com"), "{left}");
    api.get(&path, &tenant.key).await.is_problem(401, "unauthenticated");
    assert_ne!(api.customer("acme").await, tenant.cid);
}

#[tokio::test]
async fn a_suspended_site_rests_and_comes_back_as_it_was() {
    let api = Api::start().await;
    let tenant = api.tenant("acme").await;
    let body = json!({"name": "blog", "num_instances": 2, "admin_password": "a fine password"});
    api.post("/wpaas", &tenant.key, body).await.is(202);
    let path = format!("/wpaas/{}/default/blog", tenant.cid);
    let runs = |site: &Value| site["status"]["phase"] == "ready" && site["actual"] == site["expected"];
    let before = api.until(&path, &tenant.key, runs).await;
    let customer = format!("/customers/{}", tenant.cid);
    api.post(&format!("{customer}/suspend"), &api.operator, json!({})).await.is(200);
    let nothing = json!({"num_instances": 0, "database_instances": 0});
    let rests = |site: &Value| site["status"]["phase"] == "suspended" && site["actual"] == nothing;
    let rest = api.until(&path, &tenant.key, rests).await;
    assert_eq!(rest["expected"], before["expected"], "what is wanted stays");
    api.post(&format!("{customer}/resume"), &api.operator, json!({})).await.is(200);
    let after = api.until(&path, &tenant.key, runs).await;
    for same in ["spec", "generation", "names", "expected", "actual", "id", "release"] {
        assert_eq!(after[same], before[same], "{same}");
    }
    assert_eq!(after["status"]["address"], before["status"]["address"]);
}

#[tokio::test]
async fn a_plain_deletion_can_be_taken_back_for_seven_days_and_of_a_site_for_one() {
    let api = Api::start().await;
    let tenant = api.tenant("acme").await;
    api.post("/wpaas", &tenant.key, super::harness::site("blog")).await.is(202);
    for (path, hours) in
        [(format!("/wpaas/{}/default/blog", tenant.cid), 24), (format!("/customers/{}", tenant.cid), 7 * 24)]
    {
        let grace = SignedDuration::from_hours(hours);
        let before = Timestamp::now() + grace;
        let going = api.delete(&path, &api.operator).await.is(202).body["lifecycle"].clone();
        let end: Timestamp = going["purge_after"].as_str().unwrap().parse().unwrap();
        assert!((before..=Timestamp::now() + grace).contains(&end), "{path}: {going}");
    }
}

#[tokio::test]
async fn plan_and_lifecycle_are_shown_apart_and_as_one_status() {
    let api = Api::start().await;
    let path = format!("/customers/{}", api.customer("acme").await);
    for (change, plan, lifecycle, status) in [
        (json!({}), "free", "active", "free"),
        (json!({"plan": "paid"}), "paid", "active", "paid"),
        (json!({"status": "suspended"}), "paid", "suspended", "suspended"),
        (json!({"status": "active"}), "paid", "active", "paid"),
        (json!({"status": "free"}), "free", "active", "free"),
    ] {
        let shown = api.put(&path, &api.operator, change.clone()).await.is(200).body;
        assert_eq!(
            (&shown["plan"], &shown["lifecycle"]["state"], &shown["status"]),
            (&json!(plan), &json!(lifecycle), &json!(status)),
            "{change}"
        );
        assert_eq!(api.get(&path, &api.operator).await.is(200).body, shown);
    }
}

/// As many pages of one each as there are things, and no thing twice.
async fn by_ones(api: &Api, list: &str) -> usize {
    let whole = api.get(list, &api.operator).await.is(200).body;
    let (mut items, mut next) = (Vec::new(), Some(String::new()));
    while let Some(cursor) = next {
        let joined = if list.contains('?') { "&" } else { "?" };
        let page = api.get(&format!("{list}{joined}limit=1{cursor}"), &api.operator).await.is(200).body;
        items.extend(page["items"].as_array().unwrap().iter().cloned());
        next = page["next"].as_str().map(|next| format!("&cursor={next}"));
    }
    assert_eq!(json!(items), whole["items"], "{list}");
    items.len()
}

#[tokio::test]
async fn every_list_goes_on_where_its_page_ended() {
    let api = Api::start().await;
    let tenant = api.tenant("acme").await;
    let (cid, org) = (&tenant.cid, &tenant.org);
    for name in ["one", "two"] {
        api.post("/orgs", &api.operator, json!({"cid": cid, "name": name})).await.is(201);
        api.post("/spaces", &api.operator, json!({"org_id": org, "name": name})).await.is(201);
        let user = json!({"cid": cid, "name": name, "email": "u@example.com"});
        api.post("/users", &api.operator, user).await.is(201);
        api.post(&format!("/users/{cid}/dev/keys"), &api.operator, json!({"label": name})).await.is(201);
        api.post("/wpaas", &tenant.key, super::harness::site(name)).await.is(202);
        // Nothing of it moves any more.
        let seen = |site: &Value| site["status"]["phase"] == "ready";
        api.until(&format!("/wpaas/{cid}/default/{name}"), &tenant.key, seen).await;
    }
    for list in [
        format!("/orgs/{cid}"),
        format!("/spaces/{org}"),
        format!("/users/{cid}"),
        format!("/users/{cid}/dev/keys"),
    ] {
        assert_eq!(by_ones(&api, &list).await, 3, "{list}");
    }
    let names = async |query: &str| {
        let listed = api.get(&format!("/wpaas/{cid}/default{query}"), &tenant.key).await.is(200).body;
        let items = listed["items"].as_array().unwrap().iter();
        let names: Vec<_> = items.map(|site| site["name"].as_str().unwrap().to_owned()).collect();
        (names, listed["next"].as_str().map(ToOwned::to_owned))
    };
    let (first, next) = names("?limit=1&status=ready").await;
    let (second, end) = names(&format!("?limit=1&status=ready&cursor={}", next.unwrap())).await;
    assert_eq!((first, second, end), (vec!["one".to_owned()], vec!["two".to_owned()], None));
    assert_eq!(names("?status=progressing").await, (Vec::new(), None));
}

#[tokio::test]
async fn the_page_about_the_api_needs_nothing_from_elsewhere() {
    let api = Api::start().await;
    let page = api.get("/docs/index.html", "").await.is(200);
    assert!(page.header("content-security-policy").starts_with("default-src 'self'"));
    let page = page.body.as_str().unwrap().to_owned();
    let quoted = page.split('"').skip(1).step_by(2);
    let assets: Vec<_> =
        quoted.filter(|text| [".js", ".css", ".png"].iter().any(|end| text.ends_with(end))).collect();
    assert!(assets.len() > 3, "{page}");
    for asset in assets {
        let asset = asset.trim_start_matches("./");
        assert!(!asset.contains("//"), "{asset} is from elsewhere");
        api.get(&format!("/docs/{asset}"), "").await.is(200);
    }
    assert!(!page.contains("http://") && !page.contains("https://"), "{page}");
    let initializer = api.get("/docs/swagger-initializer.js", "").await.is(200).body;
    assert!(initializer.as_str().unwrap().contains("/openapi.json"), "{initializer}");
    assert!(!initializer.as_str().unwrap().contains("://"), "{initializer}");
    // Its examples are what the tests use as passwords.
    let document = api.request(Method::GET, "/openapi.json").send().await.unwrap();
    assert_eq!(document.json::<Value>().await.unwrap()["openapi"], "3.1.0");
}
