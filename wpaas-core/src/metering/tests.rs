use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

const START: i64 = 1_800_000_000_000;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(START + millis).unwrap()
}

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

fn run(part: Part, from: i64, to: Option<i64>) -> Run {
    let object = ObjectId::new(&part.to_string());
    Run { part, object, started_at: at(from), ended_at: to.map(at), previous_end: None }
}

fn look(seen: i64, runs: Vec<Run>) -> Look {
    let site = SiteId::from_uuid(uuid::Uuid::from_u128(1));
    Look { site, seen_at: at(seen), complete: true, runs, others: Vec::new() }
}

/// Meters with what came of them.
#[derive(Debug, Default)]
struct Book {
    meters: Vec<Meter>,
    slices: Vec<Slice>,
}

impl Book {
    fn take(&mut self, look: &Look) {
        let Advanced { meters, slices, forgotten } = advance(&self.meters, look);
        let is = |a: &Meter, b: &Meter| (&a.object, a.started_at) == (&b.object, b.started_at);
        self.meters.retain(|old| meters.iter().chain(&forgotten).all(|new| !is(old, new)));
        self.meters.extend(meters);
        self.slices.extend(slices);
    }

    /// From and to in minutes.
    fn minutes(&self) -> Vec<(i64, i64)> {
        let minutes = |at: Timestamp| (at.as_millisecond() - START) / MINUTE;
        self.slices.iter().map(|slice| (minutes(slice.from), minutes(slice.to))).collect()
    }
}

const NODE: Part = Part::Wordpress(0);

#[test]
fn a_run_is_cut_at_full_hours_and_at_its_end() {
    let mut book = Book::default();
    let runs = |to: Option<i64>| vec![run(NODE, 30 * MINUTE, to)];
    book.take(&look(40 * MINUTE, runs(None)));
    assert_eq!(book.minutes(), []);
    book.take(&look(HOUR + MINUTE - 1, runs(None)));
    assert_eq!(book.minutes(), [], "not settled yet");
    book.take(&look(HOUR + MINUTE, runs(None)));
    book.take(&look(HOUR + MINUTE, runs(None)));
    assert_eq!(book.minutes(), [(30, 60)]);
    book.take(&look(3 * HOUR, runs(Some(2 * HOUR + 5 * MINUTE))));
    assert_eq!(book.minutes(), [(30, 60), (60, 120), (120, 125)]);
    book.take(&look(3 * HOUR, runs(None)));
    book.take(&look(4 * HOUR, Vec::new()));
    assert_eq!(book.minutes().len(), 3, "what has ended does not go on");
}

#[test]
fn what_vanishes_untold_counts_until_it_was_last_seen() {
    let mut book = Book::default();
    book.take(&look(10 * MINUTE, vec![run(NODE, 0, None)]));
    let partial = Look { complete: false, ..look(20 * MINUTE, Vec::new()) };
    book.take(&partial);
    let unsure = Look { others: vec![ObjectId::new("wordpress-0")], ..look(25 * MINUTE, Vec::new()) };
    book.take(&unsure);
    assert_eq!(book.minutes(), [], "neither says that it is gone");
    book.take(&look(5 * MINUTE, Vec::new()));
    assert_eq!(book.minutes(), [], "it began after that look, or was missed by it");
    book.take(&look(30 * MINUTE, Vec::new()));
    assert_eq!(book.minutes(), [(0, 10)]);
    book.take(&look(40 * MINUTE, vec![run(NODE, 0, Some(35 * MINUTE))]));
    assert_eq!(book.minutes(), [(0, 10), (10, 35)], "it was not gone");
}

#[test]
fn a_volume_that_could_not_be_removed_counts_on() {
    let mut book = Book::default();
    let volume = |to: Option<i64>| vec![run(Part::UploadsVolume, 0, to)];
    book.take(&look(10 * MINUTE, volume(None)));
    book.take(&Look { complete: false, ..look(20 * MINUTE, volume(Some(20 * MINUTE))) });
    book.take(&look(15 * MINUTE, volume(None)));
    assert_eq!(book.minutes(), [(0, 20)]);
    book.take(&look(30 * MINUTE, volume(None)));
    book.take(&Look { complete: false, ..look(40 * MINUTE, volume(Some(40 * MINUTE))) });
    assert_eq!(book.minutes(), [(0, 20), (20, 40)]);
}

