//! The planner where the address can be moved: two gateways, of which one that serves has the address.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod support;

use support::{Harness, hush, object, wanted, without};
use wpaas_core::converge::{
    Action, DnsState, Facts, FileContent, Fingerprint, Hold, HoldReason, Intent, Lead, NodeReport, Object,
    ObjectId, ObjectState, Part, RunIntent, Step, StepReason, Trouble, Wanted, lint, plan, status,
};
use wpaas_core::site::DatabaseSize::One;

const G0: Part = Part::Gateway(0);
const G1: Part = Part::Gateway(1);

/// A site that has come up, with a second gateway as good as the first, and an address that leads to the first.
fn site() -> (Intent, Facts) {
    site_of(wanted(1, One))
}

fn site_of(run: RunIntent) -> (Intent, Facts) {
    let mut site = Harness::up(run);
    let mut facts = site.facts();
    let second = Object { part: G1, id: ObjectId::new("second"), ..facts.object(G0).unwrap().clone() };
    let report = wpaas_core::converge::Heard { part: G1, ..facts.report(G0).unwrap().clone() };
    let first = id_of(&facts, G0);
    facts.objects.push(second);
    facts.reports.push(report);
    lead(&mut facts, Lead::To(first));
    (site.intent.clone(), facts)
}

/// The site's address leads there.
fn lead(facts: &mut Facts, to: Lead) {
    object(facts, Part::Network).entry.as_mut().unwrap().lead = Some(Box::new(to));
}

fn id_of(facts: &Facts, part: Part) -> ObjectId {
    facts.object(part).unwrap().id.clone()
}

fn steps(intent: &Intent, facts: &Facts) -> Vec<String> {
    let plan = plan(intent, facts);
    lint(intent, facts, &plan).unwrap();
    plan.steps.iter().map(ToString::to_string).collect()
}

#[test]
fn two_gateways_that_serve_are_left_alone() {
    let (intent, facts) = site();
    assert_eq!(steps(&intent, &facts), [""; 0]);
}

#[test]
fn a_new_site_gets_a_second_gateway_and_its_address_leads_to_the_first_that_serves() {
    let (intent, mut facts) = site();
    facts.objects.retain(|object| object.part != G1);
    hush(&mut facts, G1);
    lead(&mut facts, Lead::Nowhere);
    let made = steps(&intent, &facts);
    assert!(made[0].starts_with("create gateway-1 ("), "{made:?}");
    assert_eq!(made[1..], ["lead the address to gateway-0"]);
}

#[test]
fn the_address_leaves_a_gateway_that_fails_and_stays_at_the_other() {
    let (intent, mut facts) = site();
    hush(&mut facts, G0);
    assert_eq!(steps(&intent, &facts), ["lead the address to gateway-1"]);
    object(&mut facts, G0).state = ObjectState::Stopped;
    assert_eq!(steps(&intent, &facts), ["start gateway-0", "lead the address to gateway-1"]);
    let (intent, mut facts) = site();
    lead(&mut facts, Lead::To(ObjectId::new("second")));
    assert_eq!(steps(&intent, &facts), [""; 0], "it does not move back");
}

#[test]
fn while_no_gateway_has_reported_the_address_stays() {
    let (intent, mut facts) = site();
    hush(&mut facts, G0);
    hush(&mut facts, G1);
    assert_eq!(steps(&intent, &facts), [""; 0]);
}

#[test]
fn outdated_gateways_are_replaced_one_by_one_and_the_address_moves_between() {
    let (intent, mut facts) = site();
    let old = Some(Fingerprint::of(["old"]));
    let new = object(&mut facts, G0).fingerprint;
    object(&mut facts, G0).fingerprint = old;
    object(&mut facts, G1).fingerprint = old;
    assert_eq!(steps(&intent, &facts), ["remove gateway-1"]);
    object(&mut facts, G1).fingerprint = new;
    assert_eq!(steps(&intent, &facts), ["lead the address to gateway-1"]);
    lead(&mut facts, Lead::To(ObjectId::new("second")));
    assert_eq!(steps(&intent, &facts), ["remove gateway-0"]);
}

#[test]
fn an_outdated_gateway_stays_while_the_other_does_not_serve() {
    let (intent, mut facts) = site();
    object(&mut facts, G0).fingerprint = Some(Fingerprint::of(["old"]));
    hush(&mut facts, G1);
    assert_eq!(steps(&intent, &facts), [""; 0]);
}

