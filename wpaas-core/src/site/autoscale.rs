//! How many WordPress instances a measured load needs. Pure: times are arguments.
//!
//! The load is the number of requests that are under way or wait, on average, as the site's gateways count them. It says
//! how many instances are needed whatever their number is now, so that a rule that only looks at it can't chase its own
//! changes: this many requests, divided by what one instance is to have.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Between which bounds a site's instances follow its load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Autoscale {
    /// At least so many instances.
    pub min: u16,
    /// At most so many instances.
    pub max: u16,
    /// Requests under way that an instance is to have.
    pub target: u16,
}

impl Default for Autoscale {
    /// An instance works on six requests at a time.
    fn default() -> Self {
        Self { min: 1, max: 4, target: 4 }
    }
}

/// How many instances a site has been given for its load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scaled {
    /// So many.
    pub instances: u16,
    /// Since when.
    pub since: Timestamp,
    /// Why not as many as the load needs, for people.
    pub limited: Option<String>,
}

/// Requests under way or waiting, in hundredths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Load(pub u32);

impl Load {
    /// The number of requests.
    #[must_use]
    pub fn requests(self) -> f64 {
        f64::from(self.0) / 100.0
    }

    /// The fewest instances that have no more than so many percent of `target` each.
    fn needs(self, target: u16, percent: u32) -> u16 {
        let each = u32::from(target).saturating_mul(percent).max(1);
        u16::try_from(self.0.div_ceil(each)).unwrap_or(u16::MAX)
    }
}

/// How fast instances follow a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// A rise counts once it has lasted so long, and so long after the last change.
    pub up: SignedDuration,
    /// A fall counts once it has lasted so long, and so long after the last change.
    pub down: SignedDuration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { up: SignedDuration::from_secs(15), down: SignedDuration::from_mins(5) }
    }
}

/// What was measured of one site.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadHistory {
    /// By the number of the gateway that counted; of each the oldest first.
    gateways: BTreeMap<u8, VecDeque<(Timestamp, Load)>>,
}

/// A gateway without a word for so long has no load, and what it said before counts no more.
const SILENCE: SignedDuration = SignedDuration::from_secs(20);
/// What comes sooner after the last word is no news, so that there is an end to what is kept.
const APART: SignedDuration = SignedDuration::from_secs(1);

/// How many instances there are to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scaling {
    /// So many.
    pub instances: u16,
    /// The load that this is for.
    pub measured: Load,
    /// Why, for people.
    pub why: String,
}

impl LoadHistory {
    /// Takes what a gateway of this number counted up to now.
    pub fn saw(&mut self, gateway: u8, at: Timestamp, load: Load, pace: &Pace) {
        let age = |seen: &(Timestamp, Load)| at.duration_since(seen.0);
        self.gateways.retain(|_, loads| loads.back().is_some_and(|last| age(last).abs() <= SILENCE));
        let loads = self.gateways.entry(gateway).or_default();
        if loads.back().is_some_and(|last| age(last) < APART) {
            return;
        }
        loads.push_back((at, load));
        let keep = pace.up.max(pace.down) + SILENCE;
        while loads.front().is_some_and(|first| age(first) > keep) {
            loads.pop_front();
        }
    }

    /// The mean over this long before now; `None` unless all of it was measured.
    fn mean(&self, now: Timestamp, over: SignedDuration) -> Option<Load> {
        self.sum(now, over, |loads| {
            let count = u64::try_from(loads.len()).ok()?;
            loads.iter().map(|load| u64::from(load.0)).sum::<u64>().checked_div(count)
        })
    }

    /// The most of this long before now; `None` unless all of it was measured.
    fn most(&self, now: Timestamp, over: SignedDuration) -> Option<Load> {
        self.sum(now, over, |loads| loads.iter().max().map(|load| u64::from(load.0)))
    }

    /// What there is of each gateway that speaks, together.
    fn sum(&self, now: Timestamp, over: SignedDuration, of: impl Fn(&[Load]) -> Option<u64>) -> Option<Load> {
        let age = |seen: &(Timestamp, Load)| now.duration_since(seen.0);
        let speaking =
            self.gateways.values().filter(|loads| loads.back().is_some_and(|last| age(last) <= SILENCE));
        let mut sum = None;
        for loads in speaking {
            // What is said holds until the next word.
            let first = loads.iter().rposition(|seen| age(seen) >= over)?;
            let loads: Vec<_> = loads.iter().skip(first).map(|(_, load)| *load).collect();
            sum = Some(sum.unwrap_or(0_u64).saturating_add(of(&loads)?));
        }
        sum.map(|sum| Load(u32::try_from(sum).unwrap_or(u32::MAX)))
    }
}

impl Autoscale {
    /// How many instances there are to be, where there are so many since then; `None` while the load is not known.
    ///
    /// It goes up to what the load of the last moments needs, to twice as many at most, and down to what the highest
    /// load of some minutes needs. In between, up to a tenth above and below the target, nothing changes.
    #[must_use]
    pub fn decide(
        &self,
        (current, since): (u16, Timestamp),
        history: &LoadHistory,
        pace: &Pace,
        now: Timestamp,
    ) -> Option<Scaling> {
        let measured = history.mean(now, pace.up)?;
        let held = now.duration_since(since);
        let is = |instances: u16, why: String| {
            Some(Scaling { instances: instances.clamp(self.min, self.max), measured, why })
        };
        let load = measured.requests();
        if measured.needs(self.target, 110) > current && held >= pace.up {
            let needed = measured.needs(self.target, 100).min(current.saturating_mul(2).max(1));
            let limit = if needed > self.max { ", and more than max are not allowed" } else { "" };
            return is(needed, format!("{load:.1} requests under way need {needed} instances{limit}"));
        }
        let most = history.most(now, pace.down).filter(|_| held >= pace.down);
        if let Some(most) = most.filter(|most| most.needs(self.target, 90).max(1) < current) {
            let needed = most.needs(self.target, 90).max(1);
            let (most, down) = (most.requests(), pace.down.as_secs());
            return is(needed, format!("no more than {most:.1} requests were under way in {down} s"));
        }
        is(current, format!("{load:.1} requests under way, {} wanted for each instance", self.target))
    }
}

#[cfg(test)]
mod tests;
