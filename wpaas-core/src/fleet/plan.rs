//! What is to be done for the fleet's own nodes. Pure.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::converge::{Fingerprint, NodeFile, ObjectId, ObjectState};

/// A node that belongs to no one site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FleetPart {
    /// Answers for the platform's names.
    Dns,
    /// Routes by host to the sites that share it.
    Edge,
}

impl FleetPart {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::Dns, Self::Edge];
}

impl fmt::Display for FleetPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dns => "dns",
            Self::Edge => "edge",
        })
    }
}

/// A text that names no part of the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a part of the fleet")]
pub struct InvalidFleetPart;

impl FromStr for FleetPart {
    type Err = InvalidFleetPart;

    fn from_str(text: &str) -> Result<Self, InvalidFleetPart> {
        Self::ALL.into_iter().find(|part| part.to_string() == text).ok_or(InvalidFleetPart)
    }
}

/// A node that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetNode {
    /// Of everything that only a new node can change.
    pub fingerprint: Fingerprint,
    /// What it runs.
    pub command: Vec<String>,
    /// A program of this machine that is put there as `/usr/local/bin/wpaas-program`.
    pub program: Option<PathBuf>,
    /// Put there before the start, and again whenever they change.
    pub files: Vec<NodeFile>,
}

/// The nodes that are wanted. What is not in here goes.
pub type FleetIntent = BTreeMap<FleetPart, FleetNode>;

/// A node that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetObject {
    /// Unique for ever.
    pub id: ObjectId,
    /// As its label says.
    pub fingerprint: Option<Fingerprint>,
    /// Whether it runs.
    pub state: ObjectState,
}

/// What is surely there, of each part, and the files that nodes were last told, by the node's id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FleetFacts {
    /// The nodes; what is not in here is surely absent.
    pub objects: BTreeMap<FleetPart, FleetObject>,
    /// What each was told since this process runs.
    pub told: BTreeMap<ObjectId, Fingerprint>,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FleetStep {
    /// Make the node and start it.
    Create(FleetPart, FleetNode),
    /// Start it again.
    Start(FleetPart, ObjectId),
    /// Give it these files anew; it sees the change and acts.
    Tell(FleetPart, ObjectId, Vec<NodeFile>),
    /// Remove it.
    Remove(FleetPart, ObjectId),
}

/// The steps, at most one a part. A plan made from a plan's result is empty.
#[must_use]
pub fn plan(intent: &FleetIntent, facts: &FleetFacts) -> Vec<FleetStep> {
    FleetPart::ALL.into_iter().filter_map(|part| step(part, intent.get(&part), facts)).collect()
}

fn step(part: FleetPart, wanted: Option<&FleetNode>, facts: &FleetFacts) -> Option<FleetStep> {
    let object = facts.objects.get(&part);
    let (node, object) = match (wanted, object) {
        (None, None) => return None,
        (Some(node), None) => return Some(FleetStep::Create(part, node.clone())),
        (None, Some(object)) => return Some(FleetStep::Remove(part, object.id.clone())),
        (Some(node), Some(object)) => (node, object),
    };
    let id = object.id.clone();
    match object.state {
        ObjectState::Removing => None,
        _ if object.fingerprint != Some(node.fingerprint) => Some(FleetStep::Remove(part, id)),
        ObjectState::Incomplete | ObjectState::Broken => Some(FleetStep::Remove(part, id)),
        ObjectState::Stopped | ObjectState::Frozen => Some(FleetStep::Start(part, id)),
        ObjectState::Ready => {
            let told = facts.told.get(&id) == Some(&NodeFile::fingerprint(&node.files));
            (!told).then(|| FleetStep::Tell(part, id, node.files.clone()))
        }
    }
}

impl fmt::Display for FleetStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create(part, _) => write!(f, "create {part}"),
            Self::Start(part, _) => write!(f, "start {part}"),
            Self::Tell(part, ..) => write!(f, "configure {part}"),
            Self::Remove(part, _) => write!(f, "remove {part}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::converge::FileContent;

    fn node(what: &str, text: &str) -> FleetNode {
        let file = NodeFile {
            path: "zone".into(),
            mode: 0o444,
            group: "root",
            content: FileContent::Text(text.into()),
        };
        let fingerprint = Fingerprint::of([what]);
        FleetNode { fingerprint, command: Vec::new(), program: None, files: vec![file] }
    }

    fn facts(state: ObjectState, told: Option<&FleetNode>) -> FleetFacts {
        let id = ObjectId::new("c1");
        let fingerprint = Some(Fingerprint::of(["a"]));
        let object = FleetObject { id: id.clone(), fingerprint, state };
        let told = told.map(|node| (id, NodeFile::fingerprint(&node.files))).into_iter().collect();
        FleetFacts { objects: [(FleetPart::Dns, object)].into(), told }
    }

    fn planned(intent: &FleetIntent, facts: &FleetFacts) -> String {
        plan(intent, facts).iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn what_is_wanted_comes_is_told_and_comes_back() {
        let wanted = FleetIntent::from([(FleetPart::Dns, node("a", "1"))]);
        let is = |state, told: Option<&FleetNode>| planned(&wanted, &facts(state, told));
        assert_eq!(planned(&wanted, &FleetFacts::default()), "create dns");
        assert_eq!(is(ObjectState::Ready, None), "configure dns");
        assert_eq!(is(ObjectState::Ready, Some(&node("a", "0"))), "configure dns");
        assert_eq!(is(ObjectState::Ready, Some(&node("a", "1"))), "");
        assert_eq!(is(ObjectState::Stopped, Some(&node("a", "1"))), "start dns");
        assert_eq!(is(ObjectState::Frozen, None), "start dns");
        assert_eq!(is(ObjectState::Incomplete, None), "remove dns");
        assert_eq!(is(ObjectState::Removing, None), "");
        let other = FleetIntent::from([(FleetPart::Dns, node("b", "1"))]);
        assert_eq!(planned(&other, &facts(ObjectState::Ready, None)), "remove dns");
        assert_eq!(planned(&FleetIntent::new(), &facts(ObjectState::Ready, None)), "remove dns");
        assert_eq!(planned(&FleetIntent::new(), &FleetFacts::default()), "");
    }

    #[test]
    fn parts_have_names() {
        for part in FleetPart::ALL {
            assert_eq!(part.to_string().parse(), Ok(part));
        }
        assert_eq!("gateway-0".parse::<FleetPart>(), Err(InvalidFleetPart));
    }
}
