//! `plimsoll db`: build, look into and check the vulnerability database; compare versions.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use plimsoll_model::Note;
use plimsoll_vulndb::{Database, Error, ImportOptions, SearchRow, Status, default_path, version};

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
    /// Add advisories from files or folders (OSV, CISA KEV, EPSS; plain, .gz or .zst)
    Import {
        /// Feed files, or folders of them
        #[arg(required = true, value_name = "FILE|DIR")]
        paths: Vec<PathBuf>,
        /// Start with an empty database instead of adding to the present one
        #[arg(long)]
        replace: bool,
        #[command(flatten)]
        place: Place,
    },
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
        Command::Import { paths, replace, place } => import(&paths, &place.path(), replace),
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
            (Some(scheme), Some(a), Some(b)) if !stdin => compare(&scheme, &a, &b),
            _ => compare_lines(),
        },
    }
}

fn import(paths: &[PathBuf], destination: &Path, replace: bool) -> Result<Exit, Failure> {
    let options = ImportOptions {
        now: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        replace,
    };
    let (summary, notes) = plimsoll_vulndb::import(paths, destination, &options).map_err(failure)?;
    for note in notes.iter().take(MAX_NOTES_SHOWN) {
        eprintln!("note: {}: {}", escape(&note.subject), escape(&note.detail));
    }
    if notes.len() > MAX_NOTES_SHOWN {
        eprintln!("note: and {} more", notes.len() - MAX_NOTES_SHOWN);
    }
    let mut text = String::new();
    for source in &summary.sources {
        text += &format!("{:<20} {:>8} records", source.name, source.records);
        if source.refused_files > 0 {
            text += &format!(", {} files refused", source.refused_files);
        }
        text.push('\n');
    }
    text += &format!("{} {}\n", destination.display(), size(summary.size_bytes));
    print(&text)?;
    if summary.sources.is_empty() {
        let error = anyhow::anyhow!("import: nothing in these files is vulnerability data");
        let hint = "give OSV records (.json, .jsonl), CISA's KEV catalogue or EPSS scores";
        return Err(Failure::new(Exit::Data, error, hint));
    }
    Ok(if notes.iter().any(Note::makes_incomplete) {
        Exit::Incomplete
    } else {
        Exit::Go
    })
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
            "  stale: the last import was refused"
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
fn word(value: impl serde::Serialize) -> Result<String, Failure> {
    let json = serde_json::to_value(value)
        .context("name a state")
        .map_err(|error| Failure::new(Exit::Bug, error, "please report this"))?;
    Ok(json.as_str().unwrap_or_default().replace('_', " "))
}

fn compare(scheme: &str, a: &str, b: &str) -> Result<Exit, Failure> {
    let scheme = find_scheme(scheme).map_err(|error| {
        let names: Vec<&str> = version::ALL.iter().map(|scheme| scheme.name()).collect();
        Failure::new(
            Exit::Usage,
            anyhow::anyhow!(error),
            format!("the schemes are {}", names.join(", ")),
        )
    })?;
    let order = scheme.compare(a, b).map_err(|error| {
        Failure::new(
            Exit::Incomplete,
            anyhow::Error::from(error).context("compare"),
            "check the version and the scheme",
        )
    })?;
    print(&format!("{}\n", sign(order)))
}

fn find_scheme(name: &str) -> Result<&'static dyn version::Scheme, String> {
    version::find(name).ok_or_else(|| format!("compare: there is no version scheme `{name}`"))
}

fn sign(order: std::cmp::Ordering) -> char {
    match order {
        std::cmp::Ordering::Less => '<',
        std::cmp::Ordering::Equal => '=',
        std::cmp::Ordering::Greater => '>',
    }
}

