//! The reference server of wpaas, a control plane for WordPress hosting.

use std::process::ExitCode;

/// Most of a request's time goes by in allocations; this one takes half of the system's.
#[global_allocator]
static HEAP: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    wpaas_server::cli::main()
}
