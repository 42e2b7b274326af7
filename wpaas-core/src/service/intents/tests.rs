use super::*;
use crate::account::Lifecycle;
use crate::code::{Code, Digest, GitCode, Layout};
use crate::id::ReleaseId;
use crate::name::Slug;
use crate::service::test::{NOW, parse, settings, site};
use crate::site::{
    AddressKind, CertificateRules, DomainClaim, EdgePorts, Hsts, IssuedCertificate, PartStatus, Release,
    Route,
};

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

fn status(ready: Truth, database: Truth, since: Timestamp) -> SiteStatus {
    let condition = |kind, status| Condition {
        kind,
        status,
        reason: "Reason".to_owned(),
        message: "message".to_owned(),
        since,
    };
    SiteStatus {
        observed_generation: 1,
        num_instances: 0,
        database_instances: 0,
        address: None,
        conditions: vec![
            condition(ConditionKind::Ready, ready),
            condition(ConditionKind::DatabaseReady, database),
        ],
        parts: Vec::new(),
        waiting: Vec::new(),
        last_error: None,
        next_try: None,
        wordpress_version: None,
        challenge: None,
    }
}

#[test]
fn a_condition_keeps_its_since_while_its_status_does() {
    let later = Timestamp::from_second(NOW.as_second() + 60).unwrap();
    let first = merge(None, &status(Truth::False, Truth::True, NOW), NOW).unwrap();
    assert!(first.founded);
    let second = merge(Some(&first), &status(Truth::True, Truth::True, later), later).unwrap();
    let since = |kind| second.status.condition(kind).unwrap().since;
    assert_eq!((since(ConditionKind::Ready), since(ConditionKind::DatabaseReady)), (later, NOW));
    assert_eq!(merge(Some(&second), &status(Truth::True, Truth::True, later), later), None);
    let third = merge(Some(&second), &status(Truth::True, Truth::False, later), later).unwrap();
    assert!(third.founded, "once founded, always founded");
}

#[test]
fn a_status_of_an_older_spec_does_not_overwrite_a_newer() {
    let old = status(Truth::False, Truth::True, NOW);
    let new = SiteStatus { observed_generation: old.observed_generation + 1, ..old.clone() };
    let kept = merge(None, &new, NOW).unwrap();
    assert_eq!(merge(Some(&kept), &old, NOW), None, "of a server that has not read the newest spec");
    let ready =
        SiteStatus { observed_generation: new.observed_generation, ..status(Truth::True, Truth::True, NOW) };
    assert!(merge(Some(&kept), &ready, NOW).is_some());
}

#[test]
fn an_event_tells_of_each_condition_that_changed() {
    let first = merge(None, &status(Truth::False, Truth::True, NOW), NOW).unwrap();
    let stored = |status| StoredSite { site: site(), status };
    let told = |stored: &StoredSite, status: &SiteStatus| -> Vec<String> {
        let events = transitions(stored, status);
        events
            .iter()
            .map(|event| format!("{} {}", event.detail["condition"], event.detail["status"]))
            .collect()
    };
    assert_eq!(told(&stored(None), &first.status), [r#""DatabaseReady" "True""#]);
    let next = status(Truth::True, Truth::True, NOW);
    assert_eq!(told(&stored(Some(first)), &next), [r#""Ready" "True""#]);
    let mut diverged = status(Truth::False, Truth::False, NOW);
    let down = merge(None, &diverged, NOW).unwrap();
    diverged.conditions[1].reason = "Diverged".to_owned();
    assert_eq!(told(&stored(Some(down)), &diverged), [r#""DatabaseReady" "False""#]);
}

#[test]
fn a_loss_of_data_stays_said_until_somebody_changes_the_site() {
    let with_loss = |truth, generation| {
        let mut found = status(Truth::True, Truth::True, NOW);
        found.observed_generation = generation;
        let kind = ConditionKind::PossibleDataLoss;
        let (reason, message) = (String::new(), String::new());
        found.conditions.push(Condition { kind, status: truth, reason, message, since: NOW });
        found
    };
    let said =
        |status: &StoredStatus| status.status.condition(ConditionKind::PossibleDataLoss).unwrap().status;
    let lost = merge(None, &with_loss(Truth::True, 1), NOW).unwrap();
    assert_eq!(merge(Some(&lost), &with_loss(Truth::False, 1), NOW), None);
    let changed = merge(Some(&lost), &with_loss(Truth::False, 2), NOW).unwrap();
    assert_eq!(said(&changed), Truth::False);
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

#[test]
fn what_a_gateway_answers_an_authority_with_is_known_as_long_as_there_is_one() {
    let with = |challenge: Option<&str>, parts: &[&str]| {
        let part = |part: &&str| PartStatus { part: (*part).to_owned(), state: "serving".to_owned() };
        let mut found = status(Truth::True, Truth::True, NOW);
        found.challenge = challenge.map(str::to_owned);
        found.parts = parts.iter().map(part).collect();
        found
    };
    let known = |before: &StoredStatus, found: &SiteStatus| {
        merge(Some(before), found, NOW)
            .map_or_else(|| before.status.challenge.clone(), |it| it.status.challenge)
    };
    let before = merge(None, &with(Some("old"), &["gateway-0"]), NOW).unwrap();
    assert_eq!(known(&before, &with(None, &["gateway-0"])).as_deref(), Some("old"), "nobody could tell");
    assert_eq!(known(&before, &with(Some("new"), &["gateway-0"])).as_deref(), Some("new"));
    assert_eq!(known(&before, &with(None, &["network"])), None, "who is gone answers nobody");
}