/// Answers every line of stdin with one line: `<`, `=`, `>`, or `error: <reason>`, after which the exit code is 5.
fn compare_lines() -> Result<Exit, Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(
            Exit::Incomplete,
            anyhow::Error::from(error).context("read stdin"),
            "give UTF-8 lines",
        )
    };
    let mut output = std::io::BufWriter::new(std::io::stdout().lock());
    let mut exit = Exit::Go;
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(failed)?;
        let answer = answer(&line).map_or_else(
            |reason| {
                exit = Exit::Incomplete;
                format!("error: {}", escape(&reason))
            },
            |order| sign(order).to_string(),
        );
        if writeln!(output, "{answer}").is_err() {
            // Whoever read the answers has had enough.
            return Ok(exit);
        }
    }
    Ok(exit)
}

fn answer(line: &str) -> Result<std::cmp::Ordering, String> {
    let cells = csv_cells(line)?;
    let [scheme, a, b] = cells.as_slice() else {
        return Err(format!("{} columns instead of scheme,a,b", cells.len()));
    };
    find_scheme(scheme)?.compare(a, b).map_err(|error| error.to_string())
}

/// The cells of one line (RFC 4180, without line breaks in cells).
fn csv_cells(line: &str) -> Result<Vec<String>, String> {
    let (mut cells, mut rest) = (Vec::new(), line);
    loop {
        if let Some(quoted) = rest.strip_prefix('"') {
            let (cell, after) = unquote(quoted)?;
            cells.push(cell);
            match after.strip_prefix(',') {
                Some(next) => rest = next,
                None if after.is_empty() => return Ok(cells),
                None => return Err("text after a closing quote".to_owned()),
            }
        } else if let Some((cell, next)) = rest.split_once(',') {
            cells.push(cell.to_owned());
            rest = next;
        } else {
            cells.push(rest.to_owned());
            return Ok(cells);
        }
    }
}

/// A cell after its opening quote, up to the closing one; doubled quotes stand for one.
fn unquote(mut text: &str) -> Result<(String, &str), String> {
    let mut cell = String::new();
    loop {
        let (part, after) = text.split_once('"').ok_or("a quote is not closed")?;
        cell.push_str(part);
        match after.strip_prefix('"') {
            Some(next) => {
                cell.push('"');
                text = next;
            }
            None => return Ok((cell, after)),
        }
    }
}

fn print(text: &str) -> Result<Exit, Failure> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::new(
            Exit::Target,
            anyhow::Error::from(error).context("write to stdout"),
            "is the disk full?",
        )),
        _ => Ok(Exit::Go),
    }
}

fn size(bytes: u64) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10)
}

/// The database's errors with their exit codes and hints.
pub(crate) fn failure(error: Error) -> Failure {
    let (exit, hint) = match &error {
        Error::Missing(_) => (
            Exit::Data,
            "build one with `plimsoll db import FILE|DIR`, or name one with --db",
        ),
        Error::NewerSchema { .. } => (Exit::Data, "update plimsoll, or build a database of its own with --db"),
        Error::OlderSchema { .. } => (
            Exit::Data,
            "build it again with `plimsoll db import --replace FILE|DIR`",
        ),
        Error::Corrupt { .. } | Error::Sqlite { .. } => (
            Exit::Data,
            "build it again with `plimsoll db import --replace FILE|DIR`",
        ),
        _ => (Exit::Target, "check that the path exists and may be read and written"),
    };
    Failure::new(exit, error, hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_csv() {
        assert_eq!(csv_cells(r#"dpkg,1,"a,""b""""#).unwrap(), ["dpkg", "1", r#"a,"b""#]);
        assert_eq!(csv_cells("gem,,0").unwrap(), ["gem", "", "0"]);
        assert!(csv_cells(r#"a,"b"#).is_err());
        assert!(csv_cells(r#"a,"b"c"#).is_err());
    }

    #[test]
    fn a_bad_line_is_answered_with_an_error() {
        assert_eq!(answer("dpkg,1:1,2"), Ok(std::cmp::Ordering::Greater));
        for line in ["dpkg,1", "morse,1,2", "dpkg,a:b:c,1", ""] {
            assert!(answer(line).is_err(), "{line}");
        }
    }
}
