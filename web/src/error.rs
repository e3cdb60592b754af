//! The crate's one error: what was being done, with its cause. Messages read after "failed to …".

use std::{io, net::SocketAddr, path::PathBuf};

/// Why the server could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store refused a statement.
    #[error("{operation}: {source}")]
    Store {
        /// What was asked of it: `save alerts`.
        operation: &'static str,
        /// SQLite's answer.
        #[source]
        source: rusqlite::Error,
    },
    /// The store was written by a newer Plimsoll.
    #[error("open {path}: it has schema version {found}, this version knows up to {known}", path = path.display())]
    StoreTooNew {
        /// The database file.
        path: PathBuf,
        /// Its `user_version`.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// There is no database to work on.
    #[error("open {}: no server has made a database there", .0.display())]
    NoDatabase(PathBuf),
    /// A stored document does not read back.
    #[error("read stored {noun}: {detail}")]
    Corrupt {
        /// `scan report`.
        noun: &'static str,
        /// What was wrong.
        detail: String,
    },
    /// A limit was hit; the text says which and what to do.
    #[error("{0}")]
    Limit(String),
    /// The thread that did the work is gone.
    #[error("finish a background task: {0}")]
    Task(String),
    /// The operating system has no random bytes.
    #[error("get random bytes: {0}")]
    Random(String),
    /// A password could not be hashed.
    #[error("hash a password: {0}")]
    PasswordHash(String),
    /// A file or folder.
    #[error("{operation} {path}: {source}", path = path.display())]
    File {
        /// `create`, `read`.
        operation: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The address cannot be listened on.
    #[error("listen on {address}: {source}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Certificate or key are not usable.
    #[error("load TLS certificate {certificate} with key {key}: {detail}", certificate = certificate.display(), key = key.display())]
    Tls {
        /// Certificate file.
        certificate: PathBuf,
        /// Key file.
        key: PathBuf,
        /// Why.
        detail: String,
    },
    /// Policy or waiver files are not usable.
    #[error("{0}")]
    Policy(String),
    /// Plain HTTP was asked for on an address that others can reach.
    #[error("listen on {0} without TLS: passwords and tokens would cross the network in the clear")]
    Insecure(SocketAddr),
}

/// Short for results of this crate.
pub(crate) type Result<T> = std::result::Result<T, Error>;
