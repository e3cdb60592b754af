//! The database file as readers see it: open, status, search, verify.

use std::fmt;
use std::path::{Path, PathBuf};

use plimsoll_model::{FixState, Match, Note, Sbom, Severity};
use rusqlite::{Connection, Row, params};

use crate::range::Range;
use crate::{Error, ecosystem, matching, store, tables};

/// Where the database is when nobody says otherwise: `$XDG_CACHE_HOME/plimsoll/vulnerability.db`, by default
/// `~/.cache/plimsoll/vulnerability.db`; below `/var/cache` for a process without a home.
pub fn default_path() -> PathBuf {
    let absolute = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .unwrap_or_else(|| PathBuf::from("/var/cache"))
        .join("plimsoll/vulnerability.db")
}

/// An open vulnerability database, read only. It keeps showing what it held when it was opened, also after an import.
pub struct Database {
    path: PathBuf,
    pub(crate) connection: Connection,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// What a database holds and how old it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The file.
    pub path: PathBuf,
    /// RFC 3339 time of the last import.
    pub built: String,
    /// Size of the file.
    pub size_bytes: u64,
    /// Advisories of all sources.
    pub advisories: u64,
    /// One entry per source, sorted by name.
    pub sources: Vec<SourceStatus>,
}

/// One source's part of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceStatus {
    /// `debian`, `ghsa`, `kev`, …
    pub name: String,
    /// Records that it gave.
    pub records: u64,
    /// RFC 3339 time of the newest change in its records: how fresh the data is, whenever it was imported. Empty when
    /// the source does not say.
    pub newest: String,
    /// RFC 3339 time of its last import.
    pub imported: String,
    /// The last import of it was refused or failed, and these are older rows.
    pub stale: bool,
    /// Names of the files that it came from.
    pub origin: Vec<String>,
}

/// What one advisory says of one package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchRow {
    /// The advisory's id.
    pub advisory: String,
    /// The vulnerabilities that it is about: CVE ids where they exist.
    pub vulnerabilities: Vec<String>,
    /// The feed.
    pub source: String,
    /// `Debian:12`.
    pub ecosystem: String,
    /// For Debian the source package.
    pub package: String,
    /// `< 7.0.15-1~deb12u6`, `any version`.
    pub range: String,
    /// What the source says.
    pub state: FixState,
    /// The vendor's severity.
    pub severity: Severity,
}

