//! The rules that no plan can break, checked apart from the planner that keeps them.
//!
//! The rules are numbered as in ARCHITECTURE.md. Every test runs this over every plan; the converger runs it
//! before it takes a step.

use super::{
    Action, Coverage, DatabaseOrder, DatabasePhase, DatabaseReport, Facts, FileContent, Intent, NodeReport,
    NodeSpec, Object, ObjectState, Part, RunIntent, SitePlan, Step, StepReason, Wanted,
};

/// A rule that a plan breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rule {rule}: {step}: {why}")]
pub struct Violation {
    /// The rule's number.
    pub rule: u8,
    /// The step, as it is printed.
    pub step: String,
    /// What is wrong with it.
    pub why: &'static str,
}

/// Checks a plan.
///
/// # Errors
///
/// The first rule that it breaks.
pub fn lint(intent: &Intent, facts: &Facts, plan: &SitePlan) -> Result<(), Violation> {
    let rules: [(u8, Rule); 12] = [
        (1, founding),
        (1, beginning),
        (2, quorum),
        (2, joining),
        (3, serving),
        (3, draining),
        (3, leading),
        (3, silence),
        (4, storage),
        (5, tombstone),
        (6, own_site),
        (8, proved),
    ];
    for step in &plan.steps {
        for (number, rule) in rules {
            if let Err(why) = rule(intent, facts, plan, step) {
                return Err(Violation { rule: number, step: step.to_string(), why });
            }
        }
    }
    Ok(())
}

type Verdict = Result<(), &'static str>;
type Rule = fn(&Intent, &Facts, &SitePlan, &Step) -> Verdict;

fn require(holds: bool, why: &'static str) -> Verdict {
    if holds { Ok(()) } else { Err(why) }
}

/// A component is founded on complete coverage, when every node waits, on the furthest, by a new number.
fn founding(_: &Intent, facts: &Facts, plan: &SitePlan, step: &Step) -> Verdict {
    let Action::Order { order: DatabaseOrder::Found { number }, .. } = step.action else { return Ok(()) };
    require(facts.coverage == Coverage::Complete, "founds without a complete listing")?;
    let nodes: Vec<_> =
        facts.objects.iter().filter(|object| matches!(object.part, Part::Database(_))).collect();
    let reports: Vec<_> = nodes.iter().filter_map(|object| database(facts, object.part)).collect();
    require(reports.len() == nodes.len(), "founds though a node has not reported")?;
    let volumes =
        facts.objects.iter().filter(|object| matches!(object.part, Part::DatabaseVolume(_))).count();
    require(volumes == nodes.len(), "founds though a volume has no node to tell its position")?;
    require(
        reports.iter().all(|report| report.phase == DatabasePhase::Waiting),
        "founds though a node does not wait",
    )?;
    require(reports.iter().all(|report| report.founding < number), "uses a founding's number again")?;
    let founder = database(facts, step.part).ok_or("founds on a node that has not reported")?;
    let reach = |report: &DatabaseReport| report.position.as_ref().map(|it| (!it.uuid.is_nil(), it.seqno));
    let mut histories = reports.iter().filter_map(|report| Some(report.position.as_ref()?.uuid));
    let first = histories.find(|uuid| !uuid.is_nil());
    require(
        histories.all(|uuid| uuid.is_nil() || Some(uuid) == first),
        "founds though nodes hold different histories",
    )?;
    require(reports.iter().all(|report| reach(report) <= reach(founder)), "founds on a node that is behind")?;
    require(founder.empty || founder.position.is_some(), "founds on a copy that was cut off")?;
    require(
        !founder.empty || reports.iter().all(|report| report.empty),
        "founds on an empty volume while another holds data",
    )?;
    let foundings = plan
        .steps
        .iter()
        .filter(|step| matches!(step.action, Action::Order { order: DatabaseOrder::Found { .. }, .. }));
    require(foundings.count() == 1, "founds twice")
}

/// A node founds without an order on the only volume that a database of one node has, and has no other node beside it.
fn beginning(intent: &Intent, facts: &Facts, _: &SitePlan, step: &Step) -> Verdict {
    let Action::CreateNode(NodeSpec { founds: Some(volume), .. }) = &step.action else { return Ok(()) };
    require(step.part == Part::Database(0), "founds a new database on what is not its first node")?;
    require(facts.coverage == Coverage::Complete, "founds a new database without a complete listing")?;
    let is_new = |run: &RunIntent| run.database.nodes() == 1 && !run.was_founded;
    require(
        matches!(&intent.wanted, Wanted::Run(run) if is_new(run)),
        "founds a new database where there was one, or is to be one of several nodes",
    )?;
    let mut parts = facts.objects.iter().filter(|object| match object.part {
        Part::Database(_) => true,
        Part::DatabaseVolume(_) => object.id != *volume,
        _ => false,
    });
    require(parts.next().is_none(), "founds a new database though there is more of it than one volume")
}

