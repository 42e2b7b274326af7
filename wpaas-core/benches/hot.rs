//! What the converger does most, each by itself over converged sites of six parts: planning, queueing, and taking in a
//! listing that shows nothing new. Each figure is of all sites; `thrpt` tells how many a second.
//!
//! `cargo bench -p wpaas-core --all-features --bench hot`; a word behind `--` chooses, such as `-- plan`.
#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

#[path = "fleet/made.rs"]
mod made;

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, Criterion, Throughput};
use made::Fleet;
use tokio::time::Instant;
use wpaas_core::converge::{Scope, WorkQueue, plan};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for sites in [1_000, 10_000, 100_000] {
        let fleet = Fleet::of(sites);
        let mut group = criterion.benchmark_group(format!("{sites} sites"));
        group.throughput(Throughput::Elements(fleet.len() as u64)).sample_size(10);
        planned(&mut group, &fleet);
        queued(&mut group, &fleet);
        listed(&mut group, &fleet);
    }
    criterion.final_summary();
}

fn planned(group: &mut BenchmarkGroup<'_, WallTime>, fleet: &Fleet) {
    let (view, now) = (fleet.known(), Instant::now());
    let all = || {
        let planned = |intent| plan(intent, &view.facts(intent.site, now));
        assert!(fleet.intents.iter().map(planned).all(|plan| black_box(plan).is_empty()));
    };
    group.bench_function("plan", |bencher| bencher.iter(all));
}

/// Each site is due late at first, and then at once: as after a change of one that was to be tried again.
fn queued(group: &mut BenchmarkGroup<'_, WallTime>, fleet: &Fleet) {
    let now = Instant::now();
    let all = || {
        let mut queue = WorkQueue::default();
        for intent in &fleet.intents {
            queue.add_at(intent.site, now + Duration::from_secs(60));
        }
        for intent in &fleet.intents {
            queue.add(intent.site);
        }
        let taken = std::iter::from_fn(|| queue.pop(now)).count();
        assert_eq!((taken, queue.next_due(now)), (fleet.len(), None));
    };
    group.bench_function("queue", |bencher| bencher.iter(all));
}

fn listed(group: &mut BenchmarkGroup<'_, WallTime>, fleet: &Fleet) {
    let mut view = fleet.known();
    let mut all =
        |seen| assert_eq!(view.listed(&Scope::Fleet, Instant::now(), seen), [], "nothing has changed");
    group.bench_function("view", |bencher| {
        bencher.iter_batched(|| fleet.listing(), &mut all, BatchSize::PerIteration);
    });
}
