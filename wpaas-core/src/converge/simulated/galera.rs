//! Database nodes, as `node/README.md` says and Galera does: they obey orders, form a component, lose quorum.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::place::Place;
use super::thing::{Data, Process, Thing};
use crate::converge::{BootId, DatabaseOrder, DatabasePhase, DatabaseReport, ObjectState, Part, Position};
use crate::id::SiteId;

/// The nodes that form one database.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Component {
    number: u64,
    position: Position,
    members: BTreeSet<u8>,
    /// Whether it has quorum, so that it takes writes.
    primary: bool,
    /// Its members don't hear each other for a while.
    split: bool,
    /// For how many seconds it has been without quorum.
    lost_for: u32,
}

impl Place {
    /// A database node obeys an order for this boot, or not.
    pub(super) fn order(&mut self, site: SiteId, n: u8, boot: &BootId, order: DatabaseOrder) {
        let Some(node) = self.node(Part::Database(n)) else { return };
        if node.process != Some(Process::Waiting) || node.boot_id() != *boot {
            return;
        }
        match order {
            DatabaseOrder::Join { number } => self.join(n, number),
            DatabaseOrder::Found { number } => self.found(site, n, number),
        }
    }

    fn join(&mut self, n: u8, number: u64) {
        let Some(volume) = self.volume(n) else { return };
        volume.founding = volume.founding.max(number);
        self.set(n, Process::Joining);
    }

    fn found(&mut self, site: SiteId, n: u8, number: u64) {
        let Some(volume) = self.volume(n) else { return };
        if number <= volume.founding || volume.data == Data::Torn {
            return;
        }
        volume.founding = number;
        let position = match &volume.data {
            Data::Whole(position) => position.clone(),
            Data::Empty | Data::Torn => {
                Position { uuid: Uuid::new_v5(site.uuid(), &number.to_be_bytes()), seqno: 0 }
            }
        };
        let fresh = volume.data == Data::Empty;
        volume.data = Data::Whole(position.clone());
        self.judge_founding(n, number, (!fresh).then_some(&position));
        if fresh {
            self.tables = 0;
        }
        let members = BTreeSet::from([n]);
        self.component =
            Some(Component { number, position, members, primary: true, split: false, lost_for: 0 });
        self.set(n, Process::Founding);
    }

    /// What a founding must never be, whoever ordered it. `position` is the founder's, none of an empty volume.
    fn judge_founding(&mut self, n: u8, number: u64, position: Option<&Position>) {
        if !self.foundings.insert(number) {
            self.breach(format!("S1: founding {number} was used before"));
        }
        if self.component.as_ref().is_some_and(|component| !component.members.is_empty()) {
            self.breach(format!("S1: database-{n} founds while another node is in a component"));
        }
        let others: Vec<_> = self.volumes().filter(|(other, _)| *other != n).collect();
        let ahead = others.iter().find_map(|(other, volume)| match (&volume.data, position) {
            (Data::Whole(_), None) => Some(*other),
            (Data::Whole(theirs), Some(own)) if theirs.uuid != own.uuid || theirs.seqno > own.seqno => {
                Some(*other)
            }
            _ => None,
        });
        if let Some(other) = ahead {
            self.breach(format!("S1: database-{n} founds though volume-database-{other} holds more"));
        }
    }

    /// One stage further. Returns whether anything changed.
    pub(super) fn progress_databases(&mut self, site: SiteId) -> bool {
        let mut changed = false;
        for n in 0..3 {
            let Some(process) = self.node(Part::Database(n)).and_then(|node| node.process) else { continue };
            match process {
                Process::Recovering if self.begins(n) => self.found(site, n, 1),
                Process::Recovering => self.set(n, Process::Waiting),
                Process::Founding => self.set(n, Process::Member),
                Process::Joining if self.component.as_ref().is_some_and(|component| component.primary) => {
                    self.transfer(n);
                }
                Process::Joining | Process::Waiting | Process::Member => continue,
            }
            changed = true;
        }
        changed
    }

    /// Whether a node that starts founds without an order: by what it was made with, at its first start, where nothing is
    /// on its volume.
    fn begins(&self, n: u8) -> bool {
        let unused = |volume: &Thing| volume.data == Data::Empty && volume.founding == 0;
        self.node(Part::Database(n)).is_some_and(Thing::begins)
            && self.objects.get(&Part::DatabaseVolume(n)).is_some_and(unused)
    }

    /// A joiner gets the component's state. Without a component it waits for ever, as one of Galera does that had heard
    /// of the component before that ended; others give up.
    fn transfer(&mut self, n: u8) {
        let Some(component) = self.component.as_mut() else { return };
        component.members.insert(n);
        let (data, number) = (Data::Whole(component.position.clone()), component.number);
        if let Some(volume) = self.volume(n) {
            volume.data = data;
            volume.founding = volume.founding.max(number);
        }
        self.set(n, Process::Member);
    }

