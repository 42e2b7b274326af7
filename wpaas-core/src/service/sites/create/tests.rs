use super::*;
use crate::account::{Lifecycle, Org};
use crate::code::{Code, GitCode};
use crate::defaults;
use crate::secret::Secret;
use crate::service::place::Found;
use crate::service::test::{NOW, cid, customer, parse, settings, site};
use crate::site::{AddressKind, DatabaseSize};

fn place(lifecycle: Lifecycle) -> Place {
    let org = defaults::org(&cid(), NOW);
    Place {
        customer: customer(lifecycle),
        space: Found::Virtual(defaults::space(&cid(), org.id, NOW)),
        org: Found::Virtual(org),
    }
}

fn new(name: &str) -> NewSite {
    NewSite::named(parse(name), Secret::new("pass".to_owned()))
}

fn decide(at: &Place, same: Option<&Site>, new: &NewSite) -> Result<Site, ServiceError> {
    let same = same.map(|site| StoredSite { site: site.clone(), status: None });
    decide_create(at, same.as_ref(), SiteId::new(), new, &settings(), NOW)
}

fn code(at: &Place, same: Option<&Site>, new: &NewSite) -> String {
    decide(at, same, new).map_or_else(|error| format!("{}: {error}", error.code()), |_| "made".to_owned())
}

#[test]
fn what_is_not_said_has_a_default() {
    let site = decide(&place(Lifecycle::Active), None, &new("blog")).unwrap();
    let spec = &site.spec;
    assert_eq!((spec.title.as_str(), spec.num_instances, spec.database), ("blog", 1, DatabaseSize::One));
    assert_eq!((spec.admin.username.as_str(), spec.admin.email.as_str()), ("admin", "owner@acme.example"));
    assert_eq!((site.generation, site.version, site.code), (1, 1, CodeState::default()));
    assert_eq!(site.space, defaults::space_id(defaults::org_id(&cid())));
}

#[test]
fn code_is_wanted_from_the_first_generation_on() {
    let git = Code::Git(GitCode { url: "https://example.com/a".to_owned(), reference: None, path: None });
    let with_code = NewSite { code: Some(git), ..new("blog") };
    let site = decide(&place(Lifecycle::Active), None, &with_code).unwrap();
    assert_eq!(site.code, CodeState { wanted: 1, ..CodeState::default() });
    assert!(!site.has_wanted_release());
    let secret = Some(Secret::new("token".to_owned()));
    let lone = NewSite { code_credential: secret, ..new("blog") };
    assert!(code(&place(Lifecycle::Active), None, &lone).starts_with("invalid: code.credential"));
}

#[test]
fn what_site_can_be_made() {
    let active = place(Lifecycle::Active);
    let mut deleted = site();
    deleted.lifecycle = SiteLifecycle::Deleting { since: NOW, purge_after: NOW };
    let cases = [
        (
            code(&active, Some(&site()), &new("blog")),
            "site_name_taken: another site of this org has that name",
        ),
        (code(&active, Some(&deleted), &new("blog")), "name_in_deletion: a deleted site keeps that name"),
        (code(&place(Lifecycle::Suspended), None, &new("blog")), "customer_suspended"),
        (code(&active, None, &NewSite { num_instances: Some(0), ..new("blog") }), "made"),
        (code(&active, None, &NewSite { num_instances: Some(20), ..new("blog") }), "made"),
        (
            code(&active, None, &NewSite { num_instances: Some(21), ..new("blog") }),
            "invalid: num_instances: must be from 0 to 20",
        ),
        (code(&active, None, &NewSite { title: Some("a\nb".to_owned()), ..new("blog") }), "invalid: title"),
        (
            code(&active, None, &NewSite { domains: vec![parse("a.wpaas.localhost")], ..new("blog") }),
            "invalid: domains: a.wpaas.localhost belongs to the platform",
        ),
        (code(&active, None, &NewSite { domains: vec![parse("notwpaas.localhost")], ..new("blog") }), "made"),
        (
            code(
                &active,
                None,
                &NewSite { domains: vec![parse("a.example"), parse("a.example")], ..new("b") },
            ),
            "invalid: domains: names a domain twice",
        ),
        (
            code(&active, None, &NewSite { primary_domain: Some(parse("a.example")), ..new("blog") }),
            "invalid: primary_domain: a.example is not one of the site's domains",
        ),
        (
            code(&active, None, &NewSite { address: AddressKind::Shared, ..new("blog") }),
            "invalid: address: this platform has no edge to share: use own",
        ),
    ];
    for (told, expected) in cases {
        assert!(told.starts_with(expected), "{told:?}, expected {expected:?}");
    }
}

#[test]
fn nobody_can_have_the_platforms_names_or_a_public_suffix() {
    let mut settings = settings();
    settings.platform_domain = parse("sites.wpaas.example");
    settings.reserved_domains = vec![parse("api.host.example")];
    let refused = |domain: &str| {
        let new = NewSite { domains: vec![parse(domain)], ..new("blog") };
        let made = decide_create(&place(Lifecycle::Active), None, SiteId::new(), &new, &settings, NOW);
        made.err().map(|error| error.to_string())
    };
    let of_platform = [
        "sites.wpaas.example",
        "a.b.sites.wpaas.example",
        "wpaas.example",
        "api.host.example",
        "x.api.host.example",
        "host.example",
    ];
    for domain in of_platform {
        let told = refused(domain).unwrap_or_default();
        assert!(told.starts_with(&format!("domains: {domain} belongs to the platform")), "{domain}: {told}");
    }
    for suffix in ["co.uk", "github.io", "s3.amazonaws.com"] {
        assert!(refused(suffix).unwrap_or_default().contains("public suffix"), "{suffix}");
    }
    let long = format!("{0}.{0}.{0}.{0}.example.com", "x".repeat(58));
    assert!(refused(&long).unwrap_or_default().contains("too long"));
    for fine in ["example.co.uk", "www.example.com", "acme.github.io", "other.host-example.com"] {
        assert_eq!(refused(fine), None, "{fine}");
    }
}

#[test]
fn the_operator_can_not_allow_more_instances_than_there_are_slots_for() {
    let mut settings = settings();
    settings.max_instances = 1000;
    let many = NewSite { num_instances: Some(25), ..new("blog") };
    let at = place(Lifecycle::Active);
    let refused = decide_create(&at, None, SiteId::new(), &many, &settings, NOW).unwrap_err();
    assert_eq!(refused.to_string(), "num_instances: must be from 0 to 20");
}

#[test]
fn a_name_that_does_not_fit_into_dns_is_refused() {
    let mut at = place(Lifecycle::Active);
    at.org = Found::Stored(Org { name: parse(&"x".repeat(60)), ..defaults::org(&cid(), NOW) });
    assert!(code(&at, None, &new("blog")).starts_with("invalid: name: with its org"));
}

#[test]
fn the_defaults_are_made_with_the_site_each_with_its_event() {
    let at = place(Lifecycle::Active);
    let site = decide(&at, None, &new("blog")).unwrap();
    let told = |at: &Place| -> Vec<&str> {
        let change = creation(at, &site, Who::Operator, &settings(), NOW);
        change.events.iter().map(|event| event.kind.as_str()).collect()
    };
    assert_eq!(told(&at), ["org_created", "space_created", "site_created"]);
    let stored = Place {
        org: Found::Stored(at.org.get().clone()),
        space: Found::Stored(at.space.get().clone()),
        ..at
    };
    assert_eq!(told(&stored), ["site_created"]);
}
