//! Alerts to other machines: alerts in, requests out, and nothing lost on the way. Every alert is first written to a spool
//! on disk; each output reads it behind its own cursor, on its own thread, and tries again until it is taken.
//!
//! A kind of output is one file and one line in [`ALL`].

use std::{
    future::Future,
    io,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Arc, mpsc::SyncSender},
    time::Duration,
};

mod driver;
mod http;
mod nats;
mod outputs;
mod server;
mod spool;
mod vitals;
mod webhook;

pub(crate) use outputs::Outputs;
pub(crate) use server::ReportDesk;
pub(crate) use spool::{Kind, read_records};
pub(crate) use vitals::{Depth, SharedVitals, Vitals};

pub use spool::Record;
#[cfg(test)]
pub(crate) use spool::sample;

/// Every kind.
pub const ALL: &[&dyn OutputKind] = &[&server::Server, &webhook::Webhook, &nats::Nats];

/// A kind of output.
pub trait OutputKind: Sync {
    /// Name in notices, and of its cursor: `server`, `webhook`, `nats`.
    fn name(&self) -> &'static str;
    /// Makes one ready, without a connection; `None` when nobody asked for it.
    ///
    /// # Errors
    /// What was asked for cannot work: a broken address, an unreadable file.
    fn open(&self, context: &Context<'_>) -> Result<Option<Box<dyn Output>>, OutputError>;
}

/// What takes a while.
pub type Task<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One place on the network that alerts are sent to.
pub trait Output: Send {
    /// Most records of one batch.
    fn batch_records(&self) -> usize;
    /// Whether changes of alerts that were sent already are wanted too.
    fn wants_changes(&self) -> bool;
    /// Sends a batch. What is in neither list of the answer is sent again.
    fn send<'a>(&'a mut self, batch: &'a [Record]) -> Task<'a, Result<Sent, String>>;
    /// What else it does as long as the agent runs; asked for once.
    fn background(&mut self) -> Vec<Task<'static, ()>> {
        Vec::new()
    }
}

/// What became of a batch.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Numbers of records that the other side has for good.
    pub taken: Vec<u64>,
    /// Numbers of records that it will never take, and why.
    pub refused: Vec<(u64, String)>,
    /// Why the rest was not sent.
    pub error: Option<String>,
}

/// Where alerts are to be sent, as whoever runs the agent says.
#[derive(Debug, Clone)]
pub struct OutputOptions {
    /// Folder of the spool, of this agent's token and of reports that a server gave.
    pub state: PathBuf,
    /// A Plimsoll server.
    pub server: Option<ServerOptions>,
    /// URL that alerts are posted to in Falco's shape, or `@FILE` that holds it.
    pub webhook: Option<String>,
    /// NATS server (`nats://HOST:4222`, `tls://…`), or `@FILE` that holds its URL.
    pub nats: Option<String>,
    /// Subject that alerts are published to.
    pub nats_subject: String,
    /// Send changed alerts to `webhook` and `nats` too; a server always gets them.
    pub updates: bool,
    /// Times and sizes.
    pub pace: Pace,
}

/// A Plimsoll server.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Its address: `https://HOST:PORT`.
    pub url: String,
    /// Token that admits this agent, or `@FILE` that holds it; not needed once it has been admitted.
    pub enrolment_token: Option<String>,
    /// Certificates (PEM) that its own must be signed by; `None`: the system's.
    pub ca: Option<PathBuf>,
    /// Allow plain HTTP to other machines.
    pub allow_plain: bool,
}

/// Times and sizes of outputs.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Wait after the first failure; doubles, with jitter.
    pub first_retry: Duration,
    /// Longest wait between two tries.
    pub longest_retry: Duration,
    /// A request may take this long.
    pub request: Duration,
    /// Between two heartbeats to a server.
    pub heartbeat: Duration,
    /// A server's answer that it knows no report is believed this long.
    pub unknown_report: Duration,
    /// How long the agent's end waits for alerts to be taken; the rest stays in the spool.
    pub drain: Duration,
    /// Bytes that the spool may take on disk.
    pub spool_bytes: u64,
    /// Bytes of one of its files.
    pub segment_bytes: u64,
}

impl Pace {
    /// What agents use.
    pub const NORMAL: Self = Self {
        first_retry: Duration::from_millis(500),
        longest_retry: Duration::from_secs(60),
        request: Duration::from_secs(15),
        heartbeat: Duration::from_secs(45),
        unknown_report: Duration::from_secs(300),
        drain: Duration::from_secs(5),
        spool_bytes: 256 << 20,
        segment_bytes: 4 << 20,
    };
}

/// What an output has done since the agent's start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputSummary {
    /// Its kind.
    pub name: &'static str,
    /// Records that the other side took.
    pub delivered: u64,
    /// Records that it will never take.
    pub refused: u64,
    /// Records that were dropped before they could be sent, because the spool was full or damaged.
    pub lost: u64,
    /// Records that wait; they are sent at the next start.
    pub waiting: u64,
}

/// Why outputs cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// An address cannot be used. It is not quoted: it may hold a secret.
    #[error("use the address of output `{output}`: {reason}")]
    Address {
        /// Kind of the output.
        output: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A file that was named cannot be read.
    #[error("read {path}: {source}")]
    File {
        /// The file.
        path: String,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The certificates, or the system's, cannot be used.
    #[error("make a client for output `{output}`: {reason}")]
    Client {
        /// Kind of the output.
        output: &'static str,
        /// The reason.
        reason: String,
    },
    /// The server has not admitted this agent yet, and no token was given.
    #[error("enrol with the server: there is no token in {path} and none was given")]
    NoToken {
        /// Where the agent's own token would be.
        path: String,
    },
    /// The spool cannot be used.
    #[error("open the spool in {folder}: {source}")]
    Spool {
        /// Its folder.
        folder: String,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// A thread could not be started.
    #[error("start a thread: {0}")]
    Thread(#[source] io::Error),
}

/// What an output is opened with.
pub struct Context<'a> {
    /// What was asked for.
    pub options: &'a OutputOptions,
    /// Name of this node.
    pub node: &'a str,
    pub(crate) vitals: SharedVitals,
    pub(crate) notices: Notices,
    pub(crate) reports: Arc<ReportDesk>,
}

/// Where outputs say what whoever runs the agent should know.
#[derive(Debug, Clone)]
pub(crate) struct Notices(pub(crate) SyncSender<String>);

impl Notices {
    /// One line. When so many wait that there is no room, nobody reads them.
    pub(crate) fn say(&self, text: String) {
        let _ = self.0.try_send(text);
    }
}

/// The text itself, or the content of the file behind `@`, without blanks around it.
fn read_secret(text: &str) -> Result<String, OutputError> {
    let Some(path) = text.strip_prefix('@') else {
        return Ok(text.trim().to_owned());
    };
    let bytes = crate::identity::read_bounded(Path::new(path), crate::limits::MAX_SECRET_BYTES).map_err(|source| {
        OutputError::File {
            path: path.to_owned(),
            source,
        }
    })?;
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}

/// Writes a file for its owner alone; it is there whole or not at all.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::{fs, io::Write as _, os::unix::fs::OpenOptionsExt as _};
    let new = path.with_extension("new");
    let mut file = fs::OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    fs::rename(&new, path)
}
