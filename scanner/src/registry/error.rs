//! Why a registry did not give what was asked for.

use std::{error::Error as _, io, path::PathBuf, time::Duration};

use crate::error::RegistryFailure;

/// What went wrong between us and a registry. Never holds credentials or tokens, nor URLs with a query.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// No connection, or it broke.
    #[error("{action} on {host}")]
    Transport {
        /// `GET manifests/latest`.
        action: String,
        /// Who was asked.
        host: String,
        /// Why it broke.
        #[source]
        source: reqwest::Error,
    },
    /// The registry said no.
    #[error("{action} on {host}: answer {status}{}", shown(message))]
    Answer {
        /// `GET manifests/latest`.
        action: String,
        /// Who answered.
        host: String,
        /// HTTP status.
        status: u16,
        /// Error codes of the distribution-spec in the answer: `MANIFEST_UNKNOWN`.
        codes: Vec<String>,
        /// Its own words, escaped; may be empty.
        message: String,
    },
    /// The registry asks for more patience than we have.
    #[error("{host} limits the rate of requests{}", asked(*retry_after))]
    RateLimit {
        /// Who answered.
        host: String,
        /// How long it asks to wait; `None` when it does not say.
        retry_after: Option<Duration>,
    },
    /// It cannot be shown who asks.
    #[error("authenticate at {host}: {reason}")]
    Authentication {
        /// The registry or its token server.
        host: String,
        /// Why.
        reason: String,
    },
    /// A redirect that must not be followed.
    #[error("follow a redirect of {host}: {reason}")]
    Redirect {
        /// Who redirects.
        host: String,
        /// Why not.
        reason: String,
    },
    /// An answer that is no registry's.
    #[error("understand {host}: {reason}")]
    Protocol {
        /// Who answered.
        host: String,
        /// What is wrong.
        reason: String,
    },
    /// An answer with more bytes than it may have.
    #[error("{action} on {host}: more than {limit} bytes")]
    Limit {
        /// What was asked for.
        action: String,
        /// Who answered.
        host: String,
        /// Bytes.
        limit: u64,
    },
    /// A certificate, key, credential or configuration file that cannot be used.
    #[error("use {}: {reason}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// registries.conf forbids this registry.
    #[error("pull from {0}: registries.conf blocks it")]
    Blocked(String),
    /// TLS or threads could not be set up.
    #[error("set up connections")]
    SetUp(#[source] io::Error),
}

fn shown(message: &str) -> String {
    if message.is_empty() {
        String::new()
    } else {
        format!(": {message}")
    }
}

fn asked(wait: Option<Duration>) -> String {
    wait.map_or(String::new(), |wait| format!(" and asks to wait {} s", wait.as_secs()))
}

impl RegistryError {
    /// No such repository, tag, digest or blob.
    pub fn is_not_found(&self) -> bool {
        self.failure() == RegistryFailure::NotFound
    }

    /// In one word, for the hint.
    pub fn failure(&self) -> RegistryFailure {
        match self {
            Self::Transport { source, .. } if is_certificate_trouble(source) => RegistryFailure::Untrusted,
            Self::Transport { .. } => RegistryFailure::Unreachable,
            Self::RateLimit { .. } => RegistryFailure::RateLimit,
            Self::Authentication { .. } => RegistryFailure::Refused,
            Self::File { .. } | Self::Blocked(_) => RegistryFailure::Configuration,
            Self::Answer { status, codes, .. } => {
                let has = |wanted: &[&str]| codes.iter().any(|code| wanted.contains(&code.as_str()));
                if *status == 429 || has(&["TOOMANYREQUESTS"]) {
                    RegistryFailure::RateLimit
                } else if has(&["MANIFEST_UNKNOWN", "NAME_UNKNOWN", "NOT_FOUND", "BLOB_UNKNOWN"]) || *status == 404 {
                    RegistryFailure::NotFound
                } else if matches!(status, 401 | 403) || has(&["UNAUTHORIZED", "DENIED"]) {
                    RegistryFailure::Refused
                } else {
                    RegistryFailure::Other
                }
            }
            _ => RegistryFailure::Other,
        }
    }
}

/// The TLS library's errors are not in the public interface of the HTTP client; all that are about certificates say so.
fn is_certificate_trouble(error: &reqwest::Error) -> bool {
    let mut source = error.source();
    while let Some(error) = source {
        if error.to_string().contains("certificate") {
            return true;
        }
        source = error.source();
    }
    false
}
