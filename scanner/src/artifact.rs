//! Artifacts on registries (image-spec 1.1, "Guidelines for Artifact Usage"): files and annotations in, a manifest that
//! says what they are out, and back. Databases and profiles are kept so.
//!
//! ```text
//! let store = Store::open(reference, &options, budget)?;
//! let pushed = store.push(&NewArtifact { artifact_type, layers, .. })?;         // blobs, manifest, tag, referrers
//! let artifact = store.pull(artifact_type, &keys)?;                              // manifest, its signature verified
//! store.download(&artifact.layers[0], path)?;                                    // size and SHA-256 checked, resumed
//! for one in store.referrers(&image_digest, Some(artifact_type))? { … }          // what is attached to an image
//! ```

mod download;
mod error;
mod push;
mod referrers;
mod report;
mod signature;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    time::{Duration, Instant},
};

use plimsoll_model::{Digest, ImageRef};
use serde::{Deserialize, Serialize};

pub use self::{
    error::ArtifactError,
    push::Pushed,
    referrers::Referrer,
    report::{PulledReport, REPORT_ARTIFACT_TYPE, Subject},
    signature::{PublicKey, SigningKey},
};
use crate::{
    layout::digest_of,
    limits::{MAX_ARTIFACT_LAYERS, MAX_MANIFEST_BYTES},
    registry::{self, Access, Answer, Client, RegistryError, RegistryOptions, Request},
};

pub(crate) const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";
/// The two bytes `{}` that stand where an image has its config.
const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";

/// What to push.
#[derive(Debug, Clone)]
pub struct NewArtifact {
    /// Media type that says what it is: `application/vnd.plimsoll.profile.v1+json`.
    pub artifact_type: String,
    /// Digest of the manifest that it is about; it must be in the same repository. `None`: it stands alone, with the
    /// reference's tag.
    pub subject: Option<Digest>,
    /// Its files. Empty is allowed.
    pub layers: Vec<NewLayer>,
    /// Of the manifest.
    pub annotations: BTreeMap<String, String>,
    /// Who vouches for it; `None`: nobody.
    pub key: Option<SigningKey>,
}

/// A file to push.
#[derive(Debug, Clone)]
pub struct NewLayer {
    /// Of its bytes as they are, compression included.
    pub media_type: String,
    /// The file.
    pub path: PathBuf,
    /// Of the layer.
    pub annotations: BTreeMap<String, String>,
}

/// What a manifest says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Of the manifest.
    pub digest: Digest,
    /// What it is.
    pub artifact_type: String,
    /// Of the manifest; hostile text.
    pub annotations: BTreeMap<String, String>,
    /// Its files.
    pub layers: Vec<Layer>,
}

/// A file of an artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Of its bytes.
    pub media_type: String,
    /// Of its bytes.
    pub digest: Digest,
    /// As stated; checked while it is downloaded.
    pub size_bytes: u64,
    /// Hostile text.
    pub annotations: BTreeMap<String, String>,
}

/// One reference on its registry and the registry's mirrors, within a time budget for everything that is asked.
pub struct Store {
    pub(crate) image: ImageRef,
    /// Mirrors first, the registry itself last.
    pub(crate) clients: Vec<Client>,
    deadline: Instant,
    budget: Duration,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.image)
    }
}

/// A manifest as the image-spec writes it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: u32,
    #[serde(default)]
    media_type: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    artifact_type: String,
    config: Descriptor,
    #[serde(default)]
    layers: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject: Option<Descriptor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: String,
    size: u64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    artifact_type: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

impl Descriptor {
    fn of(media_type: &str, bytes: &[u8]) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest: digest_of(bytes).to_string(),
            size: bytes.len() as u64,
            artifact_type: String::new(),
            annotations: BTreeMap::new(),
        }
    }

    fn digest(&self, what: &str) -> Result<Digest, ArtifactError> {
        let refuse = |_| ArtifactError::malformed(what, "it has a digest that is none");
        self.digest.parse().map_err(refuse)
    }
}

