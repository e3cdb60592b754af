//! Why an artifact cannot be pushed, pulled or believed.

use std::{io, path::PathBuf, time::Duration};

use plimsoll_model::{Digest, ImageRefError};

use crate::registry::RegistryError;

/// What went wrong. Texts read after "failed to".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArtifactError {
    /// The reference is not written as one.
    #[error("parse reference `{text}`")]
    Reference {
        /// As given.
        text: String,
        /// What is wrong with it.
        #[source]
        source: ImageRefError,
    },
    /// The registry did not give or take it.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// What the registry has is no artifact that we can read.
    #[error("read {what}: {reason}")]
    Malformed {
        /// Which document.
        what: String,
        /// What is wrong.
        reason: String,
    },
    /// The registry has the image, and nothing of this kind is attached to it.
    #[error("find {0}: nothing is attached to it")]
    Missing(String),
    /// Other bytes than their digest says.
    #[error("verify {what}: its digest is {actual}, not {expected}")]
    Digest {
        /// Which bytes.
        what: String,
        /// As named.
        expected: Digest,
        /// Of the bytes.
        actual: Digest,
    },
    /// Nobody signed it, or nobody that is trusted.
    #[error("verify the signature of {digest}: {reason}")]
    Signature {
        /// Of the manifest.
        digest: Digest,
        /// Why no signature counts.
        reason: String,
    },
    /// A file with a key that cannot be used.
    #[error("use the key in {}: {reason}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file of ours cannot be read or written.
    #[error("{operation} {}", path.display())]
    File {
        /// What was being done.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It took too long.
    #[error("finish within {} s", .0.as_secs())]
    Budget(Duration),
}

impl ArtifactError {
    pub(super) fn malformed(what: &str, reason: &str) -> Self {
        Self::Malformed {
            what: what.to_owned(),
            reason: reason.to_owned(),
        }
    }

    /// The registry has no such reference, or nothing of the kind is attached to it.
    pub fn is_not_found(&self) -> bool {
        match self {
            Self::Registry(error) => error.is_not_found(),
            Self::Missing(_) => true,
            _ => false,
        }
    }
}
