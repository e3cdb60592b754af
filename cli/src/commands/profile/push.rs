//! `plimsoll profile push`: an image's scan report, with its profile, beside the image on its registry.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use jiff::Timestamp;
use plimsoll_scanner::artifact::{SigningKey, Store};

use super::{failure, folder};
use crate::{
    commands::{db, scan::SourceArguments, stored},
    exit::{Exit, Failure},
};

/// To which image, and what.
#[derive(Args)]
pub(super) struct Arguments {
    /// The image: HOST/NAME:TAG or HOST/NAME@DIGEST
    #[arg(value_name = "REFERENCE")]
    reference: String,
    /// What `plimsoll scan -o json=FILE` wrote of it [default: the image is scanned]
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Private key to sign with (PEM, `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`)
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Longest time for the registry, in minutes
    #[arg(long, value_name = "MINUTES", default_value_t = 10)]
    budget: u64,
    /// Vulnerability database, for a scan [default: where `plimsoll db import` puts it]
    #[arg(long, env = "PLIMSOLL_DB", value_name = "PATH")]
    db: Option<PathBuf>,
    #[command(flatten)]
    source: SourceArguments,
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let Arguments {
        reference,
        report,
        key,
        budget,
        db: database,
        source,
    } = arguments;
    let key = key.map(|path| SigningKey::read(&path)).transpose().map_err(failure)?;
    let report = match report {
        Some(path) => stored::read_report(&path)?,
        None => stored::load(&format!("registry:{reference}"), &source, database.as_ref())?,
    };
    let options = source.registry().options()?;
    let store = Store::open(&reference, &options, Duration::from_secs(budget * 60)).map_err(failure)?;
    let folder = folder()?;
    let created = Timestamp::now().to_string();
    let (subject, pushed) = store
        .push_report(&report, &created, key, folder.path())
        .map_err(failure)?;
    db::print(&format!(
        "{} {} attached to {}\n",
        pushed.digest,
        db::size(pushed.size_bytes),
        subject.manifest_digest
    ))?;
    let is_incomplete = report.notes.iter().any(plimsoll_model::Note::makes_incomplete);
    Ok(if is_incomplete { Exit::Incomplete } else { Exit::Go })
}
