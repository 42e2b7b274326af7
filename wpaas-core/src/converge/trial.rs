//! Trials of a planner: sites under any sequence of user's actions and faults, with what must hold checked after
//! each.
//!
//! A [`Trial`] owns a [`World`], one or two servers that each see it through a [`View`], and a planner. It has no
//! clock, no randomness and no I/O: an [`Op`] holds every choice, so that a sequence of them is a replay. What
//! must never happen (S1 to S6, S8, S9, S11, S12) is an error of [`Trial::take`]; what must happen in the end (L1 to L4,
//! L6) of [`Trial::finish`]. S10, that what a stale server does has no lasting effect and none on data, is the sum of
//! S9, of S6 for steps that come late, and of L4 once they have come. Elsewhere are S7 (`conformance`, where secrets are),
//! S11 for listings that miss much though they say that they are complete (the tests of the converger), and what needs
//! the real converger: [`super::storm`].
//!
//! ```
//! use wpaas_core::converge::trial::{Fate, Op, Trial, wanted};
//! use wpaas_core::converge::plan;
//! use wpaas_core::site::DatabaseSize;
//!
//! let mut trial = Trial::new(plan, wanted(2, DatabaseSize::Three));
//! for op in [Op::Plan(0), Op::Land(0, 0, Fate::Unanswered), Op::Plan(0), Op::Restart(0)] {
//!     trial.take(op).unwrap();
//! }
//! trial.finish().unwrap();
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::simulated::{Law, World};
use super::{
    Facts, Intent, ObjectId, Observation, Part, ReleaseRef, Report, RunIntent, Scope, SitePlan, Step, View,
    Wanted,
};
use crate::id::SiteId;
use crate::site::{DatabaseSize, Generation};

mod change;
mod end;
pub mod faults;
mod fresh;
mod ops;
mod safety;
pub mod script;

pub use change::Change;
pub(crate) use change::settle;
pub(crate) use end::operator;
pub use end::{is_as_fresh, is_as_wanted, is_at_rest};
pub use ops::{Fate, Op, Outside};
pub(crate) use safety::is_refused;
pub use safety::{Case, judge, with_decoys};

/// What plans: [`super::plan`], or one of yours.
pub type Planner = fn(&Intent, &Facts) -> SitePlan;

/// One site under trial, beside objects of a site that nobody knows.
#[derive(Debug, Clone)]
pub struct Trial {
    planner: Planner,
    /// Whether plans that break a rule are refused, as the converger does.
    linted: bool,
    world: World,
    intent: Intent,
    /// What is wanted of the site whenever it runs.
    run: RunIntent,
    /// Releases that visitors may get, as nodes call them.
    proved: BTreeSet<String>,
    /// What was ever wanted.
    wishes: BTreeMap<Generation, Wanted>,
    servers: Vec<Server>,
    now: Instant,
    /// Steps that were accepted and take effect later.
    late: Vec<Step>,
    /// The decoys as they were.
    decoys: Observation,
    /// Grows with everything that happens to the world from outside.
    disturbed: u64,
    log: Vec<String>,
}

/// A control plane.
#[derive(Debug, Clone, Default)]
struct Server {
    view: View,
    /// What it knows to be wanted; `None` before it has read it.
    intent: Option<Intent>,
    /// Steps that it waits for.
    begun: Vec<Step>,
    /// A listing under way: when it began, and what it will show.
    look: Option<(Instant, Observation)>,
    /// Reports on their way to it.
    mail: Vec<Report>,
    /// The last disturbance that it knows all of.
    knows: u64,
    /// What it removes that served nobody when it planned so: should that begin to serve before the step lands, the
    /// server can't know.
    idle: Vec<ObjectId>,
}

/// What happened that must not, after which steps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}\nafter:\n  {}", log.join("\n  "))]
pub struct Failure {
    /// What.
    pub what: String,
    /// Everything that was done.
    pub log: Vec<String>,
}

