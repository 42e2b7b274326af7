//! Of the database: who founds, who joins, who goes, and what is waited for.

use std::sync::Arc;

use super::SMALL;
use super::support::{Harness, wanted};
use jiff::Timestamp;
use wpaas_core::converge::{
    Action, Coverage, DatabasePhase, Facts, Intent, NodeReport, ObjectState, Part, RunIntent, SitePlan, Step,
    StepReason, Told, Trouble, lint, plan, status,
};
use wpaas_core::site::ConditionKind;
use wpaas_core::site::DatabaseSize::{One, Three};

/// Whether the first node was made to found a new database.
fn began(site: &Harness) -> bool {
    let made: Vec<_> = site.log.iter().filter(|step| step.starts_with("create database-0")).collect();
    assert_eq!(made.len(), 1, "{:?}", site.log);
    made[0].ends_with("to found component 1")
}

#[test]
fn a_new_database_of_one_node_is_founded_without_an_order() {
    let mut site = Harness::new(wanted(1, One));
    site.converge();
    assert!(began(&site));
    assert_eq!(site.log.iter().find(|step| step.starts_with("order")), None);
}

#[test]
fn a_database_that_is_not_new_or_not_alone_waits_for_an_order() {
    let mut founded = Harness::new(RunIntent { was_founded: true, ..wanted(1, One) });
    founded.converge();
    assert!(!began(&founded));
    assert!(founded.log.contains(&"order database-0 to found component 1".to_owned()), "{:?}", founded.log);
    let mut several = Harness::new(wanted(1, Three));
    several.converge();
    assert!(!began(&several));
    let mut shrunk = Harness::up(wanted(1, Three));
    shrunk.vanish(Part::Database(0));
    shrunk.change(|run| run.database = One);
    shrunk.converge();
    assert!(!began(&shrunk), "others may hold more");
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
        let busy = Facts { busy: vec![part].into(), ..facts.clone() };
        assert_eq!(orders(&plan(&site.intent, &busy)), [], "a step for {part} is under way");
        let message = Step { part, ..join.clone() }.message().unwrap();
        let told = Facts { told: vec![Told { part, message }].into(), ..facts.clone() };
        let plan = plan(&site.intent, &told);
        assert!(orders(&plan).iter().all(|order| order.part == part), "{part} was told: {plan}");
        lint(&site.intent, &told, &plan).unwrap();
    }
    let other = Facts { busy: vec![Part::Database(2)].into(), ..facts.clone() };
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
                let node = Arc::make_mut(node);
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
    let node = Arc::make_mut(node);
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
            let node = Arc::make_mut(node);
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
    let node = Arc::make_mut(node);
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
    let busy = |facts: &mut Facts| facts.busy = vec![Part::Database(2)].into();
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
            NodeReport::Gateway(gateway) => {
                Some(gateway.servers.iter().map(|(part, _)| part).collect::<Vec<_>>())
            }
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
        .map(|kind| status.condition(kind).unwrap().reason.to_string())
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
    let NodeReport::Database(report) = &mut other.node else { panic!("database-2 reports") };
    Arc::make_mut(report).position.as_mut().unwrap().uuid = uuid::Uuid::from_u128(7);
    assert_eq!(told(&mut site, &facts), ["Diverged", "None"]);
    assert_eq!(plan(&site.intent, &facts).steps, []);
    let broken = lint(&site.intent, &facts, &founding).unwrap_err();
    assert_eq!((broken.rule, broken.why), (1, "founds though nodes hold different histories"));
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
