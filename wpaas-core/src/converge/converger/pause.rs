//! Leaving a backend alone that asks for it: no step and no listing until its time is over.

use std::time::Duration;

use super::{Converger, ErrorClass, Instant};

impl Converger {
    /// A backend that asks for a pause without saying how long gets this.
    const PAUSE: Duration = Duration::from_secs(5);

    /// The backend is left alone for so long, at least: a later throttle never shortens what an earlier one asked for.
    /// Returns until when. Does nothing for an error of another class.
    pub(super) fn pause_for(&mut self, class: ErrorClass, now: Instant) -> Option<Instant> {
        let ErrorClass::Throttled { retry_after } = class else { return None };
        let until = now + retry_after.unwrap_or(Self::PAUSE);
        self.paused = Some(self.paused.map_or(until, |asked| asked.max(until)));
        self.paused
    }

    /// Until when the backend is to be left alone, if it is.
    pub(super) fn paused(&self, now: Instant) -> Option<Instant> {
        self.paused.filter(|until| now < *until)
    }

    /// Once the pause is over, what waited for its end goes on.
    pub(super) fn resume(&mut self, now: Instant) {
        if self.paused.is_none() || self.paused(now).is_some() {
            return;
        }
        self.paused = None;
        self.next_turns(now);
        for site in std::mem::take(&mut self.sight.pending) {
            self.look_at(site, now);
        }
    }
}
