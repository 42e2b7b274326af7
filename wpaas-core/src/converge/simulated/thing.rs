//! One object, with what only it knows.

use std::collections::BTreeMap;

use crate::converge::{
    BootId, FileContent, Fingerprint, NodeFile, NodeSpec, Object, ObjectState, Part, Position, Step,
};

/// What is on a database volume.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) enum Data {
    /// Nothing.
    #[default]
    Empty,
    /// A state transfer that was cut off: fit to join, not to found.
    Torn,
    /// A history, so far.
    Whole(Position),
}

/// Where the process of a database node stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Process {
    Recovering,
    Waiting,
    Founding,
    /// Getting the state of a member, from which moment on its own is torn.
    Joining,
    /// In the site's component.
    Member,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Thing {
    pub(super) object: Object,
    /// Of a node.
    pub(super) spec: Option<NodeSpec>,
    boots: u32,
    /// Of a database node that runs.
    pub(super) process: Option<Process>,
    /// Of a WordPress node: it serves. Of a gateway: it has read its routes.
    pub(super) up: bool,
    /// Of a WordPress node: its release does not do what a WordPress does.
    pub(super) refused: bool,
    /// Of a WordPress node: how many requests it has that take long.
    pub(super) requests: u32,
    /// Of a gateway: the routes that it follows, and for how many seconds by them a node has got nothing new.
    pub(super) follows: Option<String>,
    pub(super) drained: BTreeMap<Part, u32>,
    /// Of a database volume: what is on it, and its last founding.
    pub(super) data: Data,
    pub(super) founding: u64,
}

impl Thing {
    pub(super) const fn new(object: Object, spec: Option<NodeSpec>) -> Self {
        Self {
            object,
            spec,
            boots: 0,
            process: None,
            up: false,
            refused: false,
            requests: 0,
            follows: None,
            drained: BTreeMap::new(),
            data: Data::Empty,
            founding: 0,
        }
    }

    pub(super) fn boot(&mut self) {
        self.object.state = ObjectState::Ready;
        self.boots += 1;
        self.process = matches!(self.object.part, Part::Database(_)).then_some(Process::Recovering);
        self.forget();
    }

    /// Whether it is to found a new database, and has not started before.
    pub(super) fn begins(&self) -> bool {
        self.boots == 1 && self.spec.as_ref().is_some_and(|spec| spec.founds.is_some())
    }

    /// Its processes end, as by SIGKILL.
    pub(super) fn halt(&mut self, state: ObjectState) {
        self.object.state = state;
        self.process = None;
        self.forget();
    }

    fn forget(&mut self) {
        (self.up, self.refused, self.requests, self.follows) = (false, false, 0, None);
        self.drained.clear();
    }

    /// A gateway follows its routes: time counts anew for who gets nothing new from now on.
    pub(super) fn drain(&mut self) {
        let routes = self.text("routes").unwrap_or_default().lines();
        let drained = routes.filter_map(|line| line.strip_suffix("=drain")?.parse().ok());
        let nodes = drained.filter(|part: &Part| part.serves_visitors());
        self.drained = nodes.map(|part| (part, self.drained.get(&part).copied().unwrap_or(0))).collect();
    }

    /// Puts these files in the place of those of the same names.
    pub(super) fn give(&mut self, files: &[NodeFile]) {
        if let Some(spec) = &mut self.spec {
            spec.files.retain(|old| files.iter().all(|new| new.path != old.path));
            spec.files.extend_from_slice(files);
        }
    }

    pub(super) fn boot_id(&self) -> BootId {
        // As real nodes have them: 16 digits.
        let object = Fingerprint::of([self.object.id.to_string().as_str()]).to_string();
        let text = format!("{}{:08x}", &object[..8], self.boots);
        BootId::new(&text).unwrap_or_else(|| unreachable!("made of letters and digits"))
    }

    pub(super) fn runs(&self) -> bool {
        self.object.part.is_node() && self.object.state == ObjectState::Ready
    }

    /// Whether its release is one that does nothing right: of a digest that begins with `badbadbadbad`.
    pub(super) fn is_bad(&self) -> bool {
        let release = self.value("wordpress.conf", "release");
        release.is_some_and(|release| release.starts_with("sha256:badbadbadbad"))
    }

    pub(super) fn mounts(&self, part: Part) -> bool {
        self.spec.as_ref().is_some_and(|spec| spec.mounts.iter().any(|mount| mount.part == part))
    }

    /// The value of a key in one of its text files.
    pub(super) fn value(&self, file: &str, key: &str) -> Option<&str> {
        self.text(file)?.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
    }

    pub(super) fn text(&self, file: &str) -> Option<&str> {
        match &self.spec.as_ref()?.files.iter().find(|f| f.path == file)?.content {
            FileContent::Text(text) => Some(text),
            FileContent::Secret(_) => None,
        }
    }

    /// Whether a step that is run again finds what it would make.
    pub(super) fn is(&self, fingerprint: Option<Fingerprint>) -> bool {
        self.object.state == ObjectState::Ready && self.object.fingerprint == fingerprint
    }

    /// Whether it was made by something newer than this step.
    pub(super) fn is_newer_than(&self, step: &Step) -> bool {
        (self.object.generation, self.object.epoch) > (step.generation, step.epoch)
    }
}
