//! The planner over the simulated backend: every case ends in "nothing to do", and no plan breaks a rule.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod support;

use jiff::Timestamp;
use support::{Harness, wanted};
use wpaas_core::code::{Digest, Layout};
use wpaas_core::converge::{
    Action, Candidate, Coverage, DatabasePhase, DatabaseReport, Facts, Intent, NodeReport, ObjectState, Part,
    Preview, ReleaseRef, SitePlan, Step, StepReason, Told, Trouble, Wanted, lint, plan, status, verdict,
};
use wpaas_core::id::ReleaseId;
use wpaas_core::site::DatabaseSize::{One, Three};
use wpaas_core::site::{ConditionKind, Truth};

const SMALL: [&str; 6] =
    ["network", "volume-database-0", "volume-uploads", "database-0", "wordpress-0", "gateway-0"];

#[test]
fn a_small_site_comes_up_in_dependency_order() {
    let mut site = Harness::new(wanted(1, One));
    assert_eq!(
        site.pass().steps.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["create network", "create volume-uploads", "create volume-database-0"]
    );
    site.converge();
    assert_eq!(site.parts(), SMALL);
    assert!(site.log.contains(&"order database-0 to found component 1".to_owned()), "{:?}", site.log);
}

#[test]
fn a_redundant_site_founds_once_and_joins_one_at_a_time() {
    let mut site = Harness::new(wanted(2, Three));
    site.converge();
    let orders: Vec<_> =
        site.log.iter().filter(|step| step.starts_with("order")).map(String::as_str).collect();
    assert_eq!(
        orders,
        [
            "order database-0 to found component 1",
            "order database-1 to join component 1",
            "order database-2 to join component 1"
        ]
    );
}

#[test]
fn no_node_joins_while_it_is_not_known_whether_another_does() {
    let orders = |plan: &SitePlan| {
        let order = |step: &Step| matches!(step.action, Action::Order { .. });
        plan.steps.iter().filter(|step| order(step)).cloned().collect::<Vec<_>>()
    };
    let mut site = Harness::new(wanted(1, Three));
    let (facts, join) = loop {
        let facts = site.facts();
        let found =
            orders(&plan(&site.intent, &facts)).into_iter().find(|it| it.to_string().contains("join"));
        match found {
            Some(join) => break (facts, join),
            None => drop(site.pass()),
        }
    };
    assert_eq!(join.part, Part::Database(1));
    for part in [Part::Database(1), Part::Database(2)] {
        let busy = Facts { busy: vec![part], ..facts.clone() };
        assert_eq!(orders(&plan(&site.intent, &busy)), [], "a step for {part} is under way");
        let message = Step { part, ..join.clone() }.message().unwrap();
        let told = Facts { told: vec![Told { part, message }], ..facts.clone() };
        let plan = plan(&site.intent, &told);
        assert!(orders(&plan).iter().all(|order| order.part == part), "{part} was told: {plan}");
        lint(&site.intent, &told, &plan).unwrap();
    }
    let other = Facts { busy: vec![Part::Database(2)], ..facts.clone() };
    let early = SitePlan { steps: vec![join], ..plan(&site.intent, &other) };
    assert_eq!(lint(&site.intent, &other, &early).unwrap_err().rule, 2);
}

#[test]
fn whatever_is_killed_or_taken_away_comes_back() {
    for size in [One, Three] {
        for part in Harness::up(wanted(2, size)).parts() {
            let part: Part = part.parse().unwrap();
            let mut site = Harness::up(wanted(2, size));
            let before = site.parts();
            assert_eq!(site.kill(part), part.is_node());
            site.converge();
            assert!(site.vanish(part));
            site.converge();
            assert_eq!(site.parts(), before, "{part}");
        }
    }
}

#[test]
fn a_killed_single_database_is_founded_again_under_a_new_number() {
    let mut site = Harness::up(wanted(1, One));
    site.kill(Part::Database(0));
    site.converge();
    assert_eq!(site.log, ["start database-0", "order database-0 to found component 2"]);
}

#[test]
fn after_the_loss_of_all_database_nodes_one_founds_and_the_others_join() {
    let mut site = Harness::up(wanted(1, Three));
    for n in 0..3 {
        site.kill(Part::Database(n));
    }
    site.converge();
    assert_eq!(
        site.log.iter().filter(|step| step.contains("found component 2")).count(),
        1,
        "{:?}",
        site.log
    );
    assert_eq!(
        site.log.iter().filter(|step| step.contains("to join component 2")).count(),
        2,
        "{:?}",
        site.log
    );
}

