//! `plimsoll profile diff`: what two images' containers may do differently.

use std::path::PathBuf;

use clap::Args;
use plimsoll_scanner::behaviour::{Kind, behaviour_view, compare};

use crate::{
    commands::{db, scan::SourceArguments, stored},
    exit::{Exit, Failure},
};

/// What to compare, and how to show it.
#[derive(Args)]
pub(super) struct Arguments {
    /// The image as it was: as for `plimsoll scan`, or report:PATH for what `plimsoll scan -o json` wrote
    from: String,
    /// The image as it is now
    to: String,
    /// table or json
    #[arg(short, long = "output", value_name = "FORMAT", value_parser = ["table", "json"], default_value = "table")]
    output: String,
    /// End with 1 when something is worse; with kinds, only when something of these is
    #[arg(long, value_name = "KIND,…", num_args = 0..=1, require_equals = true, value_delimiter = ',', value_parser = parse_kind)]
    exit_code: Option<Vec<Kind>>,
    /// Vulnerability database, for a scan [default: where `plimsoll db import` puts it]
    #[arg(long, env = "PLIMSOLL_DB", value_name = "PATH")]
    db: Option<PathBuf>,
    #[command(flatten)]
    source: SourceArguments,
}

fn parse_kind(text: &str) -> Result<Kind, String> {
    let found = Kind::ALL.iter().find(|(_, name)| *name == text);
    let names = || Kind::ALL.map(|(_, name)| name).join(", ");
    Ok(found.ok_or_else(|| format!("no such kind; there is {}", names()))?.0)
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let from = stored::load(&arguments.from, &arguments.source, arguments.db.as_ref())?;
    let to = stored::load(&arguments.to, &arguments.source, arguments.db.as_ref())?;
    let changes = compare(&from, &to);
    let text = match arguments.output.as_str() {
        "json" => serde_json::to_string_pretty(&changes).expect("a change has only text") + "\n",
        _ => behaviour_view(&changes),
    };
    db::print(&text)?;
    let is_incomplete = [&from, &to]
        .iter()
        .any(|report| report.notes.iter().any(plimsoll_model::Note::makes_incomplete));
    let counts = |kinds: &[Kind], kind: Kind| kinds.is_empty() || kinds.contains(&kind);
    Ok(match &arguments.exit_code {
        Some(kinds)
            if changes
                .iter()
                .any(|change| change.is_worse && counts(kinds, change.kind)) =>
        {
            Exit::Stopped
        }
        _ if is_incomplete => Exit::Incomplete,
        _ => Exit::Go,
    })
}