impl Database {
    /// Opens the file that [`crate::import`] wrote.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Ok(Self {
            path: path.to_owned(),
            connection: store::open(path)?,
        })
    }

    /// All matches of an Sbom's packages, worst first: known exploited, EPSS, severity, id. Packages that the database
    /// cannot judge are Notes.
    pub fn find_matches(&self, sbom: &Sbom) -> Result<(Vec<Match>, Vec<Note>), Error> {
        matching::find_matches(&self.connection, sbom).map_err(|source| self.failed(source))
    }

    /// What the database holds and how old it is.
    pub fn status(&self) -> Result<Status, Error> {
        let query = |sql: &str| self.connection.query_row(sql, [], |row| row.get(0));
        let built = self
            .connection
            .query_row("SELECT value FROM meta WHERE name = 'built'", [], |row| row.get(0))
            .map_err(|source| self.failed(source))?;
        let advisories: i64 = query("SELECT count(*) FROM advisory").map_err(|source| self.failed(source))?;
        let sources = store::load_sources(&self.connection).map_err(|source| self.failed(source))?;
        let metadata = std::fs::metadata(&self.path).map_err(|source| Error::Io {
            operation: "read",
            path: self.path.clone(),
            source,
        })?;
        let sources = sources.into_iter().map(|(name, row)| SourceStatus {
            name,
            records: row.records,
            newest: row.newest,
            imported: row.imported,
            stale: row.stale,
            origin: row
                .origin
                .split('\n')
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect(),
        });
        Ok(Status {
            path: self.path.clone(),
            built,
            size_bytes: metadata.len(),
            advisories: advisories.unsigned_abs(),
            sources: sources.collect(),
        })
    }

    /// What is known of a vulnerability (by any of its ids) or of a package (by its name in its ecosystem), sorted by
    /// ecosystem, package and advisory; at most `limit` rows.
    pub fn search(&self, name: &str, limit: usize) -> Result<Vec<SearchRow>, Error> {
        self.search_rows(name, limit).map_err(|source| self.failed(source))
    }

    fn search_rows(&self, name: &str, limit: usize) -> rusqlite::Result<Vec<SearchRow>> {
        const COLUMNS: &str = "SELECT e.name, f.package, f.introduced, f.fixed, f.last_affected, f.versions, f.state, \
             f.severity, a.name, a.key, a.source, a.fixes, a.severity, a.aliases FROM affected f \
             JOIN advisory a ON a.id = f.advisory JOIN ecosystem e ON e.id = f.ecosystem";
        let limit_rows = i64::try_from(limit).unwrap_or(i64::MAX);
        let by_name = format!(
            "{COLUMNS} WHERE f.advisory IN (SELECT advisory FROM alias WHERE name = ?1) ORDER BY e.name, f.package, f.advisory \
             LIMIT ?2"
        );
        let upper = name.to_ascii_uppercase();
        let is_id = upper.starts_with("CVE-") || upper.starts_with("GHSA-");
        // Ids are upper case but for GHSA's second half.
        let id = if upper.starts_with("CVE-") {
            upper
        } else {
            name.to_owned()
        };
        let mut found: Vec<SearchRow> = self
            .connection
            .prepare(&by_name)?
            .query_map(params![id, limit_rows], search_row)?
            .collect::<Result<_, _>>()?;
        if is_id || !found.is_empty() {
            return Ok(found);
        }
        let ecosystems: Vec<(u32, String)> = self
            .connection
            .prepare("SELECT id, name FROM ecosystem ORDER BY name")?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        let by_package = format!("{COLUMNS} WHERE f.ecosystem = ?1 AND f.package = ?2 ORDER BY f.advisory LIMIT ?3");
        let mut query = self.connection.prepare(&by_package)?;
        for (id, ecosystem) in ecosystems {
            let room = i64::try_from(limit - found.len()).unwrap_or(i64::MAX);
            let package = ecosystem::package_name(&ecosystem, name);
            for row in query.query_map(params![id, package, room], search_row)? {
                found.push(row?);
            }
        }
        Ok(found)
    }

    /// Reads every page and compares the tables with each other; an error says what is wrong.
    pub fn verify(&self) -> Result<(), Error> {
        let failed = |source| self.failed(source);
        let answer: String = self
            .connection
            .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
            .map_err(failed)?;
        if answer != "ok" {
            return Err(self.corrupt(answer));
        }
        for (what, sql) in [
            (
                "a range without its advisory",
                "SELECT count(*) FROM affected WHERE advisory NOT IN (SELECT id FROM advisory)",
            ),
            (
                "a range without its ecosystem",
                "SELECT count(*) FROM affected WHERE ecosystem NOT IN (SELECT id FROM ecosystem)",
            ),
            (
                "an alias without its advisory",
                "SELECT count(*) FROM alias WHERE advisory NOT IN (SELECT id FROM advisory)",
            ),
        ] {
            let count: i64 = self.connection.query_row(sql, [], |row| row.get(0)).map_err(failed)?;
            if count > 0 {
                return Err(self.corrupt(format!("{what} ({count})")));
            }
        }
        Ok(())
    }

    pub(crate) fn failed(&self, source: rusqlite::Error) -> Error {
        Error::Sqlite {
            operation: "read vulnerability database",
            path: self.path.clone(),
            source,
        }
    }

    fn corrupt(&self, reason: String) -> Error {
        Error::Corrupt {
            path: self.path.clone(),
            reason,
        }
    }
}

fn search_row(row: &Row<'_>) -> rusqlite::Result<SearchRow> {
    let (introduced, fixed, last_affected): (Option<String>, Option<String>, Option<String>) =
        (row.get(2)?, row.get(3)?, row.get(4)?);
    let versions: Option<String> = row.get(5)?;
    let state = tables::state_of(row.get(6)?);
    let range = Range {
        introduced: introduced.as_deref(),
        fixed: fixed.as_deref(),
        last_affected: last_affected.as_deref(),
    };
    let range = match &versions {
        _ if state == FixState::NotAffected => "no version".to_owned(),
        Some(versions) => store::split(versions).collect::<Vec<_>>().join(", "),
        None => range.describe(),
    };
    let severity = match tables::severity_of(row.get(7)?) {
        Severity::Unknown => tables::severity_of(row.get(12)?),
        severity => severity,
    };
    let (key, fixes, aliases): (String, String, String) = (row.get(9)?, row.get(11)?, row.get(13)?);
    Ok(SearchRow {
        advisory: row.get(8)?,
        vulnerabilities: matching::vulnerabilities(&key, &fixes, &aliases),
        source: row.get(10)?,
        ecosystem: row.get(0)?,
        package: row.get(1)?,
        range,
        state,
        severity,
    })
}
