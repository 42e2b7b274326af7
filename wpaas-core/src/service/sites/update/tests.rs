use super::*;
use crate::account::Lifecycle;
use crate::defaults;
use crate::service::place::Found;
use crate::service::test::{NOW, cid, customer, parse, settings, site};
use crate::site::{CodeFailure, CodeState};

fn place(lifecycle: Lifecycle) -> Place {
    let org = defaults::org(&cid(), NOW);
    Place {
        customer: customer(lifecycle),
        space: Found::Stored(defaults::space(&cid(), org.id, NOW)),
        org: Found::Stored(org),
    }
}

fn git(url: &str, reference: Option<&str>) -> Code {
    Code::Git(GitCode { url: url.to_owned(), reference: reference.map(str::to_owned), path: None })
}

fn secret() -> Secret {
    Secret::new("token".to_owned())
}

fn updated(site: &Site, update: &SiteUpdate) -> (Site, Vec<&'static str>) {
    let decided = decide_update(&place(Lifecycle::Active), site, update, IfMatch::Any, &settings());
    decided.unwrap().expect("something changes")
}

#[test]
fn only_what_differs_is_changed_and_raises_the_generation() {
    let before = site();
    let update =
        SiteUpdate { num_instances: Some(3), title: Some("Blog".to_owned()), ..SiteUpdate::default() };
    let (after, changed) = updated(&before, &update);
    assert_eq!((after.generation, after.version, changed), (2, 2, vec!["num_instances"]));
    assert_eq!(after.spec.num_instances, 3);
    let same = SiteUpdate { num_instances: Some(2), ..SiteUpdate::default() };
    let decided = decide_update(&place(Lifecycle::Active), &before, &same, IfMatch::Any, &settings());
    assert_eq!(decided.unwrap(), None);
}

#[test]
fn what_can_not_be_changed() {
    let mut deleted = site();
    deleted.lifecycle = SiteLifecycle::Deleting { since: NOW, purge_after: NOW };
    let update = |instances| SiteUpdate { num_instances: Some(instances), ..SiteUpdate::default() };
    let code = |lifecycle, site: &Site, instances, if_match| {
        let decided = decide_update(&place(lifecycle), site, &update(instances), if_match, &settings());
        decided.map_or_else(|error| error.code(), |_| "changed")
    };
    let any = IfMatch::Any;
    assert_eq!(code(Lifecycle::Active, &site(), 3, any), "changed");
    assert_eq!(code(Lifecycle::Active, &site(), 3, IfMatch::Version(1)), "changed");
    assert_eq!(code(Lifecycle::Active, &site(), 3, IfMatch::Version(2)), "version_mismatch");
    assert_eq!(code(Lifecycle::Active, &site(), 21, any), "invalid");
    assert_eq!(code(Lifecycle::Active, &deleted, 3, any), "site_in_deletion");
    assert_eq!(code(Lifecycle::Suspended, &site(), 3, any), "customer_suspended");
}

#[test]
fn each_password_that_is_given_is_a_version() {
    let update = SiteUpdate { admin_password: Some(secret()), ..SiteUpdate::default() };
    let (after, changed) = updated(&site(), &update);
    assert_eq!((after.spec.admin.password_version, changed), (2, vec!["admin_password"]));
}

#[test]
fn stock_wordpress_serves_until_the_first_release_and_again_without_code() {
    let update = SiteUpdate { code: Some(Some(git("https://example.com/a", None))), ..SiteUpdate::default() };
    let (with_code, _) = updated(&site(), &update);
    assert_eq!(with_code.code, CodeState { wanted: 2, keeps_stock: true, ..CodeState::default() });
    let (without, _) = updated(&with_code, &SiteUpdate { code: Some(None), ..SiteUpdate::default() });
    assert!(!without.code.keeps_stock);
    assert_eq!((without.spec.code.clone(), without.releases.clone()), (None, Releases::default()));
    assert!(without.has_wanted_release());
}

#[test]
fn other_code_is_fetched_anew_also_after_a_failure() {
    let mut before = site();
    before.spec.code = Some(git("https://example.com/a", None));
    before.code.wanted = 1;
    before.code.failure = Some(CodeFailure { message: "no".to_owned(), at: NOW, retry_at: None });
    assert_eq!(before.fetch_at(), None);
    let moved =
        SiteUpdate { code: Some(Some(git("https://example.com/a", Some("v2")))), ..SiteUpdate::default() };
    let (after, changed) = updated(&before, &moved);
    assert_eq!((after.code.wanted, changed), (2, vec!["code"]));
    assert!(after.fetch_at().is_some());
}

/// Whoever may change the code may not read its credential, so it must not follow the code elsewhere.
#[test]
fn a_credential_stays_with_the_place_it_was_given_for() {
    let mut before = site();
    before.spec.code = Some(git("https://example.com/a", None));
    before.code =
        CodeState { wanted: 1, credential_version: 1, has_credential: true, ..CodeState::default() };
    let to = |url: &str, credential| SiteUpdate {
        code: Some(Some(git(url, Some("v2")))),
        code_credential: credential,
        ..SiteUpdate::default()
    };
    let has = |update: &SiteUpdate| {
        let (after, _) = updated(&before, update);
        (after.code.has_credential, after.code.credential_version)
    };
    assert_eq!(has(&to("https://example.com/a", None)), (true, 1));
    assert_eq!(has(&to("https://evil.example/a", None)), (false, 1));
    assert_eq!(has(&to("https://evil.example/a", Some(Some(secret())))), (true, 2));
    assert_eq!(has(&to("https://example.com/a", Some(None))), (false, 1));
}

#[test]
fn labels_and_domains_are_replaced_whole() {
    let update = SiteUpdate {
        domains: Some(vec![parse("www.example.com")]),
        labels: Some(std::collections::BTreeMap::from([("a".to_owned(), "b".to_owned())])),
        ..SiteUpdate::default()
    };
    let (after, changed) = updated(&site(), &update);
    assert_eq!(changed, ["domains", "labels"]);
    assert_eq!(after.spec.domains, [parse("www.example.com")]);
}
