//! Storms: the real converger over a simulated world in which everything goes wrong, under a virtual clock.
//!
//! A seed decides all that happens: what users want, what the [`Weather`] does to calls, listings, answers, reports
//! and hints, what dies, vanishes or is changed from outside, when the store is slow, busy, behind or away, when a
//! server is killed, when two believe themselves in charge, and whose clock is an hour off. The same seed gives the
//! same run, and every failure names it.
//!
//! What must never happen (S1 to S6, S9, S12) is judged at every effect on the world, apart from the planner and the
//! lint.
//! Then nothing goes wrong any more, and what must happen in the end is looked for: the sites converge (L1), are what
//! fresh ones would be (L2, L4, L5), a restart does nothing (L6), and what is deleted leaves nothing (L3).
//!
//! ```
//! use wpaas_core::converge::storm::Storm;
//!
//! let storm = Storm::of(7);
//! let trace = storm.run().unwrap();
//! assert_eq!(storm.run().unwrap(), trace, "a seed replays the run");
//! ```

use std::fmt;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::simulated::Weather;
use super::trial::Planner;

mod book;
mod end;
mod judge;
mod people;
mod scene;

/// A run of the real converger in which everything goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Storm {
    /// Of every choice.
    pub seed: u64,
    /// What goes wrong between the control plane and what runs.
    pub weather: Weather,
    /// How many sites there are.
    pub sites: u8,
    /// How many things happen before it calms down.
    pub happenings: u16,
    /// The longest time between two of them.
    pub pace: Duration,
}

/// What a storm did: equal for equal storms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// Everything that was done, with its time.
    pub log: Vec<String>,
    /// Effects on the world.
    pub effects: usize,
}

/// What happened that must not, or did not happen that must.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// It happens again in the storm of this seed.
    pub seed: u64,
    /// What.
    pub what: String,
    /// Everything that was done.
    pub log: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, what, log } = self;
        write!(f, "{what}\nStorm::of({seed}) replays it, after:\n  {}", log.join("\n  "))
    }
}

impl std::error::Error for Failure {}

impl Storm {
    /// The storm that this seed gives.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        Self {
            seed,
            weather: Weather::storm(seed),
            sites: rng.random_range(1..=2),
            happenings: rng.random_range(5..40),
            pace: Duration::from_secs(rng.random_range(1..60)),
        }
    }

    /// Goes through it, under a clock of its own: hours of it take milliseconds.
    ///
    /// # Errors
    ///
    /// What happened that must not, or did not happen that must.
    ///
    /// # Panics
    ///
    /// Where no runtime can be had.
    pub fn run(&self) -> Result<Trace, Failure> {
        self.run_by(super::plan, true)
    }

    /// The same with this planner; `linted` says whether plans that break a rule are refused, as in production.
    ///
    /// # Errors
    ///
    /// As [`Storm::run`].
    ///
    /// # Panics
    ///
    /// Where no runtime can be had.
    pub fn run_by(&self, planner: Planner, linted: bool) -> Result<Trace, Failure> {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_time().start_paused(true).build().expect("a runtime without I/O");
        let failed = |(what, log)| Failure { seed: self.seed, what, log };
        runtime.block_on(scene::play(self, planner, linted)).map_err(failed)
    }
}
