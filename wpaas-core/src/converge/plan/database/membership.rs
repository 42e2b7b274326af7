//! Who founds a component, who joins it, and who is made to wait for either.

use super::Member;
use crate::converge::plan::{HoldReason, Pass};
use crate::converge::{
    Action, Coverage, DatabaseOrder, DatabasePhase, DatabaseReport, NodeReport, Part, Seen, StepReason,
    Wanted,
};

/// A node that lost its component while others wait for an order is made to wait after so many seconds…
const LOST_TO_OTHERS: u32 = 5;
/// …and one that Galera may still bring back by itself, as after a cut of the network, after so many.
const LOST_ALONE: u32 = 20;

impl Pass<'_> {
    /// Decides what the nodes that wait do.
    pub(super) fn membership(&mut self, last: u8) {
        self.silent_databases(last);
        let joining = self.members().find(|member| is_joining(member.report)).map(|member| member.n);
        if self.primary_exists() {
            self.replace_lost(LOST_ALONE);
            self.join(joining);
        } else if let Some(n) = joining {
            // It mostly gives up by itself, where there is nothing to join.
            self.replace_lost(LOST_ALONE);
            self.replace_stranded(n, last);
            self.hold(Part::Database(n), HoldReason::Starting);
        } else {
            self.found(last);
        }
    }

    /// Says of every running node that has not reported, or that reports trouble, what is known.
    fn silent_databases(&mut self, last: u8) {
        for part in (0..=last).map(Part::Database) {
            if self.facts.ready(part).is_none() {
                continue;
            }
            match self.facts.report(part).map(|report| &report.node) {
                Some(NodeReport::Database(report)) => match &report.error {
                    Some(error) => {
                        let error = error.clone();
                        self.hold(part, HoldReason::Says(error));
                    }
                    None if report.phase == DatabasePhase::Recovering => {
                        self.hold(part, HoldReason::Starting);
                    }
                    None => {}
                },
                Some(_) => {}
                None => self.hold(part, HoldReason::Silent),
            }
        }
    }

    /// One joiner at a time: two at once can split a component.
    fn join(&mut self, joining: Option<u8>) {
        let mut before = joining.or_else(|| self.under_way());
        let waiting: Vec<_> = self.waiting();
        for (n, action) in waiting {
            let part = Part::Database(n);
            match before {
                Some(first) if first != n => {
                    self.hold(part, HoldReason::JoinsAfter(Part::Database(first)));
                }
                _ => {
                    before = Some(n);
                    self.tell(part, action, StepReason::Waits);
                }
            }
        }
        if let Some(n) = joining {
            self.hold(Part::Database(n), HoldReason::Starting);
        }
    }

    /// A node that may be on its way in or out already, though it does not say so yet: it runs, or goes, while a step for
    /// it is under way, or it was told something and has not answered.
    fn under_way(&self) -> Option<u8> {
        let busy = self.facts.busy.iter().copied().filter(|part| self.facts.may_run(*part));
        let told = self.facts.told.iter().map(|told| told.part);
        busy.chain(told).find_map(|part| match part {
            Part::Database(n) => Some(n),
            _ => None,
        })
    }

    /// The wanted nodes that wait, each with its order to join.
    fn waiting(&self) -> Vec<(u8, Action)> {
        // A joiner takes over the number of the component, so that no later founding uses it again.
        let number = self.members().map(|member| member.report.founding).max().unwrap_or(0);
        let order = |member: Member<'_>| {
            let (object, boot) = (member.object.id.clone(), member.boot.clone());
            (member.n, Action::Order { object, boot, order: DatabaseOrder::Join { number } })
        };
        let wanted = self.wanted_databases();
        let waits = |member: &Member<'_>| member.n < wanted && member.report.phase == DatabasePhase::Waiting;
        self.members().filter(waits).map(order).collect()
    }

    /// Rule 1: founds a component, once every node waits and has told its position, on the furthest one.
    fn found(&mut self, last: u8) {
        let waits = |n: u8| {
            self.facts.ready(Part::DatabaseVolume(n)).is_some()
                && self.members().any(|member| member.n == n && member.report.phase == DatabasePhase::Waiting)
        };
        if let Some(n) = (0..=last).find(|n| self.is_member(*n) && !waits(*n)) {
            self.found_later(n);
            return;
        }
        if self.facts.coverage != Coverage::Complete {
            self.hold(Part::Database(0), HoldReason::Unseen);
            return;
        }
        match self.furthest() {
            Ok(Some((part, action))) => self.tell(part, action, StepReason::Furthest),
            Ok(None) => self.torn_databases(),
            Err(part) => self.hold(part, HoldReason::Diverged),
        }
    }

    /// No node can found, because all that hold anything hold a copy that was cut off.
    fn torn_databases(&mut self) {
        let torn: Vec<u8> =
            self.members().filter(|member| !member.report.empty).map(|member| member.n).collect();
        for n in torn {
            self.hold(Part::DatabaseVolume(n), HoldReason::TornData);
        }
    }

    /// Whether node *n* has, or may have, data that a founding must know of; or is to have.
    fn is_member(&self, n: u8) -> bool {
        let absent = |part| self.facts.seen(part) == Seen::Absent;
        !(absent(Part::DatabaseVolume(n)) && absent(Part::Database(n))) || n < self.wanted_databases()
    }

    fn wanted_databases(&self) -> u8 {
        match &self.intent.wanted {
            Wanted::Run(run) => run.database.nodes(),
            Wanted::Rest | Wanted::Gone => 0,
        }
    }

    /// A founding has to wait for this node. Those that run and have lost their component are made to wait for an
    /// order, too: soon if another waits, as Galera then can't form the old component again by itself.
    fn found_later(&mut self, n: u8) {
        let waits = self.members().any(|member| member.report.phase == DatabasePhase::Waiting);
        if !self.replace_lost(if waits { LOST_TO_OTHERS } else { LOST_ALONE }) {
            self.hold(Part::Database(n), HoldReason::Founding(Part::Database(n)));
        }
    }

    /// Replaces the nodes that have said for so many seconds that they are in no component: each takes no writes, and
    /// waits for an order when it is back. Returns whether there are any.
    fn replace_lost(&mut self, seconds: u32) -> bool {
        let lost = |member: &Member<'_>| member.report.lost_for.is_some_and(|since| since >= seconds);
        let lost: Vec<_> = self
            .members()
            .filter(lost)
            .map(|member| (Part::Database(member.n), member.object.id.clone()))
            .filter(|(part, _)| !self.has_step(*part))
            .collect();
        let any = !lost.is_empty();
        for (part, object) in lost {
            self.step(part, Action::Remove { object }, StepReason::LostComponent);
        }
        any
    }

    /// Replaces a joiner for which there is nothing to join any more, as every other node waits for an order: what it had
    /// heard of has ended, and Galera may wait for that for ever.
    fn replace_stranded(&mut self, n: u8, last: u8) {
        let part = Part::Database(n);
        let waits = |n: u8| self.member(n).is_some_and(|other| other.report.phase == DatabasePhase::Waiting);
        let alone = (0..=last).filter(|other| *other != n && self.is_member(*other)).all(waits);
        let joins =
            |member: &Member<'_>| member.report.joins && member.report.phase == DatabasePhase::Starting;
        let stranded = self.member(n).filter(joins).map(|member| member.object.id.clone());
        if let Some(object) = stranded.filter(|_| alone && !self.has_step(part)) {
            self.step(part, Action::Remove { object }, StepReason::LostComponent);
        }
    }

    /// The node to found on, with its order; the part in question when histories differ.
    fn furthest(&self) -> Result<Option<(Part, Action)>, Part> {
        let members: Vec<_> = self.members().collect();
        let number = members.iter().map(|member| member.report.founding).max().unwrap_or(0) + 1;
        let positions =
            || members.iter().filter_map(|member| Some((member, member.report.position.as_ref()?)));
        let mut histories = positions().filter(|(_, position)| !position.uuid.is_nil());
        if let Some((_, first)) = histories.next()
            && let Some((other, _)) = histories.find(|(_, position)| position.uuid != first.uuid)
        {
            return Err(Part::Database(other.n));
        }
        let with_data = positions()
            .filter(|(member, _)| !member.report.empty)
            .max_by_key(|(member, position)| (!position.uuid.is_nil(), position.seqno, u8::MAX - member.n))
            .map(|(member, _)| member);
        let any_data = members.iter().any(|member| !member.report.empty);
        let chosen = if any_data { with_data } else { members.iter().min_by_key(|member| member.n) };
        Ok(chosen.map(|member| {
            let (object, boot) = (member.object.id.clone(), member.boot.clone());
            (Part::Database(member.n), Action::Order { object, boot, order: DatabaseOrder::Found { number } })
        }))
    }
}

/// On its way to being Synced.
fn is_joining(report: &DatabaseReport) -> bool {
    match report.phase {
        DatabasePhase::Starting => true,
        DatabasePhase::Running => report.primary && !report.takes_writes(),
        DatabasePhase::Recovering | DatabasePhase::Waiting | DatabasePhase::Failed => false,
    }
}
