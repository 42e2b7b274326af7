//! Of releases: which are tried, which visitors get, and which nobody.

use super::SMALL;
use super::support::{Harness, hush, wanted, without};
use std::sync::Arc;

use jiff::Timestamp;
use wpaas_core::code::{Digest, Layout};
use wpaas_core::converge::{
    Candidate, Coverage, Facts, Hold, HoldReason, NodeReport, Part, Preview, ReleaseRef, SitePlan,
    StepReason, Trouble, WordpressPhase, plan, status, verdict,
};
use wpaas_core::id::ReleaseId;
use wpaas_core::site::DatabaseSize::One;
use wpaas_core::site::{ConditionKind, Truth};

pub const GOOD: [u8; 32] = [7; 32];
const BAD: [u8; 32] = {
    let mut digest = [0xba; 32];
    (digest[1], digest[2], digest[4], digest[5]) = (0xdb, 0xad, 0xdb, 0xad);
    digest
};

fn stored(digest: [u8; 32]) -> ReleaseRef {
    ReleaseRef::Stored { digest: Digest::from_sha256(digest), layout: Layout::Content }
}

/// Somebody wants this release to be tried.
pub fn try_out(site: &mut Harness, digest: [u8; 32]) {
    let candidate =
        Candidate { id: ReleaseId::new(), release: stored(digest), restores: None, changes: None };
    site.change(|run| (run.candidate, run.refused) = (Some(candidate.into()), None));
}

fn steps(site: &Harness) -> Vec<&str> {
    site.log.iter().map(|step| step.split([',', ':', '(']).next().unwrap().trim()).collect()
}

#[test]
fn a_new_release_is_tried_apart_then_serves_and_then_the_old_one_goes() {
    let mut site = Harness::up(wanted(2, One));
    try_out(&mut site, GOOD);
    site.converge();
    assert_eq!(
        steps(&site),
        [
            "create release-070707070707 from sha256",
            "create wordpress-40",
            "judged good",
            "remove wordpress-40",
            "create wordpress-2",
            "create wordpress-3",
            "configure gateway-0",
            "configure gateway-0",
            "remove wordpress-0",
            "remove wordpress-1",
            "configure gateway-0",
        ]
    );
    assert!(site.parts().contains(&"release-070707070707".to_owned()));
    site.change(|run| run.release = Some(ReleaseRef::Stock));
    site.converge();
    assert!(!site.parts().iter().any(|part| part.starts_with("release")), "{:?}", site.parts());
}

#[test]
fn a_release_that_fails_is_never_served_goes_away_and_is_not_tried_again() {
    let mut site = Harness::up(wanted(2, One));
    let before = site.parts();
    try_out(&mut site, BAD);
    site.converge();
    assert_eq!(
        steps(&site),
        [
            "create release-badbadbadbad from sha256",
            "create wordpress-40",
            "judged bad",
            "remove wordpress-40",
            "remove release-badbadbadbad",
        ]
    );
    assert_eq!(site.parts(), before);
    let facts = site.facts();
    let status =
        status(&site.intent, &facts, &plan(&site.intent, &facts), &Trouble::default(), Timestamp::now());
    let code = status.condition(ConditionKind::CodeReady).unwrap();
    assert_eq!((code.status, &*code.reason), (Truth::False, "ReleaseFailed"));
    assert!(code.message.contains("the front page answers 500"), "{}", code.message);
    assert_eq!((status.is_ready(), status.num_instances), (true, 2));
}

#[test]
fn the_first_release_of_a_site_is_tried_before_anybody_gets_it() {
    for (digest, serving) in [(GOOD, 2), (BAD, 0)] {
        let mut site = Harness::new(wanted(2, One));
        site.change(|run| run.release = None);
        try_out(&mut site, digest);
        for _ in 0..30 {
            site.pass();
            site.judge();
        }
        let nodes = site.parts().iter().filter(|part| part.starts_with("wordpress")).count();
        assert_eq!(nodes, serving, "{:?}", site.log);
    }
}

#[test]
fn the_same_code_tried_again_is_tried_on_another_node() {
    let mut site = Harness::up(wanted(1, One));
    try_out(&mut site, BAD);
    for _ in 0..3 {
        site.pass();
    }
    let tried = site.facts();
    try_out(&mut site, BAD);
    assert!(verdict(&site.intent, &tried).is_none(), "what the first trial found says nothing of the second");
    site.converge();
    assert_eq!(
        site.log.iter().filter(|step| step.contains("create wordpress-4")).count(),
        2,
        "{:?}",
        site.log
    );
}

#[test]
fn a_release_without_instances_waits_to_be_tried() {
    let mut site = Harness::up(wanted(0, One));
    try_out(&mut site, GOOD);
    site.converge();
    assert_eq!(site.log, [""; 0]);
    site.change(|run| run.wordpress = 1);
    site.converge();
    assert!(site.log.contains(&"judged good".to_owned()), "{:?}", site.log);
}

#[test]
fn a_site_without_instances_shows_no_preview() {
    let names = vec!["next.example.com".into()];
    let mut site = Harness::up(wanted(1, One));
    site.change(|run| run.previews = vec![Preview { names, release: stored(GOOD) }].into());
    site.converge();
    let apart = |site: &Harness| site.parts().iter().filter(|part| *part == "wordpress-40").count();
    assert_eq!(apart(&site), 1);
    site.change(|run| run.wordpress = 0);
    site.converge();
    assert_eq!(apart(&site), 0);
}

