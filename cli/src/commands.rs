//! One module per subcommand; this file lists them.

mod agent;
mod db;
mod profile;
mod scan;

use crate::exit::{Exit, Failure};

/// What to do.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Watch containers and say what their image should not do
    Agent(agent::Arguments),
    /// Manage the vulnerability database
    Db(db::Arguments),
    /// Show what an image's container should do, with the evidence
    Profile(profile::Arguments),
    /// Scan an image: packages, vulnerabilities, files, expected behaviour
    Scan(scan::Arguments),
}

/// Runs the subcommand.
pub(crate) fn run(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Agent(arguments) => agent::run(arguments),
        Command::Db(arguments) => db::run(arguments),
        Command::Profile(arguments) => profile::run(arguments),
        Command::Scan(arguments) => scan::run(arguments),
    }
}
