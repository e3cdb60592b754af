//! The database file as readers see it.

use std::path::{Path, PathBuf};

use plimsoll_model::{Match, Note, Sbom};

use crate::Error;

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

/// An open vulnerability database, read only.
#[derive(Debug)]
pub struct Database {
    path: PathBuf,
}

impl Database {
    /// Opens the file that [`crate::import`] wrote.
    pub fn open(path: &Path) -> Result<Self, Error> {
        if !path.exists() {
            return Err(Error::Missing(path.to_owned()));
        }
        Ok(Self { path: path.to_owned() })
    }

    /// All matches of an Sbom's packages, worst first: known exploited, EPSS, severity, id.
    pub fn find_matches(&self, _sbom: &Sbom) -> Result<(Vec<Match>, Vec<Note>), Error> {
        Ok((Vec::new(), Vec::new()))
    }

    /// What the database holds and how old it is.
    pub fn status(&self) -> Result<Status, Error> {
        Ok(Status {
            path: self.path.clone(),
            built: String::new(),
            size_bytes: 0,
            advisories: 0,
            sources: Vec::new(),
        })
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
    /// RFC 3339 time of the newest change in its records: how fresh the data is, whenever it was imported.
    pub newest: String,
    /// RFC 3339 time of its last import.
    pub imported: String,
    /// The last import of it was refused or failed, and these are older rows.
    pub stale: bool,
}
