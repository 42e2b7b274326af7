use std::net::IpAddr;

use thin_vec::ThinVec;

use super::{Coverage, Draining, Heard, Lead, NodeReport, Object, ObjectState, Part, ServerState};
use crate::site::Generation;

/// What is known of one site at one moment: all that [`super::plan`] looks at besides the intent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Facts {
    /// Whether what is not in `objects` is surely absent.
    pub coverage: Coverage,
    /// What is there, in the order of parts.
    pub objects: Vec<Object>,
    /// What nodes said lately, in the order of parts: at most one a node, none that is stale.
    pub reports: Vec<Heard>,
    /// Nodes that run and have been silent for longer than the backend has patience, in the order of parts.
    pub silent: ThinVec<Silent>,
    /// What nodes were told and have not answered yet.
    pub told: ThinVec<Told>,
    /// Parts that a step is under way for, in order.
    pub busy: ThinVec<Part>,
}

/// Something a node was told.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Told {
    /// Which node.
    pub part: Part,
    /// What, as [`super::Step::message`] names it.
    pub message: String,
}

/// A node that runs and has been silent for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Silent {
    /// Which node.
    pub part: Part,
    /// Whether it may ever have worked: it was heard, or was there before anybody listened. One that never was has got
    /// no order, since that names the start that a node reports.
    pub was_heard: bool,
}

/// One part as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Seen<'a> {
    /// It is surely not there.
    Absent,
    /// Nobody knows.
    Unknown,
    /// A step for it is under way.
    Busy,
    /// It is there.
    There(&'a Object),
}

impl Facts {
    /// Nothing is there, surely.
    #[must_use]
    pub const fn nothing() -> Self {
        Self {
            coverage: Coverage::Complete,
            objects: Vec::new(),
            reports: Vec::new(),
            silent: ThinVec::new(),
            told: ThinVec::new(),
            busy: ThinVec::new(),
        }
    }

    /// What is known of this part.
    #[must_use]
    pub fn seen(&self, part: Part) -> Seen<'_> {
        if self.busy.contains(&part) {
            return Seen::Busy;
        }
        match self.object(part) {
            Some(object) => Seen::There(object),
            None if self.coverage == Coverage::Complete => Seen::Absent,
            None => Seen::Unknown,
        }
    }

    /// The object of this part. Of several (a volume made twice) the oldest.
    #[must_use]
    pub fn object(&self, part: Part) -> Option<&Object> {
        self.objects.iter().filter(|object| object.part == part).min_by_key(|object| object.generation)
    }

    /// The part's object, when it is there, whole, and no step for it is under way.
    #[must_use]
    pub fn ready(&self, part: Part) -> Option<&Object> {
        match self.seen(part) {
            Seen::There(object) if object.state == ObjectState::Ready => Some(object),
            _ => None,
        }
    }

    /// Whether the part's object was whole and running when it was last seen, whatever is under way for it.
    #[must_use]
    pub fn runs(&self, part: Part) -> bool {
        self.object(part).is_some_and(|object| object.state == ObjectState::Ready)
    }

    /// Whether the part is a node that runs, or one that is on its way out and may still do so.
    #[must_use]
    pub fn may_run(&self, part: Part) -> bool {
        let runs = |object: &Object| matches!(object.state, ObjectState::Ready | ObjectState::Removing);
        self.object(part).is_some_and(runs)
    }

    /// What a running node last said; nothing of a node that does not run or that a step is under way for.
    #[must_use]
    pub fn report(&self, part: Part) -> Option<&Heard> {
        self.ready(part)?;
        self.reports.iter().find(|report| report.part == part)
    }

    /// A running node that has been silent for too long, with what is known of that.
    #[must_use]
    pub fn silent(&self, part: Part) -> Option<Silent> {
        self.ready(part).filter(|_| self.report(part).is_none())?;
        self.silent.iter().find(|silent| silent.part == part).copied()
    }

    /// Whether a node answers those who use it, as a gateway that has reported says; `None` when none has.
    #[must_use]
    pub fn answers(&self, part: Part) -> Option<bool> {
        let gateway = |object: &Object| match &self.report(object.part)?.node {
            NodeReport::Gateway(report) => Some(report.servers.get(part).copied()),
            NodeReport::Database(_) | NodeReport::Wordpress(_) => None,
        };
        let says = self.objects.iter().filter_map(gateway);
        says.map(|state| matches!(state, Some(ServerState::Up | ServerState::Drain))).reduce(|a, b| a || b)
    }

    /// Whether a WordPress node says that it serves; `None` when nobody knows.
    #[must_use]
    pub fn serving(&self, part: Part) -> Option<bool> {
        match &self.report(part)?.node {
            NodeReport::Wordpress(report) => Some(report.phase == super::WordpressPhase::Serving),
            NodeReport::Database(_) | NodeReport::Gateway(_) => None,
        }
    }

    /// The newest generation that any part of the site was made for.
    #[must_use]
    pub fn newest(&self) -> Option<Generation> {
        self.objects.iter().map(|object| object.generation).max()
    }

    /// How many requests a node that gets no new ones is left to end: what gateways say that it has, until that has
    /// lasted too long.
    #[must_use]
    pub fn left(&self, part: Part) -> u32 {
        let draining = |report: &Heard| match &report.node {
            NodeReport::Gateway(gateway) => gateway.draining.get(part).copied(),
            NodeReport::Database(_) | NodeReport::Wordpress(_) => None,
        };
        let left = self.reports.iter().filter_map(draining).filter(|left| left.seconds < Draining::LONGEST);
        left.map(|left| left.requests).fold(0, u32::saturating_add)
    }

    /// Whether the node was told this and has not answered yet.
    #[must_use]
    pub fn was_told(&self, part: Part, message: &str) -> bool {
        self.told.iter().any(|told| told.part == part && told.message == message)
    }

    /// Where the site's address leads, where it can be moved.
    #[must_use]
    pub fn lead(&self) -> Option<&Lead> {
        self.objects.iter().find_map(Object::lead)
    }

    /// The gateway that the site's address leads to; `None` while it leads nowhere.
    #[must_use]
    pub fn leading_gateway(&self) -> Option<Part> {
        let is_gateway = |object: &&Object| matches!(object.part, Part::Gateway(_));
        match self.lead() {
            None => Some(Part::Gateway(0)),
            Some(Lead::Nowhere) => None,
            Some(Lead::To(id)) => self
                .objects
                .iter()
                .filter(is_gateway)
                .find(|object| object.id == *id)
                .map(|object| object.part),
        }
    }

    /// The site's address, with the port on the control plane's machine that leads there.
    #[must_use]
    pub fn address(&self) -> Option<(IpAddr, Option<u16>)> {
        self.objects.iter().find_map(|object| {
            let entry = object.entry.as_ref()?;
            Some((entry.address?, entry.local_port))
        })
    }
}