#[test]
fn restarts_that_nobody_saw_count_as_one_run() {
    let mut book = Book::default();
    book.take(&look(10 * MINUTE, vec![run(NODE, 0, None)]));
    let again = Run { previous_end: Some(at(30 * MINUTE)), ..run(NODE, 31 * MINUTE, None) };
    book.take(&look(40 * MINUTE, vec![again.clone()]));
    assert_eq!(book.minutes(), [(0, 30)]);
    // The look that saw the run in between comes late.
    let between = Run { previous_end: Some(at(11 * MINUTE)), ..run(NODE, 12 * MINUTE, None) };
    book.take(&look(20 * MINUTE, vec![between]));
    let ended = Run { ended_at: Some(at(45 * MINUTE)), ..again };
    book.take(&look(50 * MINUTE, vec![ended]));
    assert_eq!(book.minutes(), [(0, 30), (31, 45)]);
}

#[test]
fn what_is_not_billed_has_no_meter() {
    let advanced =
        advance(&[], &look(0, vec![run(Part::Network, 0, None), run(Part::Release([0; 6]), 0, None)]));
    assert_eq!(advanced, Advanced::default());
}

#[test]
fn what_ended_is_forgotten_after_a_day() {
    let mut book = Book::default();
    book.take(&look(HOUR, vec![run(NODE, 0, Some(MINUTE))]));
    book.take(&look(24 * HOUR, Vec::new()));
    assert_eq!(book.meters.len(), 1);
    book.take(&look(24 * HOUR + 2 * MINUTE, Vec::new()));
    assert_eq!(book.meters, []);
}

/// What really ran.
#[derive(Debug, Clone)]
struct Truth(Vec<Life>);

/// A part, its runs, and when it was removed.
type Life = (Part, Vec<(i64, Option<i64>)>, Option<i64>);

/// After all that happens.
const END: i64 = 16 * HOUR;

impl Truth {
    /// What a listing shows at this time, in milliseconds.
    fn look(&self, now: i64) -> Look {
        let runs = self.0.iter().filter(|(.., removed)| removed.is_none_or(|at| now < at)).filter_map(
            |(part, runs, _)| {
                let n = runs.iter().rposition(|(from, _)| *from <= now)?;
                let (from, to) = runs[n];
                let previous_end = n.checked_sub(1).and_then(|before| runs[before].1).map(at);
                Some(Run { previous_end, ..run(*part, from, to.filter(|to| *to <= now)) })
            },
        );
        look(now, runs.collect())
    }

    /// What the backend tells before it removes something.
    fn told(&self) -> Vec<(i64, Look)> {
        let removed = self.0.iter().filter_map(|(part, runs, removed)| {
            let (from, to) = *runs.last()?;
            let end = to.unwrap_or((*removed)?);
            let told = Look { complete: false, ..look((*removed)?, vec![run(*part, from, Some(end))]) };
            Some(((*removed)?, told))
        });
        removed.collect()
    }

    /// The looks at these times and what is told, in the order of time.
    fn looks(&self, times: &[i64]) -> Vec<(i64, Look)> {
        let mut looks: Vec<_> = times.iter().map(|now| (*now, self.look(*now))).collect();
        looks.extend(self.told());
        looks.sort_by_key(|(now, look)| (*now, look.complete));
        looks
    }

    /// Every run cut at full hours, as a server that never sleeps counts it; of what still runs the hours that are
    /// settled.
    fn uninterrupted(&self) -> Vec<Slice> {
        let mut slices = Vec::new();
        for (part, runs, removed) in &self.0 {
            for (from, to) in runs {
                let to = to.or(*removed).unwrap_or(END - HOUR);
                let hours = (from / HOUR + 1..).map(|hour| hour * HOUR).take_while(|hour| *hour < to);
                let cuts: Vec<i64> = [*from].into_iter().chain(hours).chain([to]).collect();
                let object = ObjectId::new(&part.to_string());
                let slice = |pair: &[i64]| Slice {
                    part: *part,
                    object: object.clone(),
                    from: at(pair[0]),
                    to: at(pair[1]),
                };
                slices.extend(cuts.windows(2).filter(|pair| pair[0] < pair[1]).map(slice));
            }
        }
        slices.sort();
        slices
    }

    /// In milliseconds.
    fn total(&self) -> i64 {
        let of = |(_, runs, removed): &Life| -> i64 {
            runs.iter().map(|(from, to)| to.or(*removed).unwrap_or(END) - from).sum()
        };
        self.0.iter().map(of).sum()
    }
}

