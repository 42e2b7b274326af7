//! The server as a process of its own, which a test can kill.

use std::process::ExitCode;

fn main() -> ExitCode {
    wpaas_server::cli::main()
}