/// No Synced database node is stopped unless enough others are Synced.
fn quorum(intent: &Intent, facts: &Facts, plan: &SitePlan, step: &Step) -> Verdict {
    let (Part::Database(n), Action::Remove { .. }, Wanted::Run(run)) =
        (step.part, &step.action, &intent.wanted)
    else {
        return Ok(());
    };
    let synced = |part| database(facts, part).is_some_and(DatabaseReport::is_synced);
    // One that gives no answer may be Synced; without its volume it holds nothing, and without a report it has no order.
    let no_answer = match database(facts, step.part) {
        Some(report) => report.phase == DatabasePhase::Running && report.state.is_none(),
        None => facts.runs(step.part) && facts.silent(step.part).is_none_or(|silent| silent.was_heard),
    };
    let may_be_synced = synced(step.part) || (no_answer && facts.object(Part::DatabaseVolume(n)).is_some());
    if !may_be_synced || (run.database.nodes() == 1 && facts.object(Part::Database(1)).is_none()) {
        return Ok(());
    }
    let removed =
        |part| plan.steps.iter().any(|s| s.part == part && matches!(s.action, Action::Remove { .. }));
    let leaves = |object: &Object| {
        let goes = object.state == ObjectState::Removing || removed(object.part);
        let under_way = facts.busy.contains(&object.part) && facts.runs(object.part);
        matches!(object.part, Part::Database(other) if other != n) && (goes || under_way)
    };
    require(!facts.objects.iter().any(leaves), "stops a database node while another leaves")?;
    let others = facts.objects.iter().map(|object| object.part).filter(|part| *part != step.part);
    let left = others.filter(|part| synced(*part) && !removed(*part)).count();
    require(
        left > usize::from(run.database.nodes()) / 2,
        "stops a Synced database node without a quorum of others",
    )
}

/// Joiners join one at a time: two at once can split a component.
fn joining(_: &Intent, facts: &Facts, plan: &SitePlan, step: &Step) -> Verdict {
    if !matches!(step.action, Action::Order { order: DatabaseOrder::Join { .. }, .. }) {
        return Ok(());
    }
    let orders = plan.steps.iter().filter(|step| matches!(step.action, Action::Order { .. })).count();
    require(orders == 1, "orders two database nodes at once")?;
    let starts = |part| database(facts, part).is_some_and(|report| report.phase == DatabasePhase::Starting);
    let starting = facts.objects.iter().any(|object| starts(object.part));
    require(!starting, "orders a node to join while another is starting")?;
    let another = |part: &Part| matches!(part, Part::Database(_)) && *part != step.part;
    let told = facts.told.iter().any(|told| another(&told.part));
    let busy = facts.busy.iter().any(|part| another(part) && facts.may_run(*part));
    require(!told && !busy, "orders a node to join while a step for another is under way")
}

/// With two or more wanted, a change never takes the serving WordPress nodes below the wanted number.
fn serving(intent: &Intent, facts: &Facts, plan: &SitePlan, _: &Step) -> Verdict {
    let Wanted::Run(run) = &intent.wanted else { return Ok(()) };
    let serves = |part: Part| facts.serving(part) == Some(true);
    let removed = |part: Part| {
        plan.steps.iter().any(|step| step.part == part && matches!(step.action, Action::Remove { .. }))
    };
    let parts = || {
        facts.objects.iter().map(|object| object.part).filter(|part| part.serves_visitors() && serves(*part))
    };
    let left = parts().filter(|part| !removed(*part)).count();
    let takes = parts().any(removed);
    require(
        run.wordpress < 2 || !takes || left >= usize::from(run.wordpress),
        "takes a serving WordPress node below the wanted number",
    )
}

/// A node that serves is left to what it has once it gets nothing new, while the site runs.
fn draining(intent: &Intent, facts: &Facts, _: &SitePlan, step: &Step) -> Verdict {
    let (Wanted::Run(_), Action::Remove { .. }) = (&intent.wanted, &step.action) else { return Ok(()) };
    let serves = match step.part {
        Part::Database(_) => database(facts, step.part).is_some_and(DatabaseReport::takes_writes),
        part => part.serves_visitors() && facts.serving(part) == Some(true),
    };
    require(!serves || facts.left(step.part) == 0, "takes a node from requests that are under way")
}

/// An address that can be moved leads to a gateway that has reported; the one it leads to is not taken away while
/// the site runs and that gateway serves.
fn leading(intent: &Intent, facts: &Facts, _: &SitePlan, step: &Step) -> Verdict {
    match (step.part, &step.action, &intent.wanted) {
        (Part::Gateway(_), Action::Lead { .. }, _) => {
            require(facts.report(step.part).is_some(), "leads the address to a gateway that has not reported")
        }
        (_, Action::Lead { .. }, _) => Err("leads the address to what is no gateway"),
        (Part::Gateway(_), Action::Remove { .. }, Wanted::Run(_)) if facts.lead().is_some() => {
            let leads = facts.leading_gateway() == Some(step.part) && facts.report(step.part).is_some();
            require(!leads, "removes the gateway that the address leads to")
        }
        _ => Ok(()),
    }
}