/// Runs of one part: of so many milliseconds each, so far apart; the last may go on, and the part be removed.
fn of_part(part: Part) -> impl Strategy<Value = Life> {
    let spans = prop::collection::vec((2 * MINUTE..3 * HOUR, 2 * MINUTE..20 * MINUTE), 1..4);
    (0..HOUR, spans, any::<bool>(), any::<bool>()).prop_map(move |(begin, spans, stops, goes)| {
        let mut now = begin;
        let mut runs = Vec::new();
        let spans = if part.holds_data() { &spans[..1] } else { &spans[..] };
        for (long, gap) in spans {
            runs.push((now, Some(now + long)));
            now += long + gap;
        }
        let last = runs.last_mut().unwrap();
        let stopped = last.1.unwrap();
        if part.holds_data() || !stops {
            last.1 = None;
        }
        (part, runs, goes.then_some(stopped + MINUTE))
    })
}

fn truth() -> impl Strategy<Value = Truth> {
    (of_part(NODE), of_part(Part::Database(0)), of_part(Part::UploadsVolume))
        .prop_map(|(a, b, c)| Truth(vec![a, b, c]))
}

/// The looks of a server that is down now and then, that crashes before it has kept what it saw, and whose looks
/// are kept twice or late. What is told before a removal is kept, or the removal waits.
fn as_seen(truth: &Truth, times: &[i64], late: &[(Index, Index)]) -> Vec<Look> {
    let mut seen: Vec<Look> = truth.looks(times).into_iter().map(|(_, look)| look).collect();
    seen.push(truth.look(END));
    for (from, to) in late {
        let look = seen[from.index(seen.len())].clone();
        seen.insert(to.index(seen.len()), look);
    }
    seen
}

/// At least one look in each run, so that the backend could tell of all.
fn in_each_run(truth: &Truth, within: &[Index]) -> Vec<i64> {
    let runs = truth.0.iter().flat_map(|(_, runs, removed)| {
        runs.iter().map(move |(from, to)| (*from, to.or(*removed).unwrap_or(END)))
    });
    let in_run = |((from, to), within): ((i64, i64), &Index)| {
        let long = usize::try_from(to - from).unwrap();
        from + i64::try_from(within.index(long)).unwrap()
    };
    runs.zip(within.iter().cycle()).map(in_run).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    /// The records of any server are those of one that never slept, as long as each run was seen while it ran.
    #[test]
    fn any_interleaving_gives_the_same_records(
        truth in truth(),
        within in prop::collection::vec(any::<Index>(), 12),
        more in prop::collection::vec(0..END, 0..12),
        again in prop::collection::vec((any::<Index>(), any::<Index>()), 0..8),
    ) {
        let times: Vec<i64> = in_each_run(&truth, &within).into_iter().chain(more).collect();
        let looks = as_seen(&truth, &times, &[]);
        let mut book = Book::default();
        for (n, look) in looks.iter().enumerate() {
            book.take(look);
            // What was seen before comes again: from the same server, or another that was slower.
            for (_, old) in again.iter().filter(|(when, _)| when.index(looks.len()) == n) {
                book.take(&looks[old.index(n + 1)]);
            }
        }
        book.slices.sort();
        prop_assert_eq!(book.slices, truth.uninterrupted());
    }

    /// Whatever was missed and in whatever order it came, no time counts twice, and of what did not run only the
    /// pauses between restarts that nobody saw can be billed.
    #[test]
    fn whatever_was_missed_nothing_counts_twice(
        truth in truth(),
        times in prop::collection::vec(0..END, 0..6),
        late in prop::collection::vec((any::<Index>(), any::<Index>()), 0..6),
    ) {
        let mut book = Book::default();
        for look in as_seen(&truth, &times, &late) {
            book.take(&look);
        }
        book.slices.sort_by_key(|slice| (slice.object.clone(), slice.from));
        for pair in book.slices.windows(2) {
            prop_assert!(pair[0].object != pair[1].object || pair[0].to <= pair[1].from, "{:?}", pair);
        }
        let counted: i64 = book.slices.iter().map(|s| s.to.as_millisecond() - s.from.as_millisecond()).sum();
        let pauses: i64 = truth.0.iter().flat_map(|(_, runs, _)| runs.windows(2))
            .map(|pair| pair[1].0 - pair[0].1.unwrap()).sum();
        prop_assert!(counted <= truth.total() + pauses, "{counted} of {} + {pauses}", truth.total());
    }
}
