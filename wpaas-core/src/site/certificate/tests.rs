use proptest::prelude::*;

use super::*;
use crate::id::SiteId;
use crate::service::test::{NOW, parse, site};
use crate::site::{DomainClaim, Route};

fn later(seconds: i64) -> Timestamp {
    NOW.saturating_add(SignedDuration::from_secs(seconds)).unwrap()
}

fn issued(at: Timestamp, hours: i64) -> IssuedCertificate {
    let not_after = at.saturating_add(SignedDuration::from_hours(hours)).unwrap();
    IssuedCertificate { version: 0, not_before: at, not_after, issued_at: at }
}

fn held(issued: Option<IssuedCertificate>) -> SiteCertificate {
    SiteCertificate { issued, failure: None }
}

fn need(name: &str, held: SiteCertificate) -> CertificateNeed {
    CertificateNeed { site: SiteId::new(), name: parse(name), held, provable: true }
}

const BUDGET: CertificateBudget = CertificateBudget { per_domain: 3 };

fn asked(needs: &[CertificateNeed], now: Timestamp) -> Vec<String> {
    let step = |step| match step {
        CertificateStep::Issue(name, sites) => format!("{name} for {}", sites.len()),
        CertificateStep::Share { name, to, .. } => format!("share {name} with {}", to.len()),
    };
    plan_certificates(needs, &BTreeMap::new(), BUDGET, now).into_iter().map(step).collect()
}

/// What is asked for where so many were issued below example.com.
fn asked_after(issued: usize, needs: &[CertificateNeed]) -> usize {
    let issued = BTreeMap::from([("example.com".to_owned(), issued)]);
    let steps = plan_certificates(needs, &issued, BUDGET, NOW);
    steps.iter().filter(|step| matches!(step, CertificateStep::Issue(..))).count()
}

#[test]
fn what_can_not_be_proved_yet_is_not_asked_for() {
    let ready = need("a.example.com", held(None));
    let waits = CertificateNeed { provable: false, ..need("b.example.com", held(None)) };
    assert_eq!(asked(&[ready, waits.clone()], NOW), ["a.example.com for 1"]);
    assert_eq!(asked(&[CertificateNeed { provable: true, ..waits }], NOW), ["b.example.com for 1"]);
}

#[test]
fn a_wildcard_covers_one_label_and_no_more() {
    let covers = |name: &str, host: &str| parse::<CertificateName>(name).covers(&parse(host));
    assert!(covers("*.acm.www.example.com", "blog.acm.www.example.com"));
    for other in ["acm.www.example.com", "a.b.acm.www.example.com", "blogacm.www.example.com"] {
        assert!(!covers("*.acm.www.example.com", other), "{other}");
    }
    assert!(covers("example.com", "example.com") && !covers("example.com", "www.example.com"));
    let name: CertificateName = parse("*.acm.www.example.com");
    assert_eq!((name.challenge(), name.registered()), (ChallengeKind::Dns, "example.com"));
    assert_eq!(name.record_name(), "_acme-challenge.acm.www.example.com");
    assert_eq!(parse::<CertificateName>("example.com").challenge(), ChallengeKind::Http);
    assert!("*.*.example.com".parse::<CertificateName>().is_err());
}