#[test]
fn a_preview_has_a_node_and_names_of_its_own() {
    let mut site = Harness::up(wanted(1, One));
    let names = vec!["beta.blog.acm.www.wpaas.localhost".to_owned()];
    site.change(|run| run.previews = vec![Preview { names, release: stored(GOOD) }].into());
    site.converge();
    assert_eq!(
        steps(&site),
        ["create release-070707070707 from sha256", "configure gateway-0", "create wordpress-40",]
    );
    site.change(|run| run.previews.clear());
    site.converge();
    assert_eq!(site.parts(), SMALL);
}

#[test]
fn without_a_release_everything_else_is_made() {
    let mut site = Harness::new(wanted(1, One));
    site.change(|run| run.release = None);
    for _ in 0..10 {
        site.pass();
    }
    let plan = site.pass();
    assert_eq!(plan.steps, []);
    assert_eq!(
        plan.holds.iter().map(|hold| format!("{} {}", hold.part, hold.reason)).collect::<Vec<_>>(),
        ["wordpress-0 waits for the code"]
    );
    assert_eq!(site.parts(), ["network", "volume-database-0", "volume-uploads", "database-0", "gateway-0"]);
}

#[test]
fn how_far_the_trial_of_a_release_is_can_be_read() {
    let mut site = Harness::up(wanted(1, One));
    try_out(&mut site, GOOD);
    let node = Part::Wordpress(Part::APART_SLOTS);
    let facts = std::iter::repeat_with(|| (site.facts(), site.pass()).0).find(|it| it.report(node).is_some());
    let facts = facts.unwrap();
    let waits_for = |phase, tables| {
        let mut facts = facts.clone();
        let heard = facts.reports.iter_mut().find(|report| report.part == node).unwrap();
        let NodeReport::Wordpress(report) = &mut heard.node else { panic!("{heard:?}") };
        let report = Arc::make_mut(report);
        (report.phase, report.schema, report.tables) = (phase, Some(60), Some(tables));
        let holds = plan(&site.intent, &facts).holds.into_iter().filter(|hold| hold.part == node);
        holds.map(|hold| hold.reason).collect::<Vec<_>>()
    };
    let upgrading = HoldReason::Upgrading { from: 50, to: 60 };
    assert_eq!(waits_for(WordpressPhase::Probing, 60), [HoldReason::Proving]);
    assert_eq!(waits_for(WordpressPhase::Serving, 60), [HoldReason::Tried]);
    assert_eq!(waits_for(WordpressPhase::Refused, 50), [HoldReason::Tried]);
    assert_eq!(waits_for(WordpressPhase::Restoring, 50), [HoldReason::Restoring]);
    assert_eq!(waits_for(WordpressPhase::Serving, 50), std::slice::from_ref(&upgrading));
    assert_eq!(waits_for(WordpressPhase::Upgrading, 50), [upgrading]);
    let mut silent = facts.clone();
    hush(&mut silent, node);
    assert!(plan(&site.intent, &silent).holds.contains(&Hold { part: node, reason: HoldReason::Silent }));
}

#[test]
fn a_release_waits_for_a_slot_that_is_surely_free() {
    let mut site = Harness::up(wanted(1, One));
    let slot = Part::Wordpress(Part::APART_SLOTS);
    let preview = |n| Preview { names: vec![format!("{n}.example.com")], release: stored([n; 32]) };
    site.change(|run| run.previews = (1..=8).map(preview).collect());
    site.converge();
    site.change(|run| run.previews.push(preview(9)));
    let full = site.facts();
    let says = |facts: &Facts| {
        plan(&site.intent, facts).holds.into_iter().find(|hold| hold.part == slot).unwrap().reason
    };
    assert_eq!(says(&full), HoldReason::NoSlot);
    let partly = Facts { coverage: Coverage::Partial, ..without(&full, slot) };
    assert_eq!(says(&partly), HoldReason::Unseen, "it may be what can't be seen");
}

#[test]
fn without_a_release_to_serve_the_gateway_keeps_what_runs() {
    let mut site = Harness::up(wanted(2, One));
    site.change(|run| run.release = None);
    assert_eq!(site.pass().steps, []);
}

#[test]
fn a_release_stays_until_no_node_has_it() {
    let mut site = Harness::up(wanted(2, One));
    try_out(&mut site, GOOD);
    site.converge();
    site.change(|run| run.release = Some(ReleaseRef::Stock));
    let release = stored(GOOD).part().unwrap();
    let mut whys = Vec::new();
    loop {
        let facts = site.facts();
        let plan = site.pass();
        whys.extend(
            plan.steps.iter().filter(|step| step.to_string().starts_with("remove")).map(|step| step.why),
        );
        if plan.steps.iter().any(|step| step.part == release) {
            let nodes = facts.objects.iter().filter(|object| matches!(object.part, Part::Wordpress(_)));
            assert!(nodes.clone().all(|node| node.generation == site.intent.generation), "{plan}");
            assert_eq!(nodes.count(), 2);
            break;
        }
    }
    assert_eq!(whys, [StepReason::Outdated, StepReason::Outdated, StepReason::Unused]);
    site.change(|run| run.wordpress = 1);
    let removes = |plan: &SitePlan| {
        plan.steps.iter().find(|step| step.to_string().starts_with("remove")).map(|step| step.why)
    };
    let why = std::iter::repeat_with(|| removes(&site.pass())).flatten().next();
    assert_eq!(why, Some(StepReason::TooMany));
}
