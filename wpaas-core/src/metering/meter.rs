use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Look, UsageKind};
use crate::converge::{ObjectId, Part, Run};

/// How far one run of an object is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meter {
    /// Of what.
    pub object: ObjectId,
    /// What it is.
    pub part: Part,
    /// Which of its runs.
    pub started_at: Timestamp,
    /// Up to where it is in slices.
    pub counted_to: Timestamp,
    /// When it was last seen to run.
    pub seen_at: Timestamp,
    /// Whether it still does.
    pub state: MeterState,
}

/// Whether a metered run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeterState {
    /// As far as is known.
    Running,
    /// It was gone when somebody looked, and nobody had told its end: it counts up to when it was last seen.
    /// Should it be seen again, or its end be told, it counts on. A volume that was removed is this, too.
    Lost,
    /// The backend told its end.
    Ended,
}

/// A piece of a run within one hour of UTC, complete and final.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slice {
    /// Of what.
    pub part: Part,
    /// Which.
    pub object: ObjectId,
    /// The beginning.
    pub from: Timestamp,
    /// The end; later than the beginning.
    pub to: Timestamp,
}

/// What comes of a look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Advanced {
    /// The meters that changed.
    pub meters: Vec<Meter>,
    /// What is complete by it.
    pub slices: Vec<Slice>,
    /// Those of what ended so long ago that no look at it can still be under way.
    pub forgotten: Vec<Meter>,
}

/// Takes a look into the site's meters. An older look than the last, or the same again, changes nothing that counts.
#[must_use]
pub fn advance(meters: &[Meter], look: &Look) -> Advanced {
    let mut advanced = Advanced::default();
    let mut now = meters.to_vec();
    for run in look.runs.iter().filter(|run| UsageKind::of(run.part).is_some()) {
        saw(&mut now, run, look.seen_at, &mut advanced.slices);
    }
    for meter in now.iter_mut().filter(|meter| look.complete && !shows(look, &meter.object)) {
        match meter.state {
            MeterState::Running if meter.seen_at <= look.seen_at => {
                meter.stop(meter.seen_at, MeterState::Lost, &mut advanced.slices);
            }
            MeterState::Ended if later(meter.seen_at, REMEMBERED) < look.seen_at => {
                advanced.forgotten.push(meter.clone());
            }
            MeterState::Running | MeterState::Ended | MeterState::Lost => {}
        }
    }
    advanced.meters = now.into_iter().filter(|meter| !meters.contains(meter)).collect();
    advanced
}

fn shows(look: &Look, object: &ObjectId) -> bool {
    look.others.contains(object) || look.runs.iter().any(|run| run.object == *object)
}

/// Takes one run into the meters of its object.
fn saw(meters: &mut Vec<Meter>, run: &Run, seen_at: Timestamp, slices: &mut Vec<Slice>) {
    let started_at = to_the_millisecond(run.started_at);
    let before = |meter: &&mut Meter| meter.object == run.object && meter.started_at < started_at;
    if let Some(last) = meters.iter_mut().filter(before).max_by_key(|meter| meter.started_at) {
        last.was_succeeded(run.previous_end, started_at, slices);
    }
    let known = |meter: &&mut Meter| meter.object == run.object && meter.started_at == started_at;
    if let Some(meter) = meters.iter_mut().find(known) {
        meter.saw(run, seen_at, slices);
        return;
    }
    // A run that was not seen to begin may be counted as the end of the one before.
    let earlier = meters.iter().filter(|meter| meter.object == run.object && meter.started_at < started_at);
    let counted_to = earlier.map(|meter| meter.counted_to).chain([started_at]).max().unwrap_or(started_at);
    let (object, part, state) = (run.object.clone(), run.part, MeterState::Running);
    let mut meter = Meter { object, part, started_at, counted_to, seen_at: counted_to, state };
    meter.saw(run, seen_at, slices);
    meters.push(meter);
}

/// In milliseconds: what a slice is cut at.
const HOUR: i64 = 3_600_000;

/// A full hour counts once it is over by so much: the backend's clock, which tells the ends, may be behind ours.
const SETTLED: SignedDuration = SignedDuration::from_secs(60);

/// No look is under way for longer.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);

impl Meter {
    fn saw(&mut self, run: &Run, seen_at: Timestamp, slices: &mut Vec<Slice>) {
        match run.ended_at.map(to_the_millisecond) {
            _ if self.state == MeterState::Ended => {}
            // Nobody stops a volume: what is told is that it is being removed, and that may yet fail.
            Some(end) if self.part.holds_data() => self.stop(end, MeterState::Lost, slices),
            Some(end) => self.stop(end, MeterState::Ended, slices),
            None => self.runs(to_the_millisecond(seen_at), slices),
        }
    }

    /// Its object runs anew, since then. When this run ended is what the backend says, else when it was last seen.
    fn was_succeeded(&mut self, end: Option<Timestamp>, since: Timestamp, slices: &mut Vec<Slice>) {
        let end = end.map(to_the_millisecond).filter(|end| (self.counted_to..=since).contains(end));
        match (self.state, end) {
            (MeterState::Running | MeterState::Lost, Some(end)) => self.stop(end, MeterState::Ended, slices),
            (MeterState::Running, None) => self.stop(self.seen_at, MeterState::Lost, slices),
            (MeterState::Lost, None) | (MeterState::Ended, _) => {}
        }
    }

    fn runs(&mut self, seen_at: Timestamp, slices: &mut Vec<Slice>) {
        if self.state == MeterState::Lost && seen_at <= self.seen_at {
            return;
        }
        self.state = MeterState::Running;
        self.seen_at = self.seen_at.max(seen_at);
        self.count(earlier(self.seen_at, SETTLED), slices);
    }

    fn stop(&mut self, at: Timestamp, state: MeterState, slices: &mut Vec<Slice>) {
        self.state = state;
        self.count(at, slices);
        if at > self.counted_to {
            self.cut(at, slices);
        }
        self.seen_at = self.seen_at.max(self.counted_to);
    }

    /// Cuts off every full hour up to this time.
    fn count(&mut self, until: Timestamp, slices: &mut Vec<Slice>) {
        loop {
            let next = next_hour(self.counted_to);
            if next > until {
                return;
            }
            self.cut(next, slices);
        }
    }

    fn cut(&mut self, to: Timestamp, slices: &mut Vec<Slice>) {
        let (part, object) = (self.part, self.object.clone());
        slices.push(Slice { part, object, from: self.counted_to, to });
        self.counted_to = to;
    }
}

/// The first full hour of UTC after this time.
fn next_hour(at: Timestamp) -> Timestamp {
    let into = at.as_millisecond().rem_euclid(HOUR);
    later(at, SignedDuration::from_millis(HOUR - into))
}

fn to_the_millisecond(at: Timestamp) -> Timestamp {
    let nanos = at.as_nanosecond().rem_euclid(1_000_000);
    earlier(at, SignedDuration::from_nanos(i64::try_from(nanos).unwrap_or(0)))
}

/// Times never come near the ends of what a timestamp can hold.
fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

fn earlier(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}
