//! One module per subcommand; this file lists them.

mod db;

use crate::exit::{Exit, Failure};

/// What to do.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Manage the vulnerability database
    Db(db::Arguments),
}

/// Runs the subcommand.
pub(crate) fn run(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Db(arguments) => db::run(arguments),
    }
}