#[test]
fn an_authority_is_answered_once_every_gateway_says_that_it_has_the_answer() {
    let (mut intent, mut facts) = site();
    let answered = |intent: &Intent, facts: &Facts, dns: Option<DnsState>| {
        let trouble = Trouble { dns, ..Trouble::default() };
        status(intent, facts, &plan(intent, facts), &trouble, jiff::Timestamp::UNIX_EPOCH).challenge
    };
    let Wanted::Run(run) = &mut intent.wanted else { panic!("runs") };
    run.tls.challenge = Some("thumbprint".into());
    let told = plan(&intent, &facts).steps;
    for step in told {
        assert_eq!(answered(&intent, &facts, None), None);
        follow(&mut facts, &[step]);
    }
    let waiting = Some(DnsState::Waiting("the zone is not written yet".to_owned()));
    assert_eq!(answered(&intent, &facts, waiting), None, "nobody finds them");
    assert_eq!(answered(&intent, &facts, None).as_deref(), Some("thumbprint"));
    hush(&mut facts, G1);
    assert_eq!(answered(&intent, &facts, None), None, "one says nothing");
}

#[test]
fn the_rules_keep_the_address_at_a_gateway_that_serves() {
    let (intent, mut facts) = site();
    let why = StepReason::Outdated;
    let step = |part, action| Step { site: intent.site, generation: 1, epoch: 1, part, action, why };
    let broken = |facts: &Facts, step| {
        let mut plan = plan(&intent, facts);
        plan.steps = vec![step];
        lint(&intent, facts, &plan).unwrap_err().to_string()
    };
    let object = id_of(&facts, G0);
    let removal = step(G0, Action::Remove { object: object.clone() });
    assert!(broken(&facts, removal).contains("removes the gateway that the address leads to"));
    hush(&mut facts, G0);
    let lead = step(G0, Action::Lead { object });
    assert!(broken(&facts, lead).contains("leads the address to a gateway that has not reported"));
}

#[test]
fn an_outdated_gateway_is_taken_away_once_and_one_at_a_time() {
    let (intent, mut facts) = site();
    let old = Some(Fingerprint::of(["old"]));
    object(&mut facts, G0).fingerprint = old;
    object(&mut facts, G1).fingerprint = old;
    assert_eq!(steps(&intent, &facts), ["remove gateway-1"], "the address leads to the other");
    object(&mut facts, G1).state = ObjectState::Removing;
    hush(&mut facts, G1);
    assert_eq!(steps(&intent, &facts), [""; 0]);
    let holds = plan(&intent, &facts).holds;
    assert!(holds.contains(&Hold { part: G1, reason: HoldReason::Removing }), "{holds:?}");
}

#[test]
fn an_address_that_leads_to_nobody_who_serves_waits_for_a_gateway() {
    let waits = Hold { part: Part::Network, reason: HoldReason::Needs(G0) };
    let (intent, mut facts) = site();
    object(&mut facts, G0).fingerprint = Some(Fingerprint::of(["old"]));
    hush(&mut facts, G1);
    assert!(!plan(&intent, &facts).holds.contains(&waits), "the old one serves");
    hush(&mut facts, G0);
    assert!(plan(&intent, &facts).holds.contains(&waits));
}

/// Every gateway follows what this plan tells it.
fn follow(facts: &mut Facts, told: &[Step]) {
    for step in told {
        let Action::Configure { files, .. } = &step.action else { panic!("{step}") };
        let FileContent::Text(text) = &files.iter().find(|file| file.path == "routes").unwrap().content
        else {
            panic!("is no secret")
        };
        let revision = text.lines().find_map(|line| line.strip_prefix("revision=")).unwrap();
        let report = facts.reports.iter_mut().find(|report| report.part == step.part).unwrap();
        let NodeReport::Gateway(report) = &mut report.node else { panic!("is a gateway") };
        report.revision = Some(revision.into());
    }
}

#[test]
fn a_node_goes_once_all_who_may_send_visitors_have_left_it() {
    let (mut intent, mut facts) = site_of(wanted(2, One));
    let Wanted::Run(run) = &mut intent.wanted else { panic!("runs") };
    run.wordpress = 1;
    let told = plan(&intent, &facts).steps;
    assert_eq!(told.iter().map(|step| step.part).collect::<Vec<_>>(), [G0, G1]);
    let goes = |facts: &Facts| steps(&intent, facts).contains(&"remove wordpress-1".to_owned());
    assert!(!goes(&facts));
    follow(&mut facts, &told);
    assert!(goes(&facts));
    let silent = |part| {
        let mut facts = facts.clone();
        hush(&mut facts, part);
        facts
    };
    assert!(!goes(&silent(G0)), "the address leads to it");
    assert!(goes(&silent(G1)), "it does not");
    assert!(goes(&without(&silent(G0), G0)), "it is not there");
}

#[test]
fn the_only_gateway_that_serves_stays_though_it_is_outdated() {
    let (intent, mut facts) = site();
    object(&mut facts, G1).fingerprint = Some(Fingerprint::of(["old"]));
    assert_eq!(steps(&intent, &facts), ["remove gateway-1"]);
    hush(&mut facts, G0);
    assert_eq!(steps(&intent, &facts), ["lead the address to gateway-1"]);
}
