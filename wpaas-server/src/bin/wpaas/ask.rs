//! Asks before what can't be taken back.

use std::io::{IsTerminal, Write};

use clap::Args;

use crate::failure::{Done, Failure};

/// Of commands that destroy.
#[derive(Debug, Args)]
pub struct Confirm {
    /// Does not ask
    #[arg(short, long)]
    yes: bool,
}

impl Confirm {
    /// Goes on only if somebody says so.
    pub fn ask(&self, question: &str) -> Done {
        if self.yes {
            return Ok(());
        }
        if !std::io::stdin().is_terminal() {
            return Err(Failure::Usage(format!(
                "{question}: give --yes to mean it; nobody is there to be asked"
            )));
        }
        eprint!("{question}? [y/N] ");
        let mut answer = String::new();
        let asked = std::io::stderr().flush().and_then(|()| std::io::stdin().read_line(&mut answer));
        asked.map_err(|error| Failure::Other(error.to_string()))?;
        match answer.trim() {
            "y" | "Y" | "yes" => Ok(()),
            _ => Err(Failure::Other("nothing was done".to_owned())),
        }
    }
}
