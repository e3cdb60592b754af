//! `plimsoll db`: build, look into and check the vulnerability database; compare versions.

mod compare;
mod import;
mod pull;
mod push;
mod update;

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};
use plimsoll_model::Note;
use plimsoll_scanner::artifact::ArtifactError;
use plimsoll_vulndb::{Database, Error, SearchRow, SourceSummary, Status, default_path};

use crate::exit::{Exit, Failure, escape};

/// Most notes that are printed one by one.
const MAX_NOTES_SHOWN: usize = 20;

/// Most rows that a search prints.
const MAX_ROWS_SHOWN: usize = 500;

/// Manage the vulnerability database
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Add advisories from files or folders (OSV, CISA KEV, EPSS, …; plain, .gz, .zst or .zip), or put a file that
    /// `db export` wrote in the database's place
    Import(import::Import),
    /// Build the database from files or folders alone, in the place of all that is there
    Build(import::Build),
    /// Renew the database from feeds: their publishers, mirrors, files or folders
    Update(update::Arguments),
    /// Write the database as one compressed file, with its SHA-256 beside it
    Export {
        /// The file to write, such as vulnerability.db.zst
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        place: Place,
    },
    /// Put the database on a registry, as an artifact
    Push(push::Arguments),
    /// Get the database from a registry
    Pull(pull::Arguments),
    /// Show what the database holds and how old it is
    Status {
        #[command(flatten)]
        place: Place,
    },
    /// Show what is known of a vulnerability or a package
    Search {
        /// An id such as CVE-2024-3094, or a package name (for Debian the source package)
        #[arg(value_name = "CVE|PACKAGE")]
        name: String,
        #[command(flatten)]
        place: Place,
    },
    /// Check that the database is whole
    Verify {
        #[command(flatten)]
        place: Place,
    },
    /// Compare two versions: prints <, = or >
    Compare {
        /// How they are ordered: dpkg, rpm, apk, semver, npm, pep440, maven, gem, …
        #[arg(required_unless_present = "stdin")]
        scheme: Option<String>,
        /// The first version
        #[arg(required_unless_present = "stdin", allow_hyphen_values = true)]
        a: Option<String>,
        /// The second version
        #[arg(required_unless_present = "stdin", allow_hyphen_values = true)]
        b: Option<String>,
        /// Read `scheme,a,b` lines (CSV) and answer each with one line
        #[arg(long, conflicts_with_all = ["scheme", "a", "b"])]
        stdin: bool,
    },
}

/// Which database.
#[derive(Args)]
struct Place {
    /// The database file [default: plimsoll/vulnerability.db in the user's cache folder]
    #[arg(long, value_name = "PATH", env = "PLIMSOLL_DB")]
    db: Option<PathBuf>,
}

impl Place {
    fn path(self) -> PathBuf {
        self.db.unwrap_or_else(default_path)
    }

    fn open(self) -> Result<Database, Failure> {
        Database::open(&self.path()).map_err(failure)
    }
}

/// Runs `plimsoll db`.
pub(crate) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    match arguments.command {
        Command::Import(arguments) => import::import(arguments),
        Command::Build(arguments) => import::build(arguments),
        Command::Update(arguments) => update::run(arguments),
        Command::Export { file, place } => {
            let done = plimsoll_vulndb::export(&place.path(), &file).map_err(failure)?;
            print(&format!(
                "{} {} sha256:{}\n",
                file.display(),
                size(done.size_bytes),
                done.digest
            ))
        }
        Command::Push(arguments) => push::run(arguments),
        Command::Pull(arguments) => pull::run(arguments),
        Command::Status { place } => {
            let status = place.open()?.status().map_err(failure)?;
            print(&status_text(&status))
        }
        Command::Search { name, place } => {
            let rows = place.open()?.search(&name, MAX_ROWS_SHOWN + 1).map_err(failure)?;
            search(&name, &rows)
        }
        Command::Verify { place } => {
            place.open()?.verify().map_err(failure)?;
            print("the database is whole\n")
        }
        Command::Compare { scheme, a, b, stdin } => match (scheme, a, b) {
            (Some(scheme), Some(a), Some(b)) if !stdin => compare::compare(&scheme, &a, &b),
            _ => compare::compare_lines(),
        },
    }
}

/// The time as the database writes it.
fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn show_notes(notes: &[Note]) {
    for note in notes.iter().take(MAX_NOTES_SHOWN) {
        eprintln!("note: {}: {}", escape(&note.subject), escape(&note.detail));
    }
    if notes.len() > MAX_NOTES_SHOWN {
        eprintln!("note: and {} more", notes.len() - MAX_NOTES_SHOWN);
    }
}

fn sources_text(sources: &[SourceSummary]) -> String {
    let mut text = String::new();
    for source in sources {
        text += &format!("{:<20} {:>8} records", source.name, source.records);
        if source.refused_files > 0 {
            text += &format!(", {} files refused", source.refused_files);
        }
        if source.is_shrunk {
            text += ", too few: the old ones stay (--allow-shrink takes them)";
        }
        text.push('\n');
    }
    text
}

