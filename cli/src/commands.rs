//! One module per subcommand; this file lists them.

use crate::exit::{Exit, Failure};

/// What to do.
#[derive(clap::Subcommand)]
pub(crate) enum Command {}

/// Runs the subcommand.
pub(crate) fn run(command: Command) -> Result<Exit, Failure> {
    match command {}
}
