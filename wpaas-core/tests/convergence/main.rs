//! Convergence under faults: what must never happen is checked after every step, what must happen at the end.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod conformance;
mod mutants;
mod passes;
mod random;
mod single_faults;
mod storms;
