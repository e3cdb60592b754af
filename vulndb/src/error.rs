//! The crate's errors: each names the operation and carries the path.

use std::path::PathBuf;

/// What can stop an import or a look-up. Trouble with single records is a [`plimsoll_model::Note`] instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no database at this path.
    #[error("open vulnerability database {}: no such file", .0.display())]
    Missing(PathBuf),
    /// A newer Plimsoll wrote the database.
    #[error("open vulnerability database {}: its schema is version {found}, this program knows {known}", path.display())]
    NewerSchema {
        /// The database.
        path: PathBuf,
        /// Its `user_version`.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// An older Plimsoll wrote the database, in a shape that this one does not read.
    #[error("open vulnerability database {}: its schema is version {found}, this program needs {known}", path.display())]
    OlderSchema {
        /// The database.
        path: PathBuf,
        /// Its `user_version`.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// The database is damaged, or not ours.
    #[error("read vulnerability database {}: {reason}", path.display())]
    Corrupt {
        /// The database.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A source of advisories is older than asked for, or its time of import lies in the future.
    #[error("use vulnerability data of {source_name}: it is of {imported}, not of the last {max_days} days")]
    TooOld {
        /// The oldest source.
        source_name: String,
        /// RFC 3339 time of its last import.
        imported: String,
        /// The limit.
        max_days: u64,
    },
    /// A database that was sent here is not the one that was meant.
    #[error("take over {}: {reason}", path.display())]
    Transfer {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A folder has more files or deeper folders than an import reads.
    #[error("read {}: more than {limit} files or folders", path.display())]
    TooManyFiles {
        /// Where the limit was hit.
        path: PathBuf,
        /// The limit.
        limit: usize,
    },
    /// SQLite reports an error, or the file is no database.
    #[error("{operation} {}: {source}", path.display())]
    Sqlite {
        /// What was being done.
        operation: &'static str,
        /// The database.
        path: PathBuf,
        /// SQLite's own words.
        source: rusqlite::Error,
    },
    /// The operating system reports an error.
    #[error("{operation} {}: {source}", path.display())]
    Io {
        /// What was being done.
        operation: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}
