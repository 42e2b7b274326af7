//! Planning a site that has converged allocates nothing: a fleet of any size costs its sites alone. A test binary of
//! its own, since every other thread's allocations would count.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use peak_alloc::PeakAlloc;
use wpaas_core::converge::trial::{Change, Op, Trial, wanted};
use wpaas_core::converge::{Coverage, Facts, Intent, Part, Scope, Wanted, plan};
use wpaas_core::site::DatabaseSize::{One, Three};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// Whether this takes anything from the heap, however short the time.
fn allocates<T>(what: impl FnOnce() -> T) -> bool {
    HEAP.reset_peak_usage();
    let before = HEAP.current_usage();
    let made = what();
    let peak = HEAP.peak_usage();
    drop(made);
    peak > before
}

/// A site that has converged after these changes.
fn converged(trial: Trial, changes: &[Change]) -> (Intent, Facts) {
    let mut trial = trial;
    trial.converge().unwrap();
    for change in changes {
        trial.take(Op::User(*change)).unwrap();
        trial.converge().unwrap();
    }
    let (intent, world) = (trial.intent().clone(), trial.world());
    let objects =
        world.list(&Scope::Site(intent.site)).objects.into_iter().map(|(_, object)| object).collect();
    let reports = world.reports(intent.site).into_iter().map(Into::into).collect();
    (intent, Facts { coverage: Coverage::Complete, objects, reports, ..Facts::nothing() })
}

#[test]
fn a_converged_site_is_planned_without_an_allocation() {
    assert!(allocates(|| std::hint::black_box(Box::new(1))), "an allocation is seen");
    let sites = [
        ("the smallest", converged(Trial::new(plan, wanted(1, One)), &[])),
        ("three database nodes", converged(Trial::new(plan, wanted(5, Three)), &[Change::Domain(1)])),
        ("many instances", converged(Trial::new(plan, wanted(20, One)), &[])),
        ("a release and another's preview", {
            let changes = [Change::Release(Some(1)), Change::Preview(Some(2))];
            converged(Trial::new(plan, wanted(2, One)), &changes)
        }),
        ("at rest", converged(Trial::new(plan, wanted(2, Three)), &[Change::Rest])),
    ];
    for (name, (intent, facts)) in &sites {
        assert!(plan(intent, facts).is_empty(), "{name}: {}", plan(intent, facts));
        assert!(!allocates(|| plan(intent, facts)), "{name}");
    }
    let (_, (intent, facts)) = &sites[3];
    let Wanted::Run(run) = &intent.wanted else { panic!("it runs") };
    assert_eq!(run.previews.len(), 1);
    assert!(facts.objects.iter().any(|object| matches!(object.part, Part::Release(_))));
}
