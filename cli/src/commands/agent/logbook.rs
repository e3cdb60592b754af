//! What images use, and what may be learned, as arguments: which files it is written to.

use std::path::{Path, PathBuf};

use plimsoll_runtime::logbook::LogbookOptions;

/// What is written down besides alerts.
#[derive(clap::Args)]
#[command(next_help_heading = "Use and learning")]
pub(super) struct LogbookArguments {
    /// Write down which packages of scanned images are executed and loaded, for `plimsoll scan --runtime`; gone on with after a
    /// restart [default with --server: usage.json in the state folder]
    #[arg(long, value_name = "FILE")]
    usage: Option<PathBuf>,
    /// Write down what containers do that their profiles do not judge, for `plimsoll profile learn`; gone on with after a restart
    #[arg(long, value_name = "FILE")]
    learn: Option<PathBuf>,
}

impl LogbookArguments {
    /// `None` when nothing is written down. `state` is the folder of an agent that has a server.
    pub(super) fn options(self, state: Option<&Path>) -> Option<LogbookOptions> {
        let usage = self.usage.or_else(|| state.map(|state| state.join("usage.json")));
        (usage.is_some() || self.learn.is_some()).then_some(LogbookOptions {
            usage,
            learn: self.learn,
        })
    }
}
