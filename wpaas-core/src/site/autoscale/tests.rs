use proptest::prelude::*;

use super::*;
use crate::service::test::NOW;

const BOUNDS: Autoscale = Autoscale { min: 1, max: 10, target: 4 };

fn at(seconds: i64) -> Timestamp {
    NOW + SignedDuration::from_secs(seconds)
}

/// The number of a report.
fn step(now: i64) -> usize {
    usize::try_from(now / 5).unwrap()
}

/// A site whose gateway reports every five seconds, and what was decided for it.
struct Site {
    bounds: Autoscale,
    instances: u16,
    since: Timestamp,
    now: i64,
    history: LoadHistory,
    changes: Vec<(i64, u16)>,
}

impl Site {
    fn new(bounds: Autoscale, instances: u16) -> Self {
        Self { bounds, instances, since: at(0), now: 0, history: LoadHistory::default(), changes: Vec::new() }
    }

    /// So many seconds of these loads, in hundredths, one after the other.
    fn under(&mut self, seconds: i64, load: impl Fn(i64) -> u32) {
        let pace = Pace::default();
        let end = self.now + seconds;
        while self.now < end {
            self.now += 5;
            self.history.saw(0, at(self.now), Load(load(self.now)), &pace);
            let decided =
                self.bounds.decide((self.instances, self.since), &self.history, &pace, at(self.now));
            if let Some(decided) = decided.filter(|decided| decided.instances != self.instances) {
                self.instances = decided.instances;
                self.since = at(self.now);
                self.changes.push((self.now, self.instances));
            }
        }
    }
}

#[test]
fn instances_follow_a_load_up_at_once_and_down_after_a_while() {
    let mut site = Site::new(BOUNDS, 1);
    site.under(600, |_| 100);
    assert_eq!(site.changes, []);
    site.under(60, |_| 2400);
    assert_eq!(site.instances, 6);
    assert_eq!(
        site.changes.iter().map(|(_, to)| *to).collect::<Vec<_>>(),
        [2, 4, 6],
        "twice as many at most"
    );
    let up = site.now;
    site.under(290, |_| 0);
    assert_eq!(site.instances, 6, "a pause is no end");
    site.under(60, |_| 0);
    assert_eq!(site.instances, 1);
    assert!(site.changes.last().unwrap().0 >= up + 290);
}

#[test]
fn what_is_not_measured_changes_nothing() {
    let pace = Pace::default();
    let decide = |history: &LoadHistory, now| BOUNDS.decide((3, at(0)), history, &pace, at(now));
    let mut history = LoadHistory::default();
    assert_eq!(decide(&history, 1000), None);
    for second in (1000..1300).step_by(5) {
        history.saw(0, at(second), Load(0), &pace);
    }
    assert_eq!(decide(&history, 1299).unwrap().instances, 3, "not known for long enough");
    history.saw(0, at(1300), Load(0), &pace);
    assert_eq!(decide(&history, 1300).unwrap().instances, 1);
    assert_eq!(decide(&history, 1330), None, "the gateway is silent");
    history.saw(0, at(1400), Load(0), &pace);
    assert_eq!(decide(&history, 1401), None, "and what was before counts no more");
    // A clock that was set back: what was said before counts no more, either.
    history.saw(0, at(1200), Load(9000), &pace);
    assert_eq!(history.mean(at(1215), pace.up), Some(Load(9000)));
}