#[test]
fn an_empty_volume_never_founds_while_one_with_data_exists() {
    let mut site = Harness::up(wanted(1, Three));
    for n in 0..2 {
        site.vanish(Part::DatabaseVolume(n));
        site.kill(Part::Database(n));
    }
    site.kill(Part::Database(2));
    site.converge();
    let founding: Vec<_> = site.log.iter().filter(|step| step.contains("found")).collect();
    assert_eq!(founding, ["order database-2 to found component 2"]);
}

#[test]
fn the_last_node_of_a_component_that_lost_its_quorum_is_founded_anew() {
    let mut site = Harness::up(wanted(1, Three));
    site.change(|run| run.database = One);
    while !site.log.iter().any(|step| step == "remove database-2") {
        site.pass();
    }
    site.log.clear();
    site.vanish(Part::DatabaseVolume(1));
    site.vanish(Part::Database(1));
    site.converge();
    let own: Vec<_> = site.steps().filter(|step| step.contains("database-0")).collect();
    assert_eq!(own, ["remove database-0", "create database-0", "order database-0 to found component 2"]);
}

#[test]
fn a_node_that_gives_no_answer_is_not_taken_for_one_without_a_component() {
    let mut site = Harness::up(wanted(1, Three));
    site.kill(Part::Database(2));
    site.pass();
    let mut facts = site.facts();
    let silence = |facts: &mut Facts, lost_for| {
        for report in &mut facts.reports {
            if let (Part::Database(0 | 1), NodeReport::Database(node)) = (report.part, &mut report.node) {
                (node.state, node.primary, node.lost_for) = (None, false, lost_for);
            }
        }
    };
    let removed = |facts: &Facts| {
        let removes = |step: &&Step| matches!(step.action, Action::Remove { .. });
        plan(&site.intent, facts).steps.iter().filter(removes).map(ToString::to_string).collect::<Vec<_>>()
    };
    silence(&mut facts, None);
    assert_eq!(removed(&facts), [""; 0]);
    let mut rash = plan(&site.intent, &facts);
    let Intent { site: id, generation, epoch, .. } = site.intent;
    let part = Part::Database(0);
    let action = Action::Remove { object: facts.object(part).unwrap().id.clone() };
    rash.steps = vec![Step { site: id, generation, epoch, part, action, why: StepReason::Outdated }];
    assert_eq!(lint(&site.intent, &facts, &rash).unwrap_err().rule, 2);
    silence(&mut facts, Some(0));
    assert_eq!(removed(&facts), [""; 0], "it may be on its way");
    silence(&mut facts, Some(5));
    assert_eq!(removed(&facts), ["remove database-0", "remove database-1"]);
}

#[test]
fn a_node_that_its_component_left_behind_comes_back_by_a_restart() {
    let mut site = Harness::up(wanted(1, Three));
    let mut facts = site.facts();
    let Some(NodeReport::Database(node)) = facts
        .reports
        .iter_mut()
        .find(|report| report.part == Part::Database(1))
        .map(|report| &mut report.node)
    else {
        panic!("database-1 reports");
    };
    (node.state, node.primary, node.lost_for) = (Some(5), false, Some(20));
    let plan = plan(&site.intent, &facts);
    assert_eq!(plan.steps.iter().map(ToString::to_string).collect::<Vec<_>>(), ["remove database-1"]);
}

