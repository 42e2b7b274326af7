//! The command line.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{Flags, Settings, unknown_variables};
use crate::{Server, problem, telemetry};

/// A control plane for WordPress hosting: serves the API and keeps the sites as they should be.
///
/// Starts with no configuration at all, on Docker, at <http://127.0.0.1:8080>. The first start writes the
/// operator's token into the data folder and says where.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves; the same as no command
    Serve,
    /// Prints the configuration that would be used, as TOML, and starts nothing
    CheckConfig,
}

/// Does what the command line says, and returns what the process is to end with.
#[must_use]
pub fn main() -> ExitCode {
    let Cli { flags, command } = Cli::parse();
    let done = match command.unwrap_or(Command::Serve) {
        Command::Serve => serve(flags),
        Command::CheckConfig => check_config(flags),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("wpaas-server: {}", problem::chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

type Done = Result<(), Box<dyn std::error::Error>>;

fn check_config(flags: Flags) -> Done {
    print!("{}", toml::to_string(&Settings::load(flags)?)?);
    Ok(())
}

#[tokio::main]
async fn serve(flags: Flags) -> Done {
    let settings = Settings::load(flags)?;
    telemetry::start(&settings.log)?;
    for name in unknown_variables::<Cli>() {
        tracing::warn!(name, "nothing reads this variable of the environment; is it mistyped?");
    }
    let server = Server::start(settings).await?;
    let asked = tokio::select! {
        asked = told_to_stop() => asked.map(|()| true)?,
        () = server.broken() => false,
    };
    tracing::info!("stopping");
    server.stop().await;
    tracing::info!("stopped");
    if asked { Ok(()) } else { Err("a part of the server ended by itself; the log says why".into()) }
}

async fn told_to_stop() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        done = tokio::signal::ctrl_c() => done,
        _ = terminate.recv() => Ok(()),
    }
}
