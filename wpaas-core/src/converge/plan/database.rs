//! Database nodes. A node only obeys; every founding, joining and leaving is decided here.

use super::{HoldReason, Pass};
use crate::converge::{
    Action, BootId, Coverage, DatabaseOrder, DatabasePhase, DatabaseReport, NodeReport, Object, ObjectState,
    Part, RunIntent, Seen,
};
use crate::node;

/// A database node that runs and has reported.
struct Member<'a> {
    n: u8,
    object: &'a Object,
    boot: &'a BootId,
    report: &'a DatabaseReport,
}

impl Pass<'_> {
    pub(super) fn databases(&mut self, run: &RunIntent) {
        let wanted = run.database.nodes();
        let last = self.last_database().unwrap_or(0).max(wanted - 1);
        let mut stopping = false;
        for n in 0..=last {
            if n < wanted {
                self.make(Part::DatabaseVolume(n), Action::CreateVolume);
            }
            self.database_node(n, wanted, &mut stopping);
        }
        self.membership(last);
        self.leavers(wanted, last, &mut stopping);
    }

    /// The highest number of a database node of which anything is there.
    fn last_database(&self) -> Option<u8> {
        let number = |part| match part {
            Part::DatabaseVolume(n) | Part::Database(n) => Some(n),
            _ => None,
        };
        self.facts.objects.iter().filter_map(|object| number(object.part)).max()
    }

    /// Makes, starts or replaces one node; whether it then founds or joins is not decided here.
    fn database_node(&mut self, n: u8, wanted: u8, stopping: &mut bool) {
        let (part, volume) = (Part::Database(n), Part::DatabaseVolume(n));
        let spec = node::database(self.intent.site, n);
        match self.facts.seen(part) {
            Seen::Busy => self.hold(part, HoldReason::Busy),
            Seen::Unknown => self.hold(part, HoldReason::Unseen),
            // A leaver that is gone stays gone, unless its data may be needed for a founding.
            Seen::Absent if n >= wanted && (self.primary_exists() || self.facts.ready(volume).is_none()) => {}
            Seen::Absent => match self.missing(&[Part::Network, volume]) {
                Some(need) => self.hold(part, HoldReason::Needs(need)),
                None => self.step(part, Action::CreateNode(spec)),
            },
            Seen::There(object) => {
                let outdated = object.fingerprint != Some(spec.fingerprint);
                self.existing_database(n, object, outdated, wanted, stopping);
            }
        }
    }

    fn existing_database(&mut self, n: u8, object: &Object, outdated: bool, wanted: u8, stopping: &mut bool) {
        let part = Part::Database(n);
        let id = object.id.clone();
        match object.state {
            ObjectState::Removing => self.hold(part, HoldReason::Removing),
            ObjectState::Incomplete | ObjectState::Broken => self.step(part, Action::Remove { object: id }),
            ObjectState::Stopped if outdated || (n >= wanted && self.primary_exists()) => {
                self.step(part, Action::Remove { object: id });
            }
            ObjectState::Stopped | ObjectState::Frozen => self.step(part, Action::StartNode { object: id }),
            ObjectState::Ready if self.lost_its_volume(n) => self.step(part, Action::Remove { object: id }),
            ObjectState::Ready if outdated && n < wanted => {
                if !*stopping && self.may_stop(n, wanted) {
                    *stopping = true;
                    self.step(part, Action::Remove { object: id });
                } else {
                    self.hold(part, HoldReason::Quorum);
                }
            }
            ObjectState::Ready => {}
        }
    }

    /// A node whose volume is surely gone holds nothing any more.
    fn lost_its_volume(&self, n: u8) -> bool {
        self.facts.seen(Part::DatabaseVolume(n)) == Seen::Absent
            && !self.members().any(|member| member.n == n && member.report.is_synced())
    }

    /// Rule 2: enough others are Synced, or there is only this one, or it is surely not Synced itself.
    fn may_stop(&self, n: u8, wanted: u8) -> bool {
        let members: Vec<_> = self.members().collect();
        let own = members.iter().find(|member| member.n == n);
        let others = members.iter().filter(|member| member.n != n && member.report.is_synced()).count();
        let alone = wanted == 1 && self.last_database() == Some(0);
        let idle = own.is_some_and(|member| member.report.phase == DatabasePhase::Waiting);
        alone || idle || others > usize::from(wanted) / 2
    }

    fn members(&self) -> impl Iterator<Item = Member<'_>> {
        self.facts.objects.iter().filter_map(|object| {
            let Part::Database(n) = object.part else { return None };
            let report = self.facts.report(object.part)?;
            let NodeReport::Database(database) = &report.node else { return None };
            Some(Member { n, object, boot: &report.boot, report: database })
        })
    }

    /// Whether a component that can take joiners is there.
    fn primary_exists(&self) -> bool {
        self.members().any(|member| member.report.takes_writes())
    }

    /// Decides what the nodes that wait do.
    fn membership(&mut self, last: u8) {
        self.silent_databases(last);
        let joining = self.members().find(|member| is_joining(member.report)).map(|member| member.n);
        if self.primary_exists() {
            self.join(joining);
        } else if let Some(n) = joining {
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
                Some(NodeReport::Database(DatabaseReport { error: Some(error), .. })) => {
                    let error = error.clone();
                    self.hold(part, HoldReason::Says(error));
                }
                Some(NodeReport::Database(DatabaseReport { phase: DatabasePhase::Recovering, .. })) => {
                    self.hold(part, HoldReason::Starting);
                }
                Some(_) => {}
                None => self.hold(part, HoldReason::Silent),
            }
        }
    }

    /// One joiner at a time: two at once can split a component.
    fn join(&mut self, joining: Option<u8>) {
        let mut before = joining;
        let waiting: Vec<_> = self.waiting();
        for (n, action) in waiting {
            let part = Part::Database(n);
            if let Some(first) = before {
                self.hold(part, HoldReason::JoinsAfter(Part::Database(first)));
            } else {
                before = Some(n);
                self.tell(part, action);
            }
        }
        if let Some(n) = joining {
            self.hold(Part::Database(n), HoldReason::Starting);
        }
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
            Ok(Some((part, action))) => self.tell(part, action),
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
            crate::converge::Wanted::Run(run) => run.database.nodes(),
            crate::converge::Wanted::Rest | crate::converge::Wanted::Gone => 0,
        }
    }

    /// A founding has to wait for this node. One that runs without a component is made to wait, by replacing
    /// it, unless all of them run: then Galera forms the component again by itself.
    fn found_later(&mut self, n: u8) {
        let running = |member: &Member<'_>| member.report.phase == DatabasePhase::Running;
        let all_run = self.members().all(|member| running(&member));
        let stuck: Vec<_> = self
            .members()
            .filter(running)
            .map(|member| (Part::Database(member.n), member.object.id.clone()))
            .collect();
        if all_run || stuck.is_empty() {
            self.hold(Part::Database(n), HoldReason::Founding(Part::Database(n)));
            return;
        }
        for (part, object) in stuck {
            self.step(part, Action::Remove { object });
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

    /// Lets nodes beyond the wanted number go, one at a time, once those that stay are Synced; then their
    /// volumes.
    fn leavers(&mut self, wanted: u8, last: u8, stopping: &mut bool) {
        let synced = |n: u8| self.members().any(|member| member.n == n && member.report.is_synced());
        let stay = (0..wanted).all(synced);
        for n in (wanted..=last).rev() {
            let (part, volume) = (Part::Database(n), Part::DatabaseVolume(n));
            match (self.facts.seen(part), self.facts.seen(volume)) {
                (Seen::There(object), _) if object.state == ObjectState::Ready && stay && !*stopping => {
                    *stopping = true;
                    let object = object.id.clone();
                    self.step(part, Action::Remove { object });
                }
                (Seen::There(object), _) if object.state == ObjectState::Ready => {
                    self.hold(part, HoldReason::Quorum);
                }
                (Seen::Absent, Seen::There(object)) if stay => {
                    let object = object.id.clone();
                    self.step(volume, Action::Remove { object });
                }
                _ => {}
            }
        }
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
