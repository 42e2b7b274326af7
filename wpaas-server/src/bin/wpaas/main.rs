//! `wpaas`, the command line of those who use the API. It speaks HTTP and knows nothing else of the server.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod api;
mod ask;
mod completions;
mod config;
mod customers;
mod domains;
mod events;
mod failure;
mod keys;
mod login;
mod logins;
mod orgs;
mod output;
mod place;
mod problem;
mod quota;
mod secret;
mod sites;
mod spaces;
mod sso;
mod usage;
mod users;
mod webhooks;

use api::Api;
use config::Global;
use failure::{Done, EXIT_CODES, Failure};

/// Manages customers, orgs, spaces, users and their WordPress sites over the API of a wpaas server.
///
/// Sign in once, then make a site and wait until it serves:
///
///     wpaas login --api https://wpaas.example.com --key-file key.txt
///     wpaas sites create blog --code https://github.com/acme/blog.git --ref main --instances 2 --wait
///     wpaas sites list
///
/// Secrets never stand on the command line: they come from a file, or from the standard input with `-`, which
/// is asked for without echo on a terminal.
#[derive(Debug, Parser)]
#[command(name = "wpaas", version, verbatim_doc_comment, after_long_help = EXIT_CODES)]
#[command(after_help = "`wpaas --help` has examples and the exit codes.", arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Signs in: checks a key, or makes one with a password, and keeps it
    Login(login::Login),
    /// Forgets the key that `login` kept
    Logout,
    /// Customers
    #[command(subcommand)]
    Customers(customers::Command),
    /// Orgs of a customer
    #[command(subcommand)]
    Orgs(orgs::Command),
    /// Spaces of an org
    #[command(subcommand)]
    Spaces(spaces::Command),
    /// Users of a customer
    #[command(subcommand)]
    Users(users::Command),
    /// API keys of a user, or of the customer's own identity
    #[command(subcommand)]
    Keys(keys::Command),
    /// Accounts at identity providers that sign you in; `login --sso PROVIDER --link` adds one
    #[command(subcommand)]
    Logins(logins::Command),
    /// Sites
    #[command(subcommand)]
    Sites(Box<sites::Command>),
    /// The domains that a site asks for
    #[command(subcommand)]
    Domains(domains::Command),
    /// What happened, and what happens
    Events(events::Events),
    /// What an org used: instances and storage over time
    Usage(usage::Usage),
    /// Where the operator is told what happens
    #[command(subcommand)]
    Webhooks(webhooks::Command),
    /// Prints completions for a shell
    Completions(completions::Completions),
}

fn main() -> ExitCode {
    let Cli { global, command } = Cli::parse();
    let output = global.output;
    match run(&global, command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn run(global: &Global, command: Command) -> Done {
    match command {
        Command::Login(login) => login.run(global).await,
        Command::Logout => login::forget(global),
        Command::Completions(completions) => completions.run(),
        command => call(&Api::new(global)?, command).await,
    }
}

async fn call(api: &Api, command: Command) -> Done {
    match command {
        Command::Customers(command) => command.run(api).await,
        Command::Orgs(command) => command.run(api).await,
        Command::Spaces(command) => command.run(api).await,
        Command::Users(command) => command.run(api).await,
        Command::Keys(command) => command.run(api).await,
        Command::Logins(command) => command.run(api).await,
        Command::Sites(command) => command.run(api).await,
        Command::Domains(command) => command.run(api).await,
        Command::Events(events) => events.run(api).await,
        Command::Usage(usage) => usage.run(api).await,
        Command::Webhooks(command) => command.run(api).await,
        Command::Login(_) | Command::Logout | Command::Completions(_) => {
            Err(Failure::Other("this command needs no server".to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Cli;

    /// What says nothing of itself.
    fn silent(command: &clap::Command, path: &str, found: &mut Vec<String>) {
        let path = format!("{path} {}", command.get_name());
        if command.get_about().is_none() {
            found.push(path.clone());
        }
        let arguments = command.get_arguments().filter(|argument| argument.get_help().is_none());
        found.extend(arguments.map(|argument| format!("{path} {}", argument.get_id())));
        for part in command.get_subcommands() {
            silent(part, &path, found);
        }
    }

    #[test]
    fn every_command_and_every_option_says_what_it_is() {
        let mut command = Cli::command();
        command.build();
        command.clone().debug_assert();
        let mut found = Vec::new();
        silent(&command, "", &mut found);
        assert!(found.is_empty(), "{found:#?}");
    }
}
