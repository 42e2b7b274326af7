//! The planner: from what is wanted and what is known to the steps that are safe now. Pure and synchronous.

use std::fmt;

use super::{Action, Coverage, Facts, Intent, ObjectState, Part, RunIntent, Seen, Step, StepReason, Wanted};
use crate::id::SiteId;
use crate::site::{Generation, Spare};

mod apart;
mod database;
mod gateway;
mod removal;
mod wordpress;

/// Every step that is safe to take now, in dependency order, and what the rest waits for.
///
/// A value: the dry run, the log line, the audit entry and the test's expectation are this same object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SitePlan {
    /// Whose.
    pub site: SiteId,
    /// Of the spec it was made for.
    pub generation: Generation,
    /// Safe to take now, at the same time.
    pub steps: Vec<Step>,
    /// What must come first, and why.
    pub holds: Vec<Hold>,
}

/// Something that is not done yet, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Of which part.
    pub part: Part,
    /// Why.
    pub reason: HoldReason,
}

/// Why a part has to wait.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HoldReason {
    /// Another part comes first.
    #[error("waits for {0}")]
    Needs(Part),
    /// A step for it is under way.
    #[error("is being changed")]
    Busy,
    /// Listings were incomplete: it may be there or not.
    #[error("could not be seen")]
    Unseen,
    /// It is on its way out.
    #[error("is being removed")]
    Removing,
    /// It runs and has said nothing lately.
    #[error("runs and has not reported (if this lasts, it can't reach the control plane)")]
    Silent,
    /// The code is not fetched yet.
    #[error("waits for the code")]
    NoRelease,
    /// It was told, and has not answered yet.
    #[error("was told, and has not answered yet")]
    Told,
    /// It is starting.
    #[error("is starting")]
    Starting,
    /// It says that something is wrong.
    #[error("says: {0}")]
    Says(String),
    /// Another database node joins first.
    #[error("joins after {0}")]
    JoinsAfter(Part),
    /// A component is founded only when every node waits and has told its position.
    #[error("a component is founded once {0} has told its position")]
    Founding(Part),
    /// Two nodes hold different histories: a person must choose.
    #[error("database nodes hold different histories; an operator must remove the volume of the wrong one")]
    Diverged,
    /// What is left of a copy that was cut off, and no whole one is there: a person must choose.
    #[error(
        "holds a copy that was cut off, and no node holds a whole one; an operator must restore it or remove it"
    )]
    TornData,
    /// Stopping it would leave too few Synced database nodes.
    #[error("is replaced once enough other database nodes are Synced")]
    Quorum,
    /// It leaves once enough others serve and the gateway has drained it.
    #[error("leaves once others serve in its place")]
    Serving,
    /// It gets no new requests, and has not ended those that it has.
    #[error("leaves once it has ended what it has; requests under way: {0}")]
    Draining(u32),
    /// Data that can't be used is kept for a person to look at.
    #[error("is broken; it holds data, so an operator must look at it and remove it")]
    BrokenData,
    /// The store has lost what was wanted last.
    #[error("stays as it is: the store is older than what runs; say again what is wanted of the site")]
    StoreBehind,
    /// A listing lacked more than is believed.
    #[error("stays until listings tell again what is there")]
    Doubted,
    /// The node that tries the new release has not come to its end.
    #[error("tries the new release, which is served once it has proved itself")]
    Proving,
    /// What was found of the new release is not kept yet.
    #[error("has tried the new release")]
    Tried,
    /// The database goes back to an older dump.
    #[error("takes a dump of the database, and makes it what it was before its schema was changed")]
    Restoring,
    /// The new release proved itself and needs another schema.
    #[error(
        "takes a dump of the database and changes its schema from {from} to {to}, which old code may not understand"
    )]
    Upgrading {
        /// The `db_version` of the database.
        from: u64,
        /// That of the new release's WordPress.
        to: u64,
    },
    /// No free slot.
    #[error("no WordPress slot is free")]
    NoSlot,
}

impl HoldReason {
    /// In one CamelCase word, why nothing goes on without a person; none where it does.
    #[must_use]
    pub const fn asks_a_person(&self) -> Option<&'static str> {
        match self {
            Self::Diverged => Some("Diverged"),
            Self::TornData => Some("TornData"),
            Self::BrokenData => Some("BrokenData"),
            _ => None,
        }
    }
}

impl SitePlan {
    /// Whether there is nothing to do and nothing to wait for.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.holds.is_empty()
    }
}

impl fmt::Display for SitePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return write!(f, "{} generation {}: nothing to do", self.site, self.generation);
        }
        write!(f, "{} generation {}:", self.site, self.generation)?;
        for step in &self.steps {
            write!(f, "\n  {step}")?;
        }
        for hold in &self.holds {
            write!(f, "\n  ({} {})", hold.part, hold.reason)?;
        }
        Ok(())
    }
}

