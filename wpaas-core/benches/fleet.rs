//! What a fleet costs: P1 to P4 and P12 of the figures in README.md, each over sites that have converged.
//!
//! `cargo bench -p wpaas-core --all-features --bench fleet -- MEASURE SITES`, where MEASURE is one of
//!
//! - `pass`: microseconds a site of taking in a complete listing that shows nothing new;
//! - `memory`: bytes of heap a site that the converger's own state takes;
//! - `drift`: microseconds from a hint that a node died to the first step of the plan that replaces it, p50;
//! - `idle`: milliseconds of processor time that 10 s of nothing to do take, on average: a resync in each, and one
//!   reading of all that is wanted in three of them; what nodes report is not counted;
//! - `start`: seconds from the converger's start to the last site's first pass.
//!
//! Prints `NAME VALUE` lines, for `scripts/bench` to set side by side with a peer.
#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]
#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

#[path = "fleet/fakes.rs"]
mod fakes;
#[path = "fleet/made.rs"]
mod made;

use std::time::{Duration, Instant as Clock};

use fakes::{Fakes, Running};
use made::Fleet;
use peak_alloc::PeakAlloc;
use tokio::time::Instant;
use wpaas_core::converge::Scope;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// Runs of a measure; the median is printed.
const ROUNDS: usize = 5;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let [measure, sites] = arguments.as_slice() else {
        println!("usage: fleet pass|memory|drift|idle|start SITES");
        return;
    };
    let sites = sites.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        match measure.as_str() {
            "pass" => pass(&Fleet::of(sites)),
            "memory" => memory(sites).await,
            "drift" => drift(sites).await,
            "idle" => idle(sites).await,
            "start" => start(sites).await,
            other => panic!("{other}: not a measure"),
        }
    });
}

fn pass(fleet: &Fleet) {
    let (mut view, mut listed) = (fleet.known(), Vec::new());
    for _ in 0..ROUNDS {
        let seen = fleet.listing();
        let began = Clock::now();
        let changed = view.listed(&Scope::Fleet, Instant::now(), seen);
        listed.push(micros(began, fleet.len()));
        assert_eq!(changed, [], "nothing has changed");
    }
    println!("pass_us_per_site {:.3}", median(&mut listed));
}

/// What the converger holds, beyond what the fakes do.
async fn memory(sites: usize) {
    let fleet = Fleet::of(sites);
    let fakes = Fakes::of(&fleet);
    let before = HEAP.current_usage();
    let _running = fakes.run().await;
    let held = HEAP.current_usage().saturating_sub(before);
    println!("heap_bytes_per_site {}", held / sites);
}

async fn drift(sites: usize) {
    let fleet = Fleet::of(sites);
    let running = Fakes::of(&fleet).run().await;
    let mut took = Vec::new();
    for n in 0..1000 {
        took.push(running.backend.killed_until_step(n * 7919 % sites).await.as_secs_f64() * 1e6);
    }
    println!("drift_us_p50 {:.1}", median(&mut took));
}

async fn idle(sites: usize) {
    let running = Fakes::of(&Fleet::of(sites)).run().await;
    // All is listed every 10 s, and what is wanted is read every 30 s: both from 22 s to 32 s, one from 34 s to 44 s.
    tokio::time::sleep(Duration::from_secs(15)).await;
    let with_reading = quiet_ms(&running, Duration::from_secs(7)).await;
    let without = quiet_ms(&running, Duration::from_secs(2)).await;
    println!("idle_ms_with_reading {with_reading:.1}");
    println!("idle_ms_without {without:.1}");
    println!("idle_ms_per_10s {:.1}", (with_reading + 2.0 * without) / 3.0);
}

/// What 10 s take, so long after all nodes have reported: else they are silent after 20 s.
async fn quiet_ms(running: &Running, after: Duration) -> f64 {
    running.book.report();
    tokio::time::sleep(after).await;
    let worked = processor_s();
    tokio::time::sleep(Duration::from_secs(10)).await;
    (processor_s() - worked) * 1e3
}

async fn start(sites: usize) {
    let fleet = Fleet::of(sites);
    let fakes = Fakes::of(&fleet);
    let (began, worked) = (Clock::now(), processor_s());
    let _running = fakes.run().await;
    println!("start_s {:.3}", began.elapsed().as_secs_f64());
    println!("start_processor_s {:.2}", processor_s() - worked);
}

/// Processor time of this process's threads so far, as Linux counts it in nanoseconds.
fn processor_s() -> f64 {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let nanos = threads.map(|thread| {
        let stat = std::fs::read_to_string(thread.unwrap().path().join("schedstat")).unwrap();
        stat.split_whitespace().next().unwrap().parse::<f64>().unwrap()
    });
    nanos.sum::<f64>() / 1e9
}

fn micros(began: Clock, sites: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "some thousands of sites")]
    let sites = sites as f64;
    began.elapsed().as_secs_f64() * 1e6 / sites
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