#[test]
fn what_several_gateways_count_is_taken_together() {
    let pace = Pace::default();
    let mut history = LoadHistory::default();
    let hear = |history: &mut LoadHistory, seconds: std::ops::Range<i64>, loads: &[(u8, u32)]| {
        for second in seconds.step_by(5) {
            for (gateway, load) in loads {
                history.saw(*gateway, at(second), Load(*load), &pace);
            }
        }
    };
    hear(&mut history, 0..320, &[(0, 600), (1, 200)]);
    assert_eq!(history.mean(at(319), pace.up), Some(Load(800)));
    assert_eq!(history.most(at(319), pace.down), Some(Load(800)));
    // The one dies; while that is not certain, what it said last counts.
    hear(&mut history, 320..340, &[(1, 700)]);
    assert_eq!(history.mean(at(335), pace.up), Some(Load(1300)));
    assert_eq!(history.mean(at(340), pace.up), Some(Load(700)));
    // Its successor has to be heard for as long as a decision looks back.
    hear(&mut history, 340..360, &[(0, 100), (1, 700)]);
    assert_eq!(history.mean(at(355), pace.up), Some(Load(800)));
    assert_eq!(history.most(at(355), pace.down), None);
}

#[test]
fn a_gateway_that_lies_takes_no_more_than_the_bounds_allow_and_no_memory() {
    let pace = Pace::default();
    let mut history = LoadHistory::default();
    for tenth in 0..6000 {
        let now = at(0) + SignedDuration::from_millis(tenth * 100);
        for gateway in 0..2 {
            history.saw(gateway, now, Load(u32::MAX), &pace);
        }
    }
    assert_eq!(history.mean(at(600), pace.up), Some(Load(u32::MAX)));
    assert_eq!(BOUNDS.decide((9, at(0)), &history, &pace, at(600)).unwrap().instances, BOUNDS.max);
    let kept: Vec<_> = history.gateways.values().map(VecDeque::len).collect();
    assert!(kept.iter().all(|kept| *kept <= 321), "{kept:?}");
}

#[test]
fn a_person_is_told_why() {
    let mut site = Site::new(Autoscale { max: 2, ..BOUNDS }, 2);
    site.under(60, |_| 2000);
    let decided = site.bounds.decide((2, at(0)), &site.history, &Pace::default(), at(site.now)).unwrap();
    assert_eq!(decided.instances, 2);
    assert_eq!(decided.why, "20.0 requests under way need 4 instances, and more than max are not allowed");
}

proptest! {
    /// Whatever the load does: the bounds hold, changes are apart, and none is more than twice what was.
    #[test]
    fn bounds_and_pace_hold(
        (min, more, target) in (1_u16..5, 0_u16..10, 1_u16..10),
        loads in prop::collection::vec(0_u32..8000, 1..300),
    ) {
        let bounds = Autoscale { min, max: min + more, target };
        let mut site = Site::new(bounds, min);
        site.under(i64::try_from(loads.len()).unwrap() * 5, |now| loads[step(now) - 1]);
        let mut before = (0, min);
        for (when, to) in &site.changes {
            prop_assert!((min..=min + more).contains(to));
            prop_assert!(*when - before.0 >= 15 && *to <= before.1.max(1) * 2);
            prop_assert!(*to > before.1 || *when - before.0 >= 300);
            before = (*when, *to);
        }
    }

    /// A load that stays, give or take a tenth, is reached, and then nothing changes any more.
    #[test]
    fn a_steady_load_is_reached_and_kept(load in 0_u32..6000, noise in prop::collection::vec(95_u32..105, 8), from in 1_u16..=10) {
        let mut site = Site::new(BOUNDS, from);
        let noisy = |now: i64| load * noise[step(now) % 8] / 100;
        site.under(1200, noisy);
        let settled = site.changes.len();
        // Measured are 95 of 100 of it at least.
        let each = f64::from(load) / 100.0 / f64::from(site.instances);
        prop_assert!(each <= 4.0 * 1.1 / 0.95 + 0.01 || site.instances == 10, "{each} each of {}", site.instances);
        let with_one_less = f64::from(load) / 100.0 / f64::from(site.instances.max(2) - 1);
        prop_assert!(site.instances == 1 || with_one_less >= 4.0 * 0.9 * 0.9, "{with_one_less}");
        site.under(3600, noisy);
        prop_assert_eq!(site.changes.len(), settled, "{:?}", site.changes);
    }
}
