//! `plimsoll db import` and `plimsoll db build`: feeds' files, or an exported database, become the database.

use std::path::{Path, PathBuf};

use clap::Args;
use plimsoll_model::Note;
use plimsoll_vulndb::{ImportOptions, is_exported};

use super::{Place, failure, now, print, show_notes, size, sources_text};
use crate::exit::{Exit, Failure};

#[derive(Args)]
pub(super) struct Import {
    /// Feed files, or folders of them; or one file that `db export` wrote
    #[arg(required = true, value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
    /// SHA-256 that an exported database must have [default: what FILE.sha256 says]
    #[arg(long, value_name = "SHA256")]
    digest: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
pub(super) struct Build {
    /// Feed files, or folders of them
    #[arg(required = true, value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
struct Common {
    /// Take over a source that has lost more than a fifth of its records
    #[arg(long)]
    allow_shrink: bool,
    #[command(flatten)]
    place: Place,
}

/// Runs `plimsoll db import`.
pub(super) fn import(arguments: Import) -> Result<Exit, Failure> {
    let Import { paths, digest, common } = arguments;
    let Some(exported) = paths.iter().find(|path| is_exported(path)) else {
        if digest.is_some() {
            let error =
                anyhow::anyhow!("import: --digest is for a file that `plimsoll db export` wrote; none is given");
            return Err(Failure::new(Exit::Usage, error, "leave --digest out"));
        }
        return take(&paths, common, false);
    };
    if paths.len() > 1 {
        let error = anyhow::anyhow!("import: {} is a whole database", exported.display());
        let hint = "import it alone, then add the feeds";
        return Err(Failure::new(Exit::Usage, error, hint));
    }
    let destination = common.place.path();
    plimsoll_vulndb::restore(exported, digest.as_deref(), &destination).map_err(failure)?;
    print(&format!("{} is what was exported\n", destination.display()))
}

/// Runs `plimsoll db build`.
pub(super) fn build(arguments: Build) -> Result<Exit, Failure> {
    take(&arguments.paths, arguments.common, true)
}

fn take(paths: &[PathBuf], common: Common, replace: bool) -> Result<Exit, Failure> {
    let destination: &Path = &common.place.path();
    let options = ImportOptions {
        now: now(),
        replace,
        allow_shrink: common.allow_shrink,
    };
    let (summary, notes) = plimsoll_vulndb::import(paths, destination, &options).map_err(failure)?;
    show_notes(&notes);
    let mut text = sources_text(&summary.sources);
    text += &format!("{} {}\n", destination.display(), size(summary.size_bytes));
    print(&text)?;
    if summary.sources.is_empty() {
        let error = anyhow::anyhow!("nothing in these files is vulnerability data");
        let hint = "give OSV records (.json, .jsonl), CISA's KEV catalogue or EPSS scores";
        return Err(Failure::new(Exit::Data, error, hint));
    }
    Ok(if notes.iter().any(Note::makes_incomplete) {
        Exit::Incomplete
    } else {
        Exit::Go
    })
}
