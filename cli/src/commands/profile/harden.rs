//! `plimsoll profile harden`: the least that an image's container needs, as a seccomp profile, an AppArmor profile or a pod.

use std::path::PathBuf;

use clap::Args;
use plimsoll_scanner::harden::{Format, harden};

use crate::{
    commands::{db, scan::SourceArguments, stored},
    exit::{Exit, Failure},
};

/// Of which image, for whom.
#[derive(Args)]
pub(super) struct Arguments {
    /// An image as for `plimsoll scan`, or report:PATH for what `plimsoll scan -o json` wrote
    target: String,
    /// seccomp, apparmor or kubernetes
    #[arg(long, value_name = "FORMAT", value_parser = parse_format)]
    format: Format,
    /// Name of the AppArmor profile (after `plimsoll-`), the pod and the policy [default: made from the image's]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Vulnerability database, for a scan [default: where `plimsoll db import` puts it]
    #[arg(long, env = "PLIMSOLL_DB", value_name = "PATH")]
    db: Option<PathBuf>,
    #[command(flatten)]
    source: SourceArguments,
}

fn parse_format(text: &str) -> Result<Format, String> {
    let found = Format::ALL.iter().find(|(_, name)| *name == text);
    let names = || Format::ALL.map(|(_, name)| name).join(", ");
    Ok(found.ok_or_else(|| format!("no such format; there is {}", names()))?.0)
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let report = stored::load(&arguments.target, &arguments.source, arguments.db.as_ref())?;
    db::print(&harden(&report, arguments.format, arguments.name.as_deref()))?;
    let is_incomplete = report.notes.iter().any(plimsoll_model::Note::makes_incomplete);
    Ok(if is_incomplete { Exit::Incomplete } else { Exit::Go })
}