fn status_text(status: &Status) -> String {
    let mut text = format!(
        "database    {}\nbuilt       {}\nsize        {}\nadvisories  {}\n\n{:<20} {:>8}  {:<21} {:<21}\n",
        status.path.display(),
        status.built,
        size(status.size_bytes),
        status.advisories,
        "SOURCE",
        "RECORDS",
        "NEWEST CHANGE",
        "IMPORTED",
    );
    for source in &status.sources {
        let newest = if source.newest.is_empty() {
            "unknown"
        } else {
            &source.newest
        };
        let newest: String = newest.chars().take(19).collect();
        let stale = if source.stale {
            "  stale: it could not be renewed"
        } else {
            ""
        };
        text += &format!(
            "{:<20} {:>8}  {newest:<21} {:<21}{stale}\n",
            source.name, source.records, source.imported
        );
    }
    text
}

fn search(name: &str, rows: &[SearchRow]) -> Result<Exit, Failure> {
    if rows.is_empty() {
        let error = anyhow::anyhow!("search: nothing is known of `{name}`");
        let hint = "for Debian and Ubuntu give the source package's name; `plimsoll db status` lists the sources";
        return Err(Failure::new(Exit::Target, error, hint));
    }
    let mut text = String::new();
    for row in rows.iter().take(MAX_ROWS_SHOWN) {
        let names = row.vulnerabilities.join(" ");
        let advisory = if names == row.advisory {
            String::new()
        } else {
            format!(" ({})", row.advisory)
        };
        text += &format!(
            "{:<16} {:<24} {:<12} {:<10} {:<40} {names}{advisory} [{}]\n",
            row.ecosystem,
            row.package,
            word(row.state)?,
            word(row.severity)?,
            row.range,
            row.source,
        );
    }
    if rows.len() > MAX_ROWS_SHOWN {
        eprintln!("only the first {MAX_ROWS_SHOWN} are shown");
    }
    print(&text)
}

/// A unit variant as the model writes it in JSON, with blanks.
pub(crate) fn word(value: impl serde::Serialize) -> Result<String, Failure> {
    let json = serde_json::to_value(value)
        .context("name a state")
        .map_err(|error| Failure::new(Exit::Bug, error, "please report this"))?;
    Ok(json.as_str().unwrap_or_default().replace('_', " "))
}

/// The sign of an order.
pub(crate) fn sign(order: std::cmp::Ordering) -> char {
    match order {
        std::cmp::Ordering::Less => '<',
        std::cmp::Ordering::Equal => '=',
        std::cmp::Ordering::Greater => '>',
    }
}

/// Writes to stdout; a reader that has had enough is no error.
pub(crate) fn print(text: &str) -> Result<Exit, Failure> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::new(
            Exit::Target,
            anyhow::Error::from(error).context("write to stdout"),
            "is the disk full?",
        )),
        _ => Ok(Exit::Go),
    }
}

pub(crate) fn size(bytes: u64) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10)
}

/// An artifact's errors with their exit codes and hints.
pub(crate) fn artifact_failure(error: ArtifactError) -> Failure {
    let (exit, hint) = match &error {
        ArtifactError::Reference { .. } => (Exit::Usage, "write it as HOST/NAME:TAG"),
        ArtifactError::Key { .. } => (
            Exit::Usage,
            "make one with `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`",
        ),
        ArtifactError::Signature { .. } => (
            Exit::Data,
            "nothing was changed; ask the publisher for the right key, or whether the registry was tampered with",
        ),
        ArtifactError::Budget(_) => (
            Exit::Data,
            "run it again: the download is continued; or give it more --budget",
        ),
        ArtifactError::File { .. } => (
            Exit::Target,
            "check that the path exists, may be written, and that the disk is not full",
        ),
        ArtifactError::Digest { .. } | ArtifactError::Malformed { .. } => {
            (Exit::Data, "nothing was changed; try another mirror")
        }
        error if error.is_not_found() => (
            Exit::Data,
            "check the reference; `plimsoll db push` puts a database there",
        ),
        _ => (
            Exit::Data,
            "check the network, the credentials and --plain-http; several references are tried in order",
        ),
    };
    Failure::new(exit, error, hint)
}

/// The database's errors with their exit codes and hints.
pub(crate) fn failure(error: Error) -> Failure {
    let (exit, hint) = match &error {
        Error::Missing(_) => (
            Exit::Data,
            "build one with `plimsoll db update` or `plimsoll db import FILE|DIR`, or name one with --db",
        ),
        Error::TooOld { .. } => (
            Exit::Data,
            "run `plimsoll db update`, or allow older data with --db-max-age",
        ),
        Error::Transfer { .. } => (Exit::Data, "copy it again, with the .sha256 file beside it"),
        Error::NewerSchema { .. } => (Exit::Data, "update plimsoll, or build a database of its own with --db"),
        Error::OlderSchema { .. } | Error::Corrupt { .. } | Error::Sqlite { .. } => {
            (Exit::Data, "build it again: `plimsoll db build FILE|DIR`")
        }
        _ => (Exit::Target, "check that the path exists and may be read and written"),
    };
    Failure::new(exit, error, hint)
}