#[test]
fn a_joiner_whose_component_has_ended_is_made_to_wait_and_a_founder_is_not() {
    let mut site = Harness::up(wanted(1, Three));
    let mut facts = site.facts();
    let starts = |facts: &mut Facts, joins| {
        for report in &mut facts.reports {
            let (part, NodeReport::Database(node)) = (report.part, &mut report.node) else { continue };
            (node.state, node.primary) = (None, false);
            node.phase = DatabasePhase::Waiting;
            if part == Part::Database(1) {
                (node.phase, node.joins) = (DatabasePhase::Starting, joins);
            }
        }
    };
    let steps = |facts: &Facts| {
        let plan = plan(&site.intent, facts);
        plan.steps.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    starts(&mut facts, false);
    assert_eq!(steps(&facts), [""; 0]);
    starts(&mut facts, true);
    assert_eq!(steps(&facts), ["remove database-1"]);
    let other = facts.reports.iter_mut().find(|report| report.part == Part::Database(2)).unwrap();
    let NodeReport::Database(node) = &mut other.node else { panic!("is a database") };
    node.phase = DatabasePhase::Recovering;
    assert_eq!(steps(&facts), [""; 0], "it may be in a component");
}

#[test]
fn outdated_database_nodes_are_drained_and_replaced_one_at_a_time() {
    let mut site = Harness::up(wanted(1, Three));
    for n in 0..3 {
        assert!(
            site.backend.outside(site.intent.site, |world| world.edit(site.intent.site, Part::Database(n)))
        );
    }
    site.converge();
    let configure = "configure gateway-0: certificates, authorities, routes";
    let one = |n: u8| {
        let steps = ["remove database-N", "create database-N", "order database-N to join component 1"];
        steps.map(|step| step.replace('N', &n.to_string()))
    };
    let log: Vec<_> = site.steps().filter(|step| *step != configure).collect();
    assert_eq!(log, [one(2), one(1), one(0)].concat());
    assert_eq!(site.log[..2], [configure.to_owned(), "remove database-2".to_owned()]);
}

#[test]
fn a_database_node_waits_with_leaving_until_another_has_left() {
    let mut site = Harness::up(wanted(1, Three));
    site.change(|run| run.database = One);
    let before = site.facts();
    let leaving = |facts: &mut Facts| {
        let leaver = facts.objects.iter_mut().find(|object| object.part == Part::Database(2)).unwrap();
        leaver.state = ObjectState::Removing;
    };
    let busy = |facts: &mut Facts| facts.busy = vec![Part::Database(2)];
    for leaves in [&leaving as &dyn Fn(&mut Facts), &busy] {
        let mut facts = before.clone();
        leaves(&mut facts);
        let mut plan = plan(&site.intent, &facts);
        assert!(!plan.steps.iter().any(|step| matches!(step.action, Action::Remove { .. })), "{plan}");
        let Intent { site: id, generation, epoch, .. } = site.intent;
        let part = Part::Database(1);
        let action = Action::Remove { object: facts.object(part).unwrap().id.clone() };
        plan.steps = vec![Step { site: id, generation, epoch, part, action, why: StepReason::Outdated }];
        assert_eq!(
            lint(&site.intent, &facts, &plan).unwrap_err().why,
            "stops a database node while another leaves"
        );
    }
}

#[test]
fn while_a_wanted_database_node_is_missing_the_gateway_goes_on_with_those_that_are_to_leave() {
    let mut site = Harness::up(wanted(1, Three));
    site.kill(Part::Database(0));
    site.change(|run| run.database = One);
    let routes = |site: &Harness| {
        let world = site.backend.world();
        let said = world.reports(site.intent.site).into_iter().find_map(|report| match report.node {
            NodeReport::Gateway(gateway) => Some(gateway.servers.into_keys().collect::<Vec<_>>()),
            _ => None,
        });
        said.unwrap().into_iter().filter(|part| matches!(part, Part::Database(_))).collect::<Vec<_>>()
    };
    site.pass();
    assert_eq!(routes(&site), [0, 1, 2].map(Part::Database));
    site.converge();
    assert_eq!(routes(&site), [Part::Database(0)]);
    assert_eq!(site.parts(), SMALL);
}

/// What a person is told of the database, and of a loss of data.
fn told(site: &mut Harness, facts: &Facts) -> [String; 2] {
    let plan = plan(&site.intent, facts);
    let status = status(&site.intent, facts, &plan, &Trouble::default(), Timestamp::UNIX_EPOCH);
    [ConditionKind::DatabaseReady, ConditionKind::PossibleDataLoss]
        .map(|kind| status.condition(kind).unwrap().reason.clone())
}

#[test]
fn a_loss_of_volumes_is_said_once_no_node_is_left_that_serves() {
    let loss_of = |killed: u8, numbers: &[u8]| {
        let mut run = wanted(1, Three);
        run.was_founded = true;
        let mut site = Harness::up(run);
        for n in 0..killed {
            site.kill(Part::Database(n));
        }
        for n in numbers {
            site.vanish(Part::DatabaseVolume(*n));
        }
        let mut said = Vec::new();
        while !site.pass().is_empty() {
            let facts = site.facts();
            said.push(told(&mut site, &facts)[1].clone());
        }
        said.retain(|reason| reason != "None");
        said.dedup();
        said
    };
    assert_eq!(loss_of(3, &[0, 1, 2]), ["VolumesEmpty"]);
    assert_eq!(loss_of(3, &[0, 1]), ["VolumeLost"]);
    assert_eq!(loss_of(3, &[]), [""; 0]);
    assert_eq!(loss_of(1, &[0]), [""; 0], "the others serve, and have all there is");
}

#[test]
fn different_histories_wait_for_a_person_and_say_so() {
    let mut site = Harness::up(wanted(1, Three));
    for n in 0..3 {
        site.kill(Part::Database(n));
    }
    site.pass();
    let mut facts = site.facts();
    assert_eq!(told(&mut site, &facts), ["NotSynced", "None"]);
    let founding = plan(&site.intent, &facts);
    lint(&site.intent, &facts, &founding).unwrap();
    let other = facts.reports.iter_mut().find(|report| report.part == Part::Database(2)).unwrap();
    let NodeReport::Database(DatabaseReport { position: Some(position), .. }) = &mut other.node else {
        panic!("database-2 waits");
    };
    position.uuid = uuid::Uuid::from_u128(7);
    assert_eq!(told(&mut site, &facts), ["Diverged", "None"]);
    assert_eq!(plan(&site.intent, &facts).steps, []);
    let broken = lint(&site.intent, &facts, &founding).unwrap_err();
    assert_eq!((broken.rule, broken.why), (1, "founds though nodes hold different histories"));
}

#[test]
fn incomplete_listings_make_and_remove_nothing() {
    let mut site = Harness::new(wanted(1, One));
    site.coverage = Coverage::Partial;
    assert_eq!(site.pass().steps, []);
    for wanted in [Wanted::Rest, Wanted::Gone] {
        site.want(wanted);
        assert_eq!(site.pass().steps, []);
    }
}

#[test]
fn no_component_is_founded_while_a_volume_may_be_unseen() {
    let mut site = Harness::up(wanted(1, One));
    site.kill(Part::Database(0));
    site.pass();
    let mut facts = site.facts();
    let founds =
        |facts: &Facts| plan(&site.intent, facts).steps.iter().any(|step| step.to_string().contains("found"));
    assert!(founds(&facts));
    facts.coverage = Coverage::Partial;
    assert!(!founds(&facts));
}

#[test]
fn a_resting_site_keeps_its_data_and_address_and_comes_back() {
    let mut site = Harness::up(wanted(2, Three));
    let before = site.parts();
    let Wanted::Run(run) = site.intent.wanted.clone() else { unreachable!() };
    site.want(Wanted::Rest);
    site.converge();
    let kept = ["network", "volume-database-0", "volume-database-1", "volume-database-2", "volume-uploads"];
    assert_eq!(site.parts(), kept);
    site.want(Wanted::Run(run));
    site.converge();
    assert_eq!(site.parts(), before);
}

#[test]
fn of_a_site_that_is_gone_nothing_is_left_and_nothing_of_another_is_touched() {
    let mut site = Harness::up(wanted(1, One));
    let gone = site.intent.site;
    site.intent.site = wpaas_core::id::SiteId::new();
    site.converge();
    let other = site.intent.site;
    site.intent.site = gone;
    site.want(Wanted::Gone);
    site.converge();
    assert_eq!(site.parts(), [""; 0]);
    site.intent.site = other;
    assert_eq!(site.parts(), SMALL);
}

#[test]
fn wordpress_scales_up_and_down() {
    let mut site = Harness::up(wanted(2, One));
    let count = |site: &Harness| site.parts().iter().filter(|part| part.starts_with("wordpress")).count();
    for n in [4, 1, 0, 3] {
        site.change(|run| run.wordpress = n);
        site.converge();
        assert_eq!(count(&site), usize::from(n));
    }
}

/// Passes until there is nothing left to do but wait. Returns what is waited for.
fn waits(site: &mut Harness) -> Vec<String> {
    let plan = std::iter::repeat_with(|| site.pass()).find(|plan| plan.steps.is_empty()).unwrap();
    plan.holds.iter().map(|hold| format!("{} {}", hold.part, hold.reason)).collect()
}

#[test]
fn a_node_that_is_too_many_is_left_to_the_requests_that_it_has() {
    let mut site = Harness::up(wanted(2, One));
    let id = site.intent.site;
    let busy = Part::Wordpress(1);
    assert!(site.backend.outside(id, |world| world.visit(id, busy) && world.visit(id, busy)));
    site.change(|run| run.wordpress = 1);
    let left = "leaves once it has ended what it has; requests under way:";
    assert_eq!(waits(&mut site), [format!("wordpress-1 {left} 2")]);
    assert!(!site.backend.outside(id, |world| world.visit(id, busy)), "it gets nothing new");
    let (facts, mut rash) = (site.facts(), site.pass());
    let action = Action::Remove { object: facts.object(busy).unwrap().id.clone() };
    let step = Step { site: id, generation: 2, epoch: 1, part: busy, action, why: StepReason::TooMany };
    rash.steps.push(step);
    let broken = lint(&site.intent, &facts, &rash).unwrap_err();
    assert_eq!((broken.rule, broken.why), (3, "takes a WordPress node from requests that are under way"));
    assert!(site.backend.outside(id, |world| world.leave(id)));
    site.converge();
    assert_eq!(site.parts(), SMALL);
}

#[test]
fn a_request_that_never_ends_holds_its_node_for_five_minutes_of_no_new_ones() {
    let mut site = Harness::up(wanted(1, One));
    let id = site.intent.site;
    assert!(site.backend.outside(id, |world| world.visit(id, Part::Wordpress(0))));
    try_out(&mut site, GOOD);
    let mut heartbeats = 0;
    while site.parts().contains(&"wordpress-0".to_owned()) {
        if site.pass().steps.is_empty() && site.judge().is_none() {
            heartbeats += u32::from(site.facts().left(Part::Wordpress(0)) > 0);
            site.backend.heartbeat();
        }
        assert!(heartbeats <= 60, "{:?}", site.log);
    }
    assert_eq!(heartbeats, 60, "of five seconds each");
    site.converge();
}

const GOOD: [u8; 32] = [7; 32];
const BAD: [u8; 32] = {
    let mut digest = [0xba; 32];
    (digest[1], digest[2], digest[4], digest[5]) = (0xdb, 0xad, 0xdb, 0xad);
    digest
};

fn stored(digest: [u8; 32]) -> ReleaseRef {
    ReleaseRef::Stored { digest: Digest::from_sha256(digest), layout: Layout::Content }
}

fn try_out(site: &mut Harness, digest: [u8; 32]) {
    let candidate =
        Candidate { id: ReleaseId::new(), release: stored(digest), restores: None, changes: None };
    site.change(|run| (run.candidate, run.refused) = (Some(candidate), None));
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
    assert_eq!((code.status, code.reason.as_str()), (Truth::False, "ReleaseFailed"));
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
fn a_preview_has_a_node_and_names_of_its_own() {
    let mut site = Harness::up(wanted(1, One));
    let names = vec!["beta.blog.acm.www.wpaas.localhost".to_owned()];
    site.change(|run| run.previews = vec![Preview { names, release: stored(GOOD) }]);
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
fn the_database_grows_and_shrinks_while_the_site_is_up() {
    let mut site = Harness::up(wanted(1, One));
    site.change(|run| run.database = Three);
    site.converge();
    assert!(
        !site.log.iter().any(|step| step.starts_with("remove")),
        "growing replaces nothing: {:?}",
        site.log
    );
    assert_eq!(site.parts().iter().filter(|part| part.starts_with("volume-database")).count(), 3);
    site.change(|run| run.database = One);
    site.converge();
    assert_eq!(site.parts(), SMALL);
}

#[test]
fn a_new_admin_password_is_told_to_the_nodes_that_run() {
    let mut site = Harness::up(wanted(1, One));
    site.change(|run| run.admin_version = 2);
    site.converge();
    assert_eq!(site.log, ["configure wordpress-0: secrets/admin-hash, wordpress.conf"]);
}

#[test]
fn while_a_step_is_under_way_there_is_something_to_wait_for() {
    let mut site = Harness::up(wanted(1, One));
    for part in site.parts() {
        let mut facts = site.facts();
        facts.busy = vec![part.parse().unwrap()];
        assert!(!plan(&site.intent, &facts).is_empty(), "{part} is being changed");
    }
}

#[test]
fn what_is_gone_goes_in_order_also_when_not_all_of_it_is_seen() {
    let mut site = Harness::up(wanted(1, One));
    let nodes = |part: Part| part.is_node();
    site.want(Wanted::Gone);
    let mut facts = site.facts();
    facts.objects.retain(|object| !nodes(object.part));
    facts.coverage = Coverage::Partial;
    let plan = plan(&site.intent, &facts);
    assert_eq!(plan.steps, [], "nodes may be there that need what is seen");
    assert!(!plan.is_empty(), "it is said so");
}
