use super::*;
use crate::service::test::NOW;
use crate::site::platform_name;

const OURS: &str = "10.208.0.2";

fn host(text: &str) -> Hostname {
    text.parse().unwrap()
}

/// The same one each time.
fn site() -> Site {
    Site { id: SiteId::from_uuid(uuid::Uuid::from_u128(7)), ..crate::service::test::site() }
}

fn wants(own: bool) -> DomainWants {
    let mut site = site();
    site.spec.address = if own { AddressKind::Own } else { AddressKind::Shared };
    let platform =
        platform_name(&site.name, &site.cid, &"default".parse().unwrap(), &host("wpaas.localhost"));
    let names = SiteNames::of(&site, platform.unwrap(), None);
    DomainWants::new(host("www.example.com"), &site, &names, Some(OURS.parse().unwrap()))
}

fn look(texts: &[&str], aliases: &[&str], addresses: &[&str]) -> DomainLook {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    DomainLook {
        texts: Ok(owned(texts)),
        leads: Ok(DomainLeads {
            aliases: owned(aliases),
            addresses: addresses.iter().map(|ip| ip.parse().unwrap()).collect(),
        }),
    }
}

fn silence() -> DomainLook {
    let why = || NoAnswer("timed out".to_owned());
    DomainLook { texts: Err(why()), leads: Err(why()) }
}

fn later(hours: i64) -> Timestamp {
    NOW + SignedDuration::from_hours(hours)
}

#[test]
fn a_claim_is_proved_by_what_leads_to_this_site_alone() {
    let token = wants(true).token();
    let platform = "BLOG.acm.www.wpaas.localhost.";
    let cases = [
        (true, look(&[], &[], &[]), None, DomainState::Pending),
        (true, look(&["wpaas-site=other"], &[], &["192.0.2.1"]), None, DomainState::Pending),
        (true, look(&["v=spf1 -all", &token], &[], &[]), Some(DomainProof::Record), DomainState::Verified),
        (true, look(&[&token], &[], &[OURS]), Some(DomainProof::Record), DomainState::Active),
        (
            true,
            look(&[], &["cdn.example.net.", platform], &[]),
            Some(DomainProof::Alias),
            DomainState::Active,
        ),
        (true, look(&[], &[], &[OURS]), Some(DomainProof::Address), DomainState::Active),
        (true, look(&[], &[], &[OURS, "192.0.2.1"]), None, DomainState::Pending),
        // Everybody's domains lead to an edge that everybody shares.
        (false, look(&[], &[], &[OURS]), None, DomainState::Pending),
        (false, look(&[&token], &[], &[OURS]), Some(DomainProof::Record), DomainState::Active),
        (false, look(&[], &[platform], &[OURS]), Some(DomainProof::Alias), DomainState::Active),
        (false, look(&[], &["evil-blog.acm.www.wpaas.localhost"], &[OURS]), None, DomainState::Pending),
        (true, silence(), None, DomainState::Pending),
    ];
    for (own, look, proof, state) in cases {
        let claim = DomainClaim::new(NOW).after(&wants(own), &look, false, NOW);
        assert_eq!((claim.proof, claim.state), (proof, state), "{look:?}");
        assert!(claim.look_at > NOW && claim.looked_at == Some(NOW), "{claim:?}");
    }
}

#[test]
fn a_proof_that_is_gone_is_waited_for_and_silence_is_no_loss() {
    let wants = wants(true);
    let held = DomainClaim::new(NOW).after(&wants, &look(&[&wants.token()], &[], &[OURS]), false, NOW);
    let nothing = look(&[], &[], &[]);
    let missed = held.after(&wants, &nothing, false, later(6));
    assert_eq!((missed.state, missed.is_held()), (DomainState::Verified, true));
    assert_eq!(missed.after(&wants, &nothing, false, later(77)).state, DomainState::Verified);
    let lost = missed.after(&wants, &nothing, false, later(78));
    assert_eq!((lost.state, lost.is_held()), (DomainState::Failed, false));
    assert_eq!(lost.after(&wants, &nothing, false, later(79)).state, DomainState::Failed);

    let unheard = held.after(&wants, &silence(), false, later(6));
    assert_eq!((unheard.state, unheard.unproved_since), (DomainState::Active, None));
    assert!(missed.after(&wants, &silence(), false, later(1000)).is_held());
    assert!(missed.after(&wants, &silence(), true, later(1000)).is_held());
    let again = lost.after(&wants, &look(&[&wants.token()], &[], &[]), false, later(100));
    assert_eq!((again.state, again.unproved_since), (DomainState::Verified, None));
}

#[test]
fn a_contested_claim_stands_as_long_as_its_proof() {
    let wants = wants(true);
    let proved = look(&[], &[], &[OURS]);
    let held = DomainClaim::new(NOW).after(&wants, &proved, false, NOW);
    assert!(held.after(&wants, &proved, true, later(1)).is_held());
    let moved = look(&[], &[], &["192.0.2.1"]);
    assert!(held.after(&wants, &moved, false, later(1)).is_held());
    assert!(!held.after(&wants, &moved, true, later(1)).is_held());
    assert!(held.yields_to(DomainProof::Record));
    assert!(!held.yields_to(DomainProof::Alias) && !DomainClaim::trusted(NOW).yields_to(DomainProof::Record));
}

#[test]
fn what_takes_long_is_looked_at_rarely_and_never_given_up() {
    let wants = wants(true);
    let (mut claim, mut now, mut looks) = (DomainClaim::new(NOW), NOW, 0);
    while now < later(24 * 30) {
        claim = claim.after(&wants, &look(&[], &[], &[]), false, now);
        assert!(claim.look_at > now);
        (now, looks) = (claim.look_at, looks + 1);
    }
    assert_eq!(claim.state, DomainState::Failed);
    assert!(looks < 200, "{looks} looks in a month");
}

#[test]
fn claims_follow_the_spec() {
    let mut claims = DomainClaims::default();
    let domains = [host("a.example"), host("b.example")];
    claims.follow(&domains, NOW);
    claims.set(&domains[0], DomainClaim::trusted(NOW));
    claims.set(&domains[0], DomainClaim::trusted(later(1)));
    let active = claims.get(&domains[0]).unwrap();
    assert_eq!((active.since, active.looked_at), (NOW, Some(later(1))), "it has stood there since");
    claims.set(&host("c.example"), DomainClaim::trusted(NOW));
    claims.follow(&domains, later(1));
    assert_eq!(claims.held().collect::<Vec<_>>(), [&domains[0]]);
    assert_eq!(claims.get(&domains[1]), Some(&DomainClaim::new(NOW)));
    assert_eq!(claims.look_at(), Some(NOW));
    claims.follow(&domains[1..], NOW);
    assert!(!claims.holds(&domains[0]) && claims.get(&domains[0]).is_none());
}

#[test]
fn a_person_is_told_the_exact_records() {
    let told = |own| {
        let told: Vec<String> = wants(own)
            .records()
            .iter()
            .map(|it| format!("{} {} {}: {}", it.name, it.r#type, it.value, it.purpose))
            .collect();
        told.join("\n").replace(&site().id.to_string(), "ID")
    };
    assert_eq!(
        told(true),
        "_wpaas.www.example.com TXT wpaas-site=ID: proves that the domain is this site's\n\
         www.example.com CNAME blog.acm.www.wpaas.localhost: leads visitors to this site, and proves the domain\n\
         www.example.com A 10.208.0.2: leads visitors to this site, and proves the domain"
    );
    assert!(told(false).ends_with("www.example.com A 10.208.0.2: leads visitors to this site"));
}
