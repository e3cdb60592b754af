//! Why a scan ends without a report.

use std::{io, path::PathBuf};

use plimsoll_model::{Digest, DigestError, ImageRefError};

use crate::registry::RegistryError;

/// A scan that cannot be done. Texts read after "failed to".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScanError {
    /// The target is not written as any source expects it.
    #[error("parse image reference `{text}`")]
    Reference {
        /// As given.
        text: String,
        /// What is wrong with it.
        #[source]
        source: ImageRefError,
    },
    /// `--platform` is not `os/architecture[/variant]`.
    #[error("parse platform `{0}`: expected os/architecture[/variant]")]
    PlatformSyntax(String),
    /// A file or folder cannot be opened.
    #[error("open {}", path.display())]
    Open {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Bytes of the source cannot be read.
    #[error("read {what}")]
    Read {
        /// Which part of the image.
        what: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What was found is no container image that we can read.
    #[error("read {what} as a container image: {reason}")]
    NotAnImage {
        /// What was found.
        what: String,
        /// Why it is none.
        reason: String,
    },
    /// The source does not have what its manifest or the user names.
    #[error("find {what}")]
    Missing {
        /// What is not there.
        what: String,
        /// What is there instead; empty when that would not help.
        available: Vec<String>,
    },
    /// No image for the wanted platform.
    #[error("find an image for {wanted}: there is {}", available.join(", "))]
    Platform {
        /// `linux/amd64`.
        wanted: String,
        /// The platforms that are there.
        available: Vec<String>,
    },
    /// JSON that does not follow its format.
    #[error("parse {what}")]
    Json {
        /// Which document.
        what: String,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// A digest that does not follow its format.
    #[error("parse a digest of {what}")]
    DigestSyntax {
        /// Which document has it.
        what: String,
        /// Why.
        #[source]
        source: DigestError,
    },
    /// Content is not what its digest promised: damaged or forged. Nothing of it is reported.
    #[error("verify the digest of {what}: expected {expected}, got {actual}")]
    Digest {
        /// Which content.
        what: String,
        /// As promised.
        expected: Digest,
        /// As computed.
        actual: Digest,
    },
    /// A document is larger than any real one.
    #[error("read {what}: more than {limit}")]
    Limit {
        /// Which document.
        what: String,
        /// `8388608 bytes`.
        limit: String,
    },
    /// A registry did not give what was asked for.
    #[error("pull {reference}: {reason}")]
    Registry {
        /// What was asked for.
        reference: String,
        /// What went wrong, in one phrase.
        reason: RegistryFailure,
        /// What exactly.
        #[source]
        source: Box<RegistryError>,
    },
    /// A container engine of this machine did not give what was asked for.
    #[error("ask {engine}: {reason}")]
    Engine {
        /// `docker`.
        engine: &'static str,
        /// Why.
        reason: String,
    },
    /// The operating system gave no thread or runtime.
    #[error("start workers")]
    Workers(#[source] io::Error),
}

/// What a registry may refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RegistryFailure {
    /// Nobody answers.
    #[error("the registry cannot be reached")]
    Unreachable,
    /// No such repository, tag or digest.
    #[error("the registry has no such image")]
    NotFound,
    /// Credentials are missing, wrong or not enough.
    #[error("the registry refuses access")]
    Refused,
    /// TLS works, but the certificate is not signed by anybody we trust, or for another name.
    #[error("the registry's certificate is not trusted")]
    Untrusted,
    /// A file with certificates, credentials or registries cannot be used, or forbids it.
    #[error("the configuration for this registry does not allow it")]
    Configuration,
    /// Too many requests.
    #[error("the registry limits the rate of pulls")]
    RateLimit,
    /// Anything else.
    #[error("the registry answered something unexpected")]
    Other,
}

impl ScanError {
    /// What the user can do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Reference { .. } => {
                "write HOST/REPOSITORY:TAG, or docker-archive:PATH, oci:PATH[:TAG], oci-archive:PATH[:TAG]".to_owned()
            }
            Self::PlatformSyntax(_) => "for example linux/amd64 or linux/arm64/v8".to_owned(),
            Self::Open { .. } => "check the path and its permissions".to_owned(),
            Self::Missing { available, .. } if !available.is_empty() => format!("there is {}", available.join(", ")),
            Self::Missing { .. } | Self::Read { .. } => "the source is incomplete: fetch or export it again".to_owned(),
            Self::NotAnImage { .. } => {
                "plimsoll scan reads OCI and Docker images and folders: see `plimsoll scan --help` for all schemes"
                    .to_owned()
            }
            Self::Platform { .. } => "choose one of them with --platform".to_owned(),
            Self::Json { .. } | Self::DigestSyntax { .. } => {
                "the document was not written by a container tool".to_owned()
            }
            Self::Digest { .. } => {
                "the content is damaged or was changed: do not run this image; fetch it again".to_owned()
            }
            Self::Limit { .. } => "no real image needs as much: do not trust this source".to_owned(),
            Self::Registry { reason, .. } => reason.hint().to_owned(),
            Self::Engine { .. } => {
                "check that the engine runs and has it; --docker-host, --podman-host and --containerd-address say where"
                    .to_owned()
            }
            Self::Workers(_) => "free memory or raise the limit of processes".to_owned(),
        }
    }

    /// A reading that a registry refused in so many words is the registry's refusal, and not damage.
    pub(crate) fn of_registry(self, reference: &str) -> Self {
        let Self::Read { what, source } = self else {
            return self;
        };
        match source.downcast::<RegistryError>() {
            Ok(error) if matches!(error.failure(), RegistryFailure::RateLimit | RegistryFailure::Refused) => {
                Self::Registry {
                    reference: reference.to_owned(),
                    reason: error.failure(),
                    source: Box::new(error),
                }
            }
            Ok(error) => Self::Read {
                what,
                source: io::Error::other(error),
            },
            Err(source) => Self::Read { what, source },
        }
    }

    /// The user wrote something that cannot be right anywhere, as opposed to something that is not there.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Reference { .. } | Self::PlatformSyntax(_))
    }

    /// The image is there, but what it holds cannot be read or trusted, as opposed to one that is not there or refused.
    pub fn is_unreadable(&self) -> bool {
        matches!(
            self,
            Self::Read { .. }
                | Self::Json { .. }
                | Self::DigestSyntax { .. }
                | Self::Digest { .. }
                | Self::Limit { .. }
        )
    }
}

impl RegistryFailure {
    fn hint(self) -> &'static str {
        match self {
            Self::Unreachable => "check host, port and network; a registry without TLS needs --plain-http",
            Self::NotFound => {
                "check repository and tag; a local file needs a path that exists or a scheme such as oci:"
            }
            Self::Refused => "log in with `podman login` or `docker login`, or name the file in REGISTRY_AUTH_FILE",
            Self::Untrusted => "give the authority that signed it with --registry-ca FILE, or in certs.d/HOST/ca.crt",
            Self::Configuration => "correct or remove the file that the error names",
            Self::RateLimit => {
                "wait as long as it asks, log in for a higher limit, or use --registry-mirror; a scanned image is cached"
            }
            Self::Other => "run again with -vv to see what was answered",
        }
    }
}
