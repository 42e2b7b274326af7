//! Completions for shells.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::failure::Done;
use crate::output;

/// `wpaas completions`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  wpaas completions bash > ~/.local/share/bash-completion/completions/wpaas"
)]
pub struct Completions {
    /// Which shell
    shell: Shell,
}

impl Completions {
    /// Prints them.
    pub fn run(&self) -> Done {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut crate::Cli::command(), "wpaas", &mut script);
        output::print(&String::from_utf8_lossy(&script))
    }
}