/// Plans one site.
#[must_use]
pub fn plan(intent: &Intent, facts: &Facts) -> SitePlan {
    let mut pass = Pass::new(intent, facts);
    match &intent.wanted {
        Wanted::Run(run) => pass.run(run),
        Wanted::Rest => pass.rest(),
        Wanted::Gone => pass.gone(),
    }
    pass.wait_for_steps();
    pass.plan
}

/// One run of the planner.
struct Pass<'a> {
    intent: &'a Intent,
    facts: &'a Facts,
    plan: SitePlan,
}

impl<'a> Pass<'a> {
    const fn new(intent: &'a Intent, facts: &'a Facts) -> Self {
        let plan = SitePlan {
            site: intent.site,
            generation: intent.generation,
            steps: Vec::new(),
            holds: Vec::new(),
        };
        Self { intent, facts, plan }
    }

    fn run(&mut self, run: &RunIntent) {
        self.make(Part::Network, Action::CreateNetwork);
        // As long as a site has data it has a part that no spare has: by its generation whoever has forgotten the site is
        // told that it is none.
        if self.intent.generation > Spare::GENERATION {
            self.make(Part::UploadsVolume, Action::CreateVolume);
        }
        self.releases(run);
        let leaver = self.databases(run);
        let mut routes = self.database_routes(run, leaver.as_ref());
        self.apart(run, &mut routes);
        self.wordpress(run, &mut routes);
        self.unused_releases(run);
        self.let_go(run, leaver, &routes);
        self.gateway(run, &routes);
    }

    /// Makes a part that has no spec of its own, or finishes it.
    fn make(&mut self, part: Part, action: Action) {
        match self.facts.seen(part) {
            Seen::Absent => self.step(part, action, StepReason::Missing),
            Seen::Unknown => self.hold(part, HoldReason::Unseen),
            Seen::Busy => self.hold(part, HoldReason::Busy),
            Seen::There(object) => match object.state {
                ObjectState::Incomplete => self.step(part, action, StepReason::Unfinished),
                ObjectState::Removing => self.hold(part, HoldReason::Removing),
                // A person must look at data before it goes.
                ObjectState::Broken if part.holds_data() => self.hold(part, HoldReason::BrokenData),
                ObjectState::Broken => {
                    let object = object.id.clone();
                    self.step(part, Action::Remove { object }, StepReason::Broken);
                }
                ObjectState::Ready | ObjectState::Stopped | ObjectState::Frozen => {}
            },
        }
    }

    /// While a step is under way there is something to wait for, whatever its part is to become.
    fn wait_for_steps(&mut self) {
        for part in &self.facts.busy {
            if !self.plan.holds.iter().any(|hold| hold.part == *part) {
                self.hold(*part, HoldReason::Busy);
            }
        }
    }

    /// A step of the plan. Nothing is removed by a look that did not show all: what else is there decides what may go.
    fn step(&mut self, part: Part, action: Action, why: StepReason) {
        if matches!(action, Action::Remove { .. }) && self.facts.coverage != Coverage::Complete {
            return self.hold(part, HoldReason::Unseen);
        }
        let Intent { site, generation, epoch, .. } = *self.intent;
        self.plan.steps.push(Step { site, generation, epoch, part, action, why });
    }

    fn hold(&mut self, part: Part, reason: HoldReason) {
        self.plan.holds.push(Hold { part, reason });
    }

    /// Tells a node something, unless it was told and has not answered yet.
    fn tell(&mut self, part: Part, action: Action, why: StepReason) {
        let Intent { site, generation, epoch, .. } = *self.intent;
        let step = Step { site, generation, epoch, part, action, why };
        match step.message() {
            Some(message) if self.facts.was_told(part, &message) => self.hold(part, HoldReason::Told),
            _ => self.plan.steps.push(step),
        }
    }

    /// Whether a node is to be replaced as it has been silent for too long. One that may have worked is left alone while
    /// anybody may still be using it: a gateway that the address leads to, or what no gateway says does not answer.
    fn is_given_up(&self, part: Part) -> bool {
        self.facts.silent(part).is_some_and(|silent| {
            !silent.was_heard
                || match part {
                    Part::Gateway(_) => self.facts.leading_gateway() != Some(part),
                    _ => self.facts.answers(part) == Some(false),
                }
        })
    }

    /// The first of these parts that is not ready; what needs them holds for it.
    fn missing(&self, needs: impl IntoIterator<Item = Part>) -> Option<Part> {
        needs.into_iter().find(|part| self.facts.ready(*part).is_none())
    }
}