impl Trial {
    /// A site of which nothing is there yet, and one server.
    #[must_use]
    pub fn new(planner: Planner, run: RunIntent) -> Self {
        let site = SiteId::from_uuid(uuid::Uuid::from_u128(0x0196_0000_0000_7000_8000_0000_0000_0001));
        let intent = Intent { site, generation: 1, version: 1, epoch: 1, wanted: Wanted::Run(run.clone()) };
        let world = safety::with_decoys();
        let decoys = world.list(&Scope::Fleet);
        let mut trial = Self {
            planner,
            linted: true,
            world,
            wishes: BTreeMap::from([(1, intent.wanted.clone())]),
            intent,
            proved: std::iter::once(ReleaseRef::Stock)
                .chain(run.release)
                .map(|release| release.to_string())
                .collect(),
            run,
            servers: Vec::new(),
            now: Instant::now(),
            late: Vec::new(),
            decoys,
            disturbed: 0,
            log: Vec::new(),
        };
        trial.join();
        trial
    }

    /// With a second server that believes itself in charge, in a later epoch.
    #[must_use]
    pub fn with_two_servers(mut self) -> Self {
        self.join();
        self
    }

    /// In a world in which this law does not hold: what the trial has to say of that.
    #[must_use]
    pub fn without_law(mut self, law: Law) -> Self {
        self.world = self.world.without(law);
        self
    }

    /// Without the lint: only what happens to the world counts.
    #[must_use]
    pub const fn without_lint(mut self) -> Self {
        self.linted = false;
        self
    }

    /// The world as it is.
    #[must_use]
    pub const fn world(&self) -> &World {
        &self.world
    }

    /// What is wanted.
    #[must_use]
    pub const fn intent(&self) -> &Intent {
        &self.intent
    }

    /// Everything that was done.
    #[must_use]
    pub fn log(&self) -> &[String] {
        &self.log
    }

    /// The parts that are there.
    #[must_use]
    pub fn parts(&self) -> Vec<Part> {
        self.own().map(|object| object.part).collect()
    }

    /// How many steps a server waits for.
    #[must_use]
    pub fn begun(&self, server: usize) -> usize {
        self.servers.get(server).map_or(0, |server| server.begun.len())
    }

    /// How many database nodes are Synced, and how many WordPress nodes serve.
    #[must_use]
    pub fn in_service(&self) -> (usize, usize) {
        end::in_service(&self.world, self.intent.site)
    }

    fn own(&self) -> impl Iterator<Item = &super::Object> {
        let site = self.intent.site;
        self.world.objects().filter(move |(of, _)| *of == site).map(|(_, object)| object)
    }

    fn join(&mut self) {
        self.servers.push(Server::default());
        let server = self.servers.len() - 1;
        self.learn(server);
        self.look(server);
    }

    /// A server reads what is wanted.
    fn learn(&mut self, server: usize) {
        let epoch = server as u64 + 1;
        self.servers[server].intent = Some(Intent { epoch, ..self.intent.clone() });
    }

    /// A server sees everything as it is now, and hears every node.
    fn look(&mut self, server: usize) {
        let (now, disturbed) = (self.tick(), self.disturbed);
        let seen = self.world.list(&Scope::Fleet);
        let reports = self.world.reports(self.intent.site);
        let server = &mut self.servers[server];
        server.view.listed(&Scope::Fleet, now, seen);
        server.mail.clear();
        for report in reports {
            server.view.reported(report, now);
        }
        server.knows = disturbed;
    }

    fn tick(&mut self) -> Instant {
        self.now += Duration::from_millis(1);
        self.now
    }

    fn fail(&self, what: impl Into<String>) -> Failure {
        Failure { what: what.into(), log: self.log.clone() }
    }
}

/// What most trials want: a site of this many nodes with the stock WordPress.
#[must_use]
#[expect(clippy::missing_panics_doc, reason = "the names are well formed")]
pub fn wanted(wordpress: u8, database: DatabaseSize) -> RunIntent {
    RunIntent {
        wordpress,
        database,
        release: Some(ReleaseRef::Stock),
        candidate: None,
        refused: None,
        previews: [].into(),
        authorities: vec!["blog.acm.www.wpaas.localhost".into()],
        redirects: [].into(),
        tls: super::TlsIntent::default(),
        home: None,
        title: "A blog".into(),
        admin_user: "admin".parse().expect("a username"),
        admin_email: "admin@example.com".parse().expect("an address"),
        admin_version: 1,
        was_founded: false,
    }
}