#[test]
fn a_site_wants_certificates_for_the_names_that_lead_to_it() {
    let mut site = site();
    let (here, elsewhere): (Hostname, Hostname) = (parse("www.example.com"), parse("shop.example.com"));
    site.spec.domains = vec![here.clone(), elsewhere.clone()];
    site.domains.follow(&site.spec.domains, NOW);
    site.domains.set(&here, DomainClaim::trusted(NOW));
    site.domains.set(&elsewhere, DomainClaim { state: DomainState::Verified, ..DomainClaim::trusted(NOW) });
    let wanted = |site: &Site, wildcards| {
        let names = SiteNames::of(site, parse("blog.acm.www.wpaas.example"), None);
        let wanted = CertificateRules { wildcards }.wanted(site, &names);
        wanted.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(wanted(&site, true), ["www.example.com", "*.acm.www.wpaas.example"]);
    site.spec.routes.insert(parse("next"), Route::default());
    assert_eq!(
        wanted(&site, true),
        ["www.example.com", "*.acm.www.wpaas.example", "*.blog.acm.www.wpaas.example"]
    );
    assert_eq!(
        wanted(&site, false),
        ["www.example.com", "blog.acm.www.wpaas.example", "next.blog.acm.www.wpaas.example"]
    );
}

#[test]
fn what_is_there_is_shared_and_what_is_not_is_asked_for_once() {
    let name = "*.acm.www.example.com";
    let (first, second) = (need(name, held(None)), need(name, held(None)));
    assert_eq!(asked(&[first.clone(), second.clone()], NOW), [format!("{name} for 2")]);
    let has = CertificateNeed { held: held(Some(issued(NOW, 90 * 24))), ..first };
    assert_eq!(asked(&[has.clone(), second.clone()], NOW), [format!("share {name} with 1")]);
    let both = [has.clone(), CertificateNeed { held: has.held.clone(), ..second.clone() }];
    assert_eq!(asked(&both, NOW), Vec::<String>::new());
    assert_eq!(asked(&both, later(60 * 24 * 3600)), [format!("{name} for 2")]);
    let ran_out = later(91 * 24 * 3600);
    assert_eq!(asked(&[has, second], ran_out), [format!("{name} for 2")], "nobody is given what has run out");
}

#[test]
fn first_certificates_keep_to_the_budget_and_renewals_go_first() {
    let mut needs: Vec<_> = (0..5).map(|n| need(&format!("s{n}.example.com"), held(None))).collect();
    needs.push(need("example.org", held(None)));
    assert_eq!(asked(&needs, NOW).len(), 4, "three of example.com, one of example.org");
    // Whoever has them now, or nobody: what was issued counts.
    assert_eq!([0, 1, 2, 3, 4].map(|issued| asked_after(issued, &needs)), [4, 3, 2, 1, 1]);
    needs[2].held = held(Some(issued(later(-70 * 24 * 3600), 24 * 90)));
    assert_eq!(asked_after(3, &needs), 2, "a renewal waits for no budget");
    assert_eq!(asked_after(2, &needs), 2, "and counts");
}

#[test]
fn failures_put_off_the_next_try_and_success_forgets_them() {
    let (name, wanted): (CertificateName, _) = (parse("example.com"), [parse("example.com")]);
    let mut all = Certificates::default();
    let mut now = NOW;
    let mut pauses = Vec::new();
    for _ in 0..20 {
        all.fail(&name, "refused", None, &wanted, now);
        let failure = all.get(&name).failure.unwrap();
        pauses.push(failure.retry_at.duration_since(now));
        assert_eq!(failure.since, NOW);
        now = failure.retry_at;
    }
    assert!(pauses[0] >= FIRST_RETRY && pauses[0] <= FIRST_RETRY * 5 / 4, "{pauses:?}");
    assert!(pauses[1] >= SECOND_RETRY && pauses[1] <= SECOND_RETRY * 5 / 4, "{pauses:?}");
    assert!(pauses[2] >= SECOND_RETRY * 2, "{pauses:?}");
    assert!(pauses.iter().all(|pause| *pause <= LONGEST_RETRY * 5 / 4), "{pauses:?}");
    assert_eq!(all.get(&name).state(now), CertificateState::Failed);
    all.fail(&name, "slow down", Some(SignedDuration::from_hours(100)), &wanted, now);
    assert!(all.get(&name).next_try(&name).duration_since(now) >= SignedDuration::from_hours(100));
    let version = all.give(&name, issued(now, 90 * 24), &wanted);
    assert_eq!((version, all.get(&name).failure.clone()), (1, None));
    assert_eq!(all.get(&name).state(now), CertificateState::Issued);
    assert_eq!(all.give(&parse("example.org"), issued(now, 24), &[parse("example.org")]), 2);
    assert_eq!(all.get(&name), SiteCertificate::default(), "what is not wanted is forgotten");
}

#[test]
fn what_is_issued_together_is_not_renewed_together() {
    let together = issued(NOW, 90 * 24);
    let due: Vec<Timestamp> =
        (0..100).map(|n| together.renew_at(&parse(&format!("s{n}.example.com")))).collect();
    let (first, last) = (due.iter().min().unwrap(), due.iter().max().unwrap());
    let (life, latest) = (SignedDuration::from_hours(90 * 24), later(60 * 24 * 3600));
    assert!(*last <= latest && *first >= latest - life / 20, "{first} to {last}");
    assert!(last.duration_since(*first) > life / 40, "{first} to {last}");
    let mut different = due.clone();
    different.sort();
    different.dedup();
    assert!(different.len() > 90, "{} of 100", different.len());
}

#[test]
fn what_a_domain_had_stays_while_it_is_asked_for() {
    let (domain, platform): (CertificateName, CertificateName) =
        (parse("www.example.com"), parse("*.acm.example"));
    let mut all = Certificates::default();
    for name in [&domain, &platform] {
        all.give(name, issued(NOW, 24), &[domain.clone(), platform.clone()]);
    }
    let wanted = std::slice::from_ref(&platform);
    all.follow(wanted, &[parse("www.example.com")]);
    assert_eq!(all.versions().collect::<Vec<_>>().len(), 2, "it may lead to the site again");
    all.follow(wanted, &[parse("shop.example.com")]);
    assert_eq!(all.versions().collect::<Vec<_>>(), [2]);
}

proptest! {
    /// Through months in which the authority fails now and then, a certificate that was there once never runs out as
    /// long as one of the tries of its last third succeeds, and none is renewed before its time.
    #[test]
    fn a_certificate_is_renewed_in_its_last_third(
        days in 4_i64..120,
        fails in prop::collection::vec(any::<bool>(), 1..40),
        label in "[a-z]{1,10}",
    ) {
        let name: CertificateName = parse(&format!("{label}.example.com"));
        let wanted = [name.clone()];
        let mut all = Certificates::default();
        all.give(&name, issued(NOW, days * 24), &wanted);
        let mut tries_this_life = 0;
        for fail in fails {
            let before = all.get(&name).issued.unwrap();
            let now = all.get(&name).next_try(&name);
            let life = before.not_after.duration_since(before.not_before);
            let used = now.duration_since(before.not_before);
            prop_assert!(used >= life * 6 / 10, "{used} of {life}");
            let due = [CertificateNeed { site: SiteId::new(), name: name.clone(), held: all.get(&name), provable: true }];
            let none = CertificateBudget { per_domain: 0 };
            prop_assert!(plan_certificates(&due, &BTreeMap::new(), none, now - SignedDuration::from_secs(1)).is_empty());
            prop_assert_eq!(plan_certificates(&due, &BTreeMap::new(), none, now).len(), 1, "no budget holds a renewal back");
            tries_this_life += 1;
            if fail && tries_this_life < 5 {
                all.fail(&name, "down", None, &wanted, now);
                prop_assert!(now < before.not_after, "there is time for another try");
            } else {
                prop_assert!(before.is_valid(now), "renewed while it is valid");
                all.give(&name, issued(now, days * 24), &wanted);
                tries_this_life = 0;
            }
        }
    }

    /// Whatever is asked for: never more first certificates of one registered domain than the budget has, none that
    /// waits, and each name once.
    #[test]
    fn a_plan_keeps_its_bounds(
        sites in prop::collection::vec((0_u8..8, 0_i64..200, any::<bool>(), any::<bool>()), 0..40),
        per_domain in 0_usize..5,
        earlier in 0_usize..5,
    ) {
        let spent = BTreeMap::from([("example.com".to_owned(), earlier)]);
        let needs: Vec<CertificateNeed> = sites.into_iter().map(|(which, age, has, failed)| {
            let name: CertificateName = parse(&format!("s{which}.example.com"));
            let mut all = Certificates::default();
            let at = later(-age * 24 * 3600);
            if has { all.give(&name, issued(at, 90 * 24), std::slice::from_ref(&name)); }
            if failed { all.fail(&name, "no", None, std::slice::from_ref(&name), NOW); }
            CertificateNeed { site: SiteId::new(), held: all.get(&name), provable: true, name }
        }).collect();
        let steps = plan_certificates(&needs, &spent, CertificateBudget { per_domain }, NOW);
        let mut names = Vec::new();
        for step in &steps {
            let CertificateStep::Issue(name, sites) = step else { continue };
            let of: Vec<_> = needs.iter().filter(|need| need.name == *name).collect();
            prop_assert_eq!(of.len(), sites.len());
            names.push((name, of.iter().any(|need| need.held.issued.is_some())));
            let newest = of.iter().filter_map(|need| need.held.issued.as_ref()).max_by_key(|it| it.not_after);
            prop_assert!(newest.is_none_or(|newest| newest.renew_at(name) <= NOW));
            let failed = of.iter().any(|need| need.held.failure.is_some());
            prop_assert!(!failed || newest.is_some_and(|newest| newest.issued_at > NOW), "{step:?} should wait");
        }
        let firsts = names.iter().filter(|(_, renews)| !renews).count();
        prop_assert!(firsts <= per_domain.saturating_sub(earlier));
        let once: std::collections::BTreeSet<_> = names.iter().map(|(name, _)| name).collect();
        prop_assert_eq!(once.len(), names.len());
    }
}
