//! The command line.

use std::fs::{File, OpenOptions};
#[cfg(feature = "aws")]
use std::io::Write as _;
use std::io::{BufReader, BufWriter};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::signal::unix::{Signal, SignalKind, signal};

#[cfg(feature = "aws")]
use wpaas_backend_aws::user_data;
#[cfg(feature = "aws")]
use wpaas_core::converge::NodeRole;

#[cfg(feature = "aws")]
use crate::backends;
use crate::config::{Flags, Settings, unknown_variables};
use crate::{Server, dns, problem, storage, telemetry};

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
    /// Answers DNS for the sites' names from the zone's file alone, which a server writes
    Dns,
    /// Prints the configuration that would be used, as TOML, and starts nothing
    CheckConfig,
    /// Writes the state into a new file, as it is at one moment; servers can go on working
    Export {
        /// Must not be there yet
        file: PathBuf,
    },
    /// Reads an exported state into the configured database, which must hold nothing yet; no server may run on it
    Import {
        /// What `export` wrote
        file: PathBuf,
    },
    /// Prints the user data of an instance from which to make an AMI with the nodes' packages, gzipped
    #[cfg(feature = "aws")]
    BakeUserData {
        /// The kinds of node that are to boot from it; all by default
        #[arg(value_enum)]
        roles: Vec<BakedRole>,
    },
}

/// A kind of node.
#[cfg(feature = "aws")]
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum BakedRole {
    Database,
    Wordpress,
    Gateway,
}

#[cfg(feature = "aws")]
impl From<BakedRole> for NodeRole {
    fn from(role: BakedRole) -> Self {
        match role {
            BakedRole::Database => Self::Database,
            BakedRole::Wordpress => Self::Wordpress,
            BakedRole::Gateway => Self::Gateway,
        }
    }
}

/// Does what the command line says, and returns what the process is to end with.
#[must_use]
pub fn main() -> ExitCode {
    let Cli { flags, command } = Cli::parse();
    let done = match command.unwrap_or(Command::Serve) {
        Command::Serve => serve(flags),
        Command::Dns => answer_dns(flags),
        Command::CheckConfig => check_config(flags),
        Command::Export { file } => export(flags, &file),
        Command::Import { file } => import(flags, &file),
        #[cfg(feature = "aws")]
        Command::BakeUserData { roles } => bake_user_data(flags, &roles),
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
async fn export(flags: Flags, path: &Path) -> Done {
    let store = storage::database(&Settings::load(flags)?).await?;
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut to = BufWriter::new(file.map_err(|error| format!("{} can't be made: {error}", path.display()))?);
    let rows = store.export(&mut to).await?;
    to.into_inner()?.sync_all()?;
    println!("{rows} rows; keep it with a copy of the data folder: keys and releases are in that alone");
    Ok(())
}

#[tokio::main]
async fn import(flags: Flags, path: &Path) -> Done {
    let settings = Settings::load(flags)?;
    storage::private_folder(&settings.data)?;
    let from = File::open(path).map_err(|error| format!("{} can't be read: {error}", path.display()))?;
    let rows = storage::database(&settings).await?.import(BufReader::new(from)).await?;
    println!("{rows} rows");
    Ok(())
}

#[cfg(feature = "aws")]
fn bake_user_data(flags: Flags, roles: &[BakedRole]) -> Done {
    let settings = Settings::load(flags)?;
    let aws =
        settings.aws.ok_or("[aws] is not configured: the image is made for one installation's bucket")?;
    let all = [BakedRole::Database, BakedRole::Wordpress, BakedRole::Gateway];
    let roles = if roles.is_empty() { &all } else { roles };
    let roles: Vec<_> = roles.iter().copied().map(NodeRole::from).collect();
    Ok(std::io::stdout().write_all(&user_data::bake(&backends::aws::config(&aws), &roles))?)
}

#[tokio::main]
async fn answer_dns(flags: Flags) -> Done {
    let settings = Settings::load(flags)?;
    telemetry::start(&settings.log)?;
    let zone = settings.dns.zone_file(&settings.data);
    let mut orders = Orders::heard()?;
    Ok(dns::run(settings.dns.listen, zone, async move { orders.given().await }).await?)
}

#[tokio::main]
async fn serve(flags: Flags) -> Done {
    let settings = Settings::load(flags)?;
    telemetry::start(&settings.log)?;
    for name in unknown_variables::<Cli>() {
        tracing::warn!(name, "nothing reads this variable of the environment; is it mistyped?");
    }
    // Before it listens: whoever gets an answer may end it in order.
    let mut orders = Orders::heard()?;
    let server = tokio::select! {
        started = Server::start(settings) => started?,
        () = orders.given() => return Ok(()),
    };
    let asked = tokio::select! {
        () = orders.given() => true,
        () = server.broken() => false,
    };
    tracing::info!("stopping");
    server.stop().await;
    tracing::info!("stopped");
    if asked { Ok(()) } else { Err("a part of the server ended by itself; the log says why".into()) }
}

/// The signals that tell the program to end. From when they are heard on they do no more than that.
struct Orders {
    terminate: Signal,
    interrupt: Signal,
}

impl Orders {
    fn heard() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn given(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