/// A node that is taken for lost, because it does not report, has been silent for long; and if it ever may have worked,
/// nobody can be using it.
fn silence(_: &Intent, facts: &Facts, _: &SitePlan, step: &Step) -> Verdict {
    let (StepReason::Silent, Action::Remove { .. }) = (step.why, &step.action) else { return Ok(()) };
    let silent = facts.silent(step.part).ok_or("takes a node for lost that has not been silent for long")?;
    let used = match step.part {
        Part::Gateway(_) => facts.leading_gateway() == Some(step.part),
        _ => facts.answers(step.part) != Some(false),
    };
    require(!silent.was_heard || !used, "takes a silent node that may be in use")
}

/// Storage goes only with the site, or as a leaver's after a scale-down.
fn storage(intent: &Intent, facts: &Facts, _: &SitePlan, step: &Step) -> Verdict {
    if !step.part.holds_data() || !matches!(step.action, Action::Remove { .. }) {
        return Ok(());
    }
    match (&intent.wanted, step.part) {
        (Wanted::Gone, _) => Ok(()),
        (Wanted::Run(run), Part::DatabaseVolume(n)) if n >= run.database.nodes() => {
            let stays = |n| database(facts, Part::Database(n)).is_some_and(DatabaseReport::is_synced);
            require((0..run.database.nodes()).all(stays), "removes a leaver's data before the rest is Synced")
        }
        (Wanted::Run(_) | Wanted::Rest, _) => Err("removes data of a site that is not gone"),
    }
}

/// Only a tombstone removes a site's network.
fn tombstone(intent: &Intent, facts: &Facts, _: &SitePlan, step: &Step) -> Verdict {
    let (Part::Network, Action::Remove { .. }) = (step.part, &step.action) else { return Ok(()) };
    let broken = facts.object(Part::Network).is_some_and(|network| network.state == ObjectState::Broken);
    require(intent.wanted == Wanted::Gone || broken, "removes the network of a site that is not gone")
}

/// A step names a part of the one site that it was planned for, and what was seen of it.
fn own_site(intent: &Intent, facts: &Facts, plan: &SitePlan, step: &Step) -> Verdict {
    require(step.site == intent.site && plan.site == intent.site, "names another site")?;
    require(!facts.busy.contains(&step.part), "changes a part that is being changed")?;
    let object = match &step.action {
        Action::StartNode { object }
        | Action::Order { object, .. }
        | Action::Configure { object, .. }
        | Action::Lead { object }
        | Action::Remove { object } => object,
        Action::CreateNetwork
        | Action::CreateVolume
        | Action::CreateRelease { .. }
        | Action::CreateNode(_) => {
            let whole = facts.object(step.part).is_some_and(|o| o.state != ObjectState::Incomplete);
            require(!whole, "makes what is there")?;
            return require(
                facts.coverage == Coverage::Complete || facts.object(step.part).is_some(),
                "makes what may be there",
            );
        }
    };
    let seen = facts.objects.iter().any(|seen| seen.part == step.part && seen.id == *object);
    require(seen, "names an object that was not seen")?;
    let removes = matches!(step.action, Action::Remove { .. });
    require(!removes || facts.coverage == Coverage::Complete, "removes without a complete listing")
}

/// Visitors get only a release that has proved itself: no node for them is made of another, and no node that is
/// there for something else is among theirs.
fn proved(intent: &Intent, _: &Facts, _: &SitePlan, step: &Step) -> Verdict {
    let files = match &step.action {
        Action::CreateNode(spec) => &spec.files,
        Action::Configure { files, .. } => files,
        _ => return Ok(()),
    };
    let lines = files.iter().flat_map(|file| match &file.content {
        FileContent::Text(text) => text.lines(),
        FileContent::Secret(_) => "".lines(),
    });
    let Wanted::Run(run) = &intent.wanted else { return Ok(()) };
    for (key, value) in lines.filter_map(|line| line.split_once('=')) {
        let release = || run.release.is_some_and(|release| release.to_string() == value);
        require(
            key != "release" || !step.part.serves_visitors() || release(),
            "gives visitors a release that has not proved itself",
        )?;
        let apart = key.parse().is_ok_and(Part::is_apart);
        require(!apart || value.starts_with("preview "), "sends visitors to a node that is not for them")?;
    }
    Ok(())
}

fn database(facts: &Facts, part: Part) -> Option<&DatabaseReport> {
    match &facts.report(part)?.node {
        NodeReport::Database(report) => Some(report),
        NodeReport::Wordpress(_) | NodeReport::Gateway(_) => None,
    }
}
