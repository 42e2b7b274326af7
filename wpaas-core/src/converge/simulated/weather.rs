//! What goes wrong between the control plane and what runs: drawn from a seed.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// How much goes wrong, and how slow everything is. The chances are in a thousand. A seed gives the same run
/// again, under tokio's paused clock and on one thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weather {
    /// Of every choice.
    pub seed: u64,
    /// A call, or a stage of a node's start, takes up to this long.
    pub latency: Duration,
    /// A listing shows what was, up to this long ago.
    pub listing_lag: Duration,
    /// Something done late takes effect up to this long after.
    pub lateness: Duration,
    /// Chance that a listing lacks some of what is there, and says so.
    pub partial: u16,
    /// Chance that a listing lacks most of what is there, and says that it is complete.
    pub lacking: u16,
    /// Chance that a listing fails.
    pub unseen: u16,
    /// Chance that a step's request is lost on its way.
    pub lost: u16,
    /// Chance that a step takes effect, and its answer is lost.
    pub unanswered: u16,
    /// Chance that a step fails, and takes effect later all the same.
    pub delayed: u16,
    /// Chance that a step takes effect, and later once more.
    pub doubled: u16,
    /// Chance that a step fails half way: what it makes is left incomplete.
    pub half_made: u16,
    /// Chance that the backend asks for a pause.
    pub throttled: u16,
    /// Chance that a step is never answered and has no effect.
    pub hung: u16,
    /// Chance that a hint or a report is lost.
    pub unheard: u16,
    /// Chance that a report comes after a later one. Hints say only when to look, and have no order.
    pub reordered: u16,
}

impl Weather {
    /// Nothing goes wrong, and everything is at once.
    #[must_use]
    pub const fn calm() -> Self {
        Self {
            seed: 0,
            latency: Duration::ZERO,
            listing_lag: Duration::ZERO,
            lateness: Duration::ZERO,
            partial: 0,
            lacking: 0,
            unseen: 0,
            lost: 0,
            unanswered: 0,
            delayed: 0,
            doubled: 0,
            half_made: 0,
            throttled: 0,
            hung: 0,
            unheard: 0,
            reordered: 0,
        }
    }

    /// Everything goes wrong now and then.
    #[must_use]
    pub const fn storm(seed: u64) -> Self {
        Self {
            seed,
            latency: Duration::from_millis(800),
            listing_lag: Duration::from_secs(3),
            lateness: Duration::from_secs(40),
            partial: 50,
            lacking: 20,
            unseen: 30,
            lost: 40,
            unanswered: 40,
            delayed: 40,
            doubled: 40,
            half_made: 40,
            throttled: 20,
            hung: 10,
            unheard: 100,
            reordered: 50,
        }
    }
}

/// What becomes of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Fine,
    Lost,
    Unanswered,
    Delayed,
    Doubled,
    HalfMade,
    Throttled,
    Hung,
}

/// The weather, as it goes on.
#[derive(Debug)]
pub(super) struct Sky {
    pub(super) weather: Weather,
    rng: StdRng,
}

impl Sky {
    pub(super) fn new(weather: Weather) -> Self {
        Self { weather, rng: StdRng::seed_from_u64(weather.seed) }
    }

    pub(super) fn fate(&mut self) -> Fate {
        let Weather { lost, unanswered, delayed, doubled, half_made, throttled, hung, .. } = self.weather;
        let chances = [
            (lost, Fate::Lost),
            (unanswered, Fate::Unanswered),
            (delayed, Fate::Delayed),
            (doubled, Fate::Doubled),
            (half_made, Fate::HalfMade),
            (throttled, Fate::Throttled),
            (hung, Fate::Hung),
        ];
        let mut drawn = self.rng.random_range(0..1000_u16);
        for (chance, fate) in chances {
            if drawn < chance {
                return fate;
            }
            drawn -= chance;
        }
        Fate::Fine
    }

    pub(super) fn happens(&mut self, chance: u16) -> bool {
        chance > 0 && self.rng.random_range(0..1000_u16) < chance
    }

    /// Some time up to this long.
    pub(super) fn up_to(&mut self, longest: Duration) -> Duration {
        if longest.is_zero() { longest } else { self.rng.random_range(Duration::ZERO..longest) }
    }
}
