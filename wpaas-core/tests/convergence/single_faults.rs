//! Every step of every way × every single fault of [`faults`].
//!
//! All pairs of faults are a long run: `WPAAS_PAIRS=1 cargo test --release -p wpaas-core --test convergence pairs`
//! takes every pair, `WPAAS_PAIRS=101` one of each 101.

use wpaas_core::converge::plan;
use wpaas_core::converge::trial::faults::{self, Fault, Way};

/// Goes a way with these faults, and panics where it fails. Returns how many steps it had.
fn go(way: &Way, faults: &[(usize, Fault)]) -> usize {
    way.go(faults).unwrap_or_else(|failure| panic!("{}, {faults:?}: {failure}", way.name))
}

/// Every moment of every way. Returns how many there were.
fn every_moment(fault: Fault) -> usize {
    let mut moments = 0;
    for way in faults::ways(plan) {
        for moment in 0.. {
            if go(&way, &[(moment, fault)]) <= moment {
                break;
            }
            moments += 1;
        }
    }
    moments
}

/// A quarter of the faults each, so that they are tried beside each other.
fn every_fault_at_every_moment(quarter: usize) {
    for fault in Fault::all().into_iter().skip(quarter).step_by(4) {
        let moments = every_moment(fault);
        assert!(moments > 100, "{fault:?}: {moments}");
    }
}

#[test]
fn every_single_fault_at_every_step_0() {
    every_fault_at_every_moment(0);
}

#[test]
fn every_single_fault_at_every_step_1() {
    every_fault_at_every_moment(1);
}

#[test]
fn every_single_fault_at_every_step_2() {
    every_fault_at_every_moment(2);
}

#[test]
fn every_single_fault_at_every_step_3() {
    every_fault_at_every_moment(3);
}

/// Every pair of faults, at every two moments of every way; without the variable none.
#[test]
fn all_pairs_of_faults() {
    let Some(one_of) = std::env::var("WPAAS_PAIRS").ok().and_then(|n| n.parse::<usize>().ok()) else {
        return;
    };
    let (all, mut pair, mut went) = (Fault::all(), 0, 0);
    for way in faults::ways(plan) {
        let steps = go(&way, &[]);
        for (first, second) in
            (0..steps).flat_map(|first| (first + 1..=steps).map(move |second| (first, second)))
        {
            for (one, other) in all.iter().flat_map(|one| all.iter().map(move |other| (*one, *other))) {
                pair += 1;
                if usize::is_multiple_of(pair, one_of.max(1)) {
                    go(&way, &[(first, one), (second, other)]);
                    went += 1;
                }
            }
        }
    }
    println!("{went} of {pair} pairs");
    assert!(went > 0, "WPAAS_PAIRS={one_of} leaves none of {pair}");
}
