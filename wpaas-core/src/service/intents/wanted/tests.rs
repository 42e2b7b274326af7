use super::*;
use crate::account::Lifecycle;
use crate::code::{Code, Digest, GitCode, Layout};
use crate::id::ReleaseId;
use crate::name::Slug;
use crate::service::test::{NOW, parse, settings, site};
use crate::site::{AddressKind, CertificateRules, DomainClaim, EdgePorts, Hsts, IssuedCertificate, Route};

fn facts(site: Site, customer: Lifecycle) -> SiteFacts {
    SiteFacts { site, customer, org_name: Some(Slug::default_name()), founded: false, challenge: None }
}

fn wanted(facts: &SiteFacts) -> Wanted {
    intent(facts, &settings(), None, NOW).wanted
}

fn deleting(seconds: i64) -> Site {
    let purge_after = Timestamp::from_second(NOW.as_second() + seconds).unwrap();
    Site { lifecycle: SiteLifecycle::Deleting { since: NOW, purge_after }, ..site() }
}

#[test]
fn a_site_runs_rests_or_goes() {
    let removed = Lifecycle::ToBeRemoved { purge_after: NOW, was_suspended: false };
    let word = |site: Site, customer| match wanted(&facts(site, customer)) {
        Wanted::Run(_) => "run",
        Wanted::Rest => "rest",
        Wanted::Gone => "gone",
    };
    assert_eq!(word(site(), Lifecycle::Active), "run");
    assert_eq!(word(site(), Lifecycle::Suspended), "rest");
    assert_eq!(word(site(), removed), "rest");
    assert_eq!(word(deleting(1), Lifecycle::Active), "rest");
    assert_eq!(word(deleting(0), Lifecycle::Active), "gone");
    assert_eq!(word(deleting(0), Lifecycle::Suspended), "gone");
    let orphan = SiteFacts { org_name: None, ..facts(deleting(0), Lifecycle::Active) };
    assert_eq!(wanted(&orphan), Wanted::Gone);
    let orphan = SiteFacts { org_name: None, ..facts(site(), Lifecycle::Active) };
    assert_eq!(wanted(&orphan), Wanted::Rest);
}

#[test]
fn what_runs_has_the_platform_s_name_and_its_own() {
    let mut site = site();
    site.spec.domains = vec![parse("www.example.com"), parse("unproved.example.com")];
    site.spec.primary_domain = Some(parse("unproved.example.com"));
    site.domains.follow(&site.spec.domains, NOW);
    site.domains.set(&parse("www.example.com"), DomainClaim::trusted(NOW));
    let Wanted::Run(run) = wanted(&facts(site, Lifecycle::Active)) else { panic!("runs") };
    assert_eq!(run.authorities, ["blog.acm.www.wpaas.localhost", "www.example.com"]);
    assert_eq!((run.wordpress, run.home, run.was_founded), (2, None, false));
}

#[test]
fn the_release_before_serves_until_the_next_has_proved_itself() {
    let stored = Digest::from_sha256([7; 32]);
    let release_of = Release {
        id: ReleaseId::new(),
        proof: Proof::Untried,
        restores: None,
        changes: None,
        digest: stored,
        layout: Layout::Content,
        revision: "abc".to_owned(),
        generation: 1,
        created_at: NOW,
    };
    let mut site = site();
    assert_eq!(release(&site), Some(ReleaseRef::Stock));
    site.spec.code =
        Some(Code::Git(GitCode { url: "https://example.com/a".to_owned(), reference: None, path: None }));
    site.code.wanted = 2;
    assert_eq!(release(&site), None);
    site.code.keeps_stock = true;
    assert_eq!(release(&site), Some(ReleaseRef::Stock));
    site.releases.add(release_of.clone(), &site.pinned());
    assert_eq!(release(&site), Some(ReleaseRef::Stock), "not tried yet");
    let tried = ReleaseRef::Stored { digest: stored, layout: Layout::Content };
    assert_eq!(
        candidate(&site),
        Some(Candidate { id: release_of.id, release: tried, restores: None, changes: None })
    );
    assert!(site.releases.judge(release_of.id, Proof::Proved { wordpress: None, schema: None }));
    assert_eq!((candidate(&site), refused(&site)), (None, None));
    assert_eq!(release(&site), Some(ReleaseRef::Stored { digest: stored, layout: Layout::Content }));
}