    /// Visitors write.
    pub(super) fn write(&mut self) {
        let Some(component) = self.component.as_mut().filter(|component| component.primary) else { return };
        component.position.seqno += 1;
        let (data, members) = (Data::Whole(component.position.clone()), component.members.clone());
        for n in members {
            if let Some(volume) = self.volume(n) {
                volume.data = data.clone();
            }
        }
    }

    /// The members don't hear each other, or do again.
    pub(super) fn split(&mut self, split: bool) -> bool {
        let Some(component) = &mut self.component else { return false };
        if component.members.len() < 2 || component.split == split || component.primary != split {
            return false;
        }
        (component.split, component.primary, component.lost_for) = (split, !split, 0);
        true
    }

    /// Time passes. Returns whether a node has something else to say for it.
    pub(super) fn elapse(&mut self, seconds: u32) -> bool {
        let drains = self.elapse_drains(seconds);
        let Some(component) = self.component.as_mut().filter(|component| !component.primary) else {
            return drains;
        };
        // Beyond a minute nobody cares, and a model checker's states stay few.
        let later = component.lost_for.saturating_add(seconds).min(60);
        drains | (std::mem::replace(&mut component.lost_for, later) != later)
    }

    /// A node's process ends without a word: the others go on if they are more than half.
    pub(super) fn stop_database(&mut self, n: u8, state: ObjectState) {
        let Some(node) = self.objects.get_mut(&Part::Database(n)) else { return };
        let joining = node.process == Some(Process::Joining);
        node.halt(state);
        if joining && let Some(volume) = self.volume(n) {
            volume.data = Data::Torn;
        }
        self.leave(n, false);
    }

    /// A node leaves the component; gracefully, the others need no quorum.
    pub(super) fn leave(&mut self, n: u8, gracefully: bool) {
        let Some(component) = &mut self.component else { return };
        let before = component.members.len();
        if !component.members.remove(&n) {
            return;
        }
        let left = component.members.len();
        component.primary &= gracefully || left * 2 > before;
        // A member that is gone for good can't be heard again.
        component.split &= gracefully;
        if left == 0 {
            self.component = None;
        }
    }

    /// Whether this node is in a component that takes writes.
    pub(super) fn is_synced(&self, n: u8) -> bool {
        let member = self.node(Part::Database(n)).is_some_and(|node| node.process == Some(Process::Member));
        member && self.component.as_ref().is_some_and(|component| component.primary)
    }

    pub(super) fn has_database(&self) -> bool {
        (0..3).any(|n| self.is_synced(n))
    }

    pub(super) fn database_report(&self, n: u8, node: &Thing) -> Option<DatabaseReport> {
        let volume = self.objects.get(&Part::DatabaseVolume(n))?;
        let (phase, member) = match node.process? {
            Process::Recovering => (DatabasePhase::Recovering, false),
            Process::Waiting => (DatabasePhase::Waiting, false),
            Process::Founding | Process::Joining => (DatabasePhase::Starting, false),
            Process::Member => (DatabasePhase::Running, true),
        };
        let position = match &volume.data {
            Data::Whole(position) if phase == DatabasePhase::Waiting => Some(position.clone()),
            Data::Empty | Data::Torn | Data::Whole(_) => None,
        };
        let primary = self.is_synced(n);
        let size = self.component.as_ref().filter(|_| member).map_or(0, |c| c.members.len());
        Some(DatabaseReport {
            phase,
            empty: volume.data == Data::Empty,
            position,
            founding: volume.founding,
            state: member.then_some(if primary { 4 } else { 0 }),
            primary,
            size: u8::try_from(size).unwrap_or(u8::MAX),
            lost_for: self.component.as_ref().filter(|c| member && !c.primary).map(|c| c.lost_for / 5 * 5),
            joins: node.process == Some(Process::Joining),
            error: None,
        })
    }

    fn set(&mut self, n: u8, process: Process) {
        if let Some(node) = self.objects.get_mut(&Part::Database(n)) {
            node.process = Some(process);
        }
    }

    fn volume(&mut self, n: u8) -> Option<&mut Thing> {
        self.objects.get_mut(&Part::DatabaseVolume(n))
    }

    fn volumes(&self) -> impl Iterator<Item = (u8, &Thing)> {
        (0..3).filter_map(|n| Some((n, self.objects.get(&Part::DatabaseVolume(n))?)))
    }

    /// Numbers that no volume holds any more (somebody removed it) may come again.
    pub(super) fn forget_foundings(&mut self) {
        let held = self.volumes().map(|(_, volume)| volume.founding).max().unwrap_or(0);
        self.foundings.retain(|number| *number <= held);
    }
}
