//! The reference server of wpaas, a control plane for WordPress hosting.

use std::process::ExitCode;

fn main() -> ExitCode {
    wpaas_server::cli::main()
}