#[test]
fn a_route_shows_another_release_or_is_one_more_name() {
    let mut site = site();
    site.spec.code =
        Some(Code::Git(GitCode { url: "https://example.com/a".to_owned(), reference: None, path: None }));
    let mut ids = Vec::new();
    for n in [1, 2] {
        let release = Release {
            id: ReleaseId::new(),
            digest: Digest::from_sha256([n; 32]),
            layout: Layout::Content,
            revision: "abc".to_owned(),
            generation: 1,
            created_at: NOW,
            proof: Proof::Untried,
            restores: None,
            changes: None,
        };
        ids.push(release.id);
        site.releases.add(release, &site.pinned());
        assert!(site.releases.judge(ids[ids.len() - 1], Proof::Proved { wordpress: None, schema: None }));
    }
    let routes = [
        ("shop", None),
        ("new", Some(ids[1])),
        ("old", Some(ids[0])),
        ("older", Some(ids[0])),
        ("gone", Some(ReleaseId::new())),
    ];
    site.spec.routes = routes.map(|(route, release)| (parse(route), Route { release })).into();
    let Wanted::Run(run) = wanted(&facts(site, Lifecycle::Active)) else { panic!("runs") };
    let name = |route: &str| format!("{route}.blog.acm.www.wpaas.localhost");
    assert_eq!(run.authorities[1..], [name("new"), name("shop")]);
    let release = ReleaseRef::Stored { digest: Digest::from_sha256([1; 32]), layout: Layout::Content };
    assert_eq!(run.previews, [Preview { names: vec![name("old"), name("older")], release }]);
}

#[test]
fn a_gateway_has_the_certificates_that_are_valid_and_redirects_by_them() {
    let mut settings = settings();
    settings.certificates = Some(CertificateRules { wildcards: true });
    let mut site = site();
    site.spec.routes.insert(parse("next"), Route::default());
    let (org, own) = (parse("*.acm.www.wpaas.localhost"), parse("*.blog.acm.www.wpaas.localhost"));
    let day = |days: i64| Timestamp::from_second(NOW.as_second() + days * 24 * 3600).unwrap();
    let issued = |until| IssuedCertificate { version: 0, not_before: NOW, not_after: until, issued_at: NOW };
    let wanted = [org, own];
    site.certificates.give(&wanted[0], issued(day(90)), &wanted);
    site.certificates.give(&wanted[1], issued(day(1)), &wanted);
    let tls = |site: &Site, now| {
        let Wanted::Run(run) =
            intent(&facts(site.clone(), Lifecycle::Active), &settings, Some("t".to_owned()), now).wanted
        else {
            panic!("runs")
        };
        assert_eq!(run.tls.challenge.as_deref(), Some("t"));
        let of = |it: TlsCertificate| {
            (it.secret.version, it.redirects.into_iter().map(|(from, _)| from).collect::<Vec<_>>())
        };
        run.tls.certificates.into_iter().map(of).collect::<Vec<_>>()
    };
    let (first, second) = ("blog.acm.www.wpaas.localhost", "next.blog.acm.www.wpaas.localhost");
    assert_eq!(tls(&site, NOW), [(1, vec![first.to_owned()]), (2, vec![second.to_owned()])]);
    assert_eq!(tls(&site, day(2)), [(1, vec![first.to_owned()])], "what has run out is not served");
    site.spec.address = AddressKind::Shared;
    site.spec.features.hsts = Some(Hsts { max_age: 600 });
    let mut at_edge = |http, https| {
        settings.edge_ports = Some(EdgePorts { http, https });
        let intent = intent(&facts(site.clone(), Lifecycle::Active), &settings, None, NOW);
        let Wanted::Run(mut run) = intent.wanted else { panic!("runs") };
        let TlsCertificate { secret: _, redirects, strict } = run.tls.certificates.remove(0);
        (redirects, strict)
    };
    let to = |from: &str, to: &str| vec![(format!("{first}{from}"), format!("{first}{to}"))];
    assert_eq!(at_edge(80, Some(443)), (to("", ""), vec![(first.to_owned(), 600)]));
    assert_eq!(at_edge(8000, Some(8443)), (to(":8000", ":8443"), vec![]), "a browser would keep port 8000");
    assert_eq!(at_edge(80, None), (vec![], vec![]), "an edge without HTTPS");
}
