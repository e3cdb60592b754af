//! One module per subcommand; this file lists them.

mod admission;
mod agent;
mod audit;
mod db;
mod diff;
mod explain;
mod profile;
mod rules;
mod scan;
mod serve;
mod stored;
mod token;

use crate::exit::{Exit, Failure};

/// What to do.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Answer Kubernetes admission reviews from a server's database
    Admission(admission::Arguments),
    /// Watch containers and say what their image should not do
    Agent(Box<agent::Arguments>),
    /// Judge a Kubernetes audit log by rules
    Audit(audit::Arguments),
    /// Manage the vulnerability database
    Db(db::Arguments),
    /// Compare two images: packages, vulnerabilities, files, ports, users, expected behaviour
    Diff(diff::Arguments),
    /// Explain a vulnerability, a package or a file of an image
    Explain(explain::Arguments),
    /// Show what an image's container should do, with the evidence
    Profile(Box<profile::Arguments>),
    /// Check, list, explain and test rules
    Rules(rules::Arguments),
    /// Scan an image: packages, vulnerabilities, files, expected behaviour
    Scan(Box<scan::Arguments>),
    /// Run the server: API, dashboard, agents, admission
    Serve(serve::Arguments),
    /// Make a token on the server's own machine
    Token(token::Arguments),
}

/// Runs the subcommand.
pub(crate) fn run(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Admission(arguments) => admission::run(arguments),
        Command::Agent(arguments) => agent::run(*arguments),
        Command::Audit(arguments) => audit::run(&arguments),
        Command::Db(arguments) => db::run(arguments),
        Command::Diff(arguments) => diff::run(arguments),
        Command::Explain(arguments) => explain::run(arguments),
        Command::Profile(arguments) => profile::run(*arguments),
        Command::Rules(arguments) => rules::run(arguments),
        Command::Scan(arguments) => scan::run(*arguments),
        Command::Serve(arguments) => serve::run(arguments),
        Command::Token(arguments) => token::run(arguments),
    }
}