impl Store {
    /// Connects to nobody yet. `budget` is how long everything that this value is asked for may take, and counts from
    /// now; a server that is silent is given up after 30 s whatever the budget.
    pub fn open(reference: &str, options: &RegistryOptions, budget: Duration) -> Result<Self, ArtifactError> {
        let image: ImageRef = reference.parse().map_err(|source| ArtifactError::Reference {
            text: reference.chars().take(200).collect(),
            source,
        })?;
        let runtime = registry::runtime().map_err(RegistryError::SetUp)?;
        let clients = registry::endpoints(&image, options)?
            .iter()
            .map(|endpoint| Client::new(endpoint, options, &runtime))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            image,
            clients,
            deadline: Instant::now() + budget,
            budget,
        })
    }

    /// The manifest that the reference names, after its signature was verified by one of the keys. No keys: nobody needs
    /// to have signed it.
    pub fn pull(&self, artifact_type: &str, keys: &[PublicKey]) -> Result<Artifact, ArtifactError> {
        let (digest, bytes) = self.manifest()?;
        if !keys.is_empty() {
            self.verify(&digest, keys)?;
        }
        let what = format!("artifact {}", self.image);
        let artifact = parse(&what, digest, &bytes)?;
        if artifact.artifact_type != artifact_type {
            let reason = format!(
                "it is `{}`, not `{artifact_type}`",
                artifact.artifact_type.escape_debug()
            );
            return Err(ArtifactError::malformed(&what, &reason));
        }
        Ok(artifact)
    }

    /// Digest and bytes of the manifest that the reference names.
    pub fn manifest(&self) -> Result<(Digest, Vec<u8>), ArtifactError> {
        let name = match (&self.image.digest, &self.image.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, tag) => tag.clone().unwrap_or_default(),
        };
        let answer = self.get_manifest(&name)?;
        let digest = digest_of(&answer.body);
        match self.image.digest {
            Some(expected) if expected != digest => Err(ArtifactError::Digest {
                what: format!("manifest of {}", self.image),
                expected,
                actual: digest,
            }),
            _ => Ok((digest, answer.body)),
        }
    }

    /// Asks everybody in turn; the last answer of those that do not have it counts.
    fn get_manifest(&self, name: &str) -> Result<Answer, ArtifactError> {
        let request = Request::get(format!("manifests/{name}"), Access::Pull).accept(&[MANIFEST_TYPE, INDEX_TYPE]);
        self.ask(&request, MAX_MANIFEST_BYTES)
    }

    fn ask(&self, request: &Request, limit: u64) -> Result<Answer, ArtifactError> {
        let mut last = None;
        for client in &self.clients {
            self.check_time()?;
            match client.call(request, limit) {
                Ok(answer) => return Ok(answer),
                Err(error) => {
                    tracing::debug!(host = client.host(), %error, "registry is passed over");
                    last = Some(error);
                }
            }
        }
        Err(last.expect("there is at least the registry itself").into())
    }

    /// The registry that the reference names, not a mirror of it: what is pushed goes there.
    fn own(&self) -> &Client {
        self.clients.last().expect("there is at least the registry itself")
    }

    fn check_time(&self) -> Result<(), ArtifactError> {
        match Instant::now() > self.deadline {
            true => Err(ArtifactError::Budget(self.budget)),
            false => Ok(()),
        }
    }
}

fn parse(what: &str, digest: Digest, bytes: &[u8]) -> Result<Artifact, ArtifactError> {
    let manifest: Manifest =
        serde_json::from_slice(bytes).map_err(|error| ArtifactError::malformed(what, &error.to_string()))?;
    if manifest.layers.len() > MAX_ARTIFACT_LAYERS {
        return Err(ArtifactError::malformed(
            what,
            &format!("more than {MAX_ARTIFACT_LAYERS} layers"),
        ));
    }
    let layers = manifest.layers.into_iter().map(|layer| {
        Ok(Layer {
            digest: layer.digest(what)?,
            media_type: layer.media_type,
            size_bytes: layer.size,
            annotations: layer.annotations,
        })
    });
    let layers = layers.collect::<Result<_, ArtifactError>>()?;
    // Before 1.1, the type of an artifact was that of its config.
    let artifact_type = match manifest.artifact_type.is_empty() {
        true => manifest.config.media_type,
        false => manifest.artifact_type,
    };
    Ok(Artifact {
        digest,
        artifact_type,
        annotations: manifest.annotations,
        layers,
    })
}
