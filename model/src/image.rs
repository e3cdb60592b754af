//! What an image says of itself: who it is (digests), how it is run (config), what it is made of (layers).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Digest;

/// The names by which one image can be recognised. A re-compressed push changes `manifest_digest` and keeps
/// `config_digest` and `diff_ids`, so whoever looks an image up compares `config_digest` first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImageIdentity {
    /// The reference as the user gave it, e.g. `127.0.0.1:5000/team/redis:1` or `docker-archive:redis.tar`.
    pub reference: String,
    /// Digest of the manifest, as a registry or OCI layout serves it. `None` for a docker-archive, which has none.
    pub manifest_digest: Option<Digest>,
    /// Digest of the config blob: the image id that podman and docker show.
    pub config_digest: Digest,
    /// Digests of the uncompressed layers, base first.
    pub diff_ids: Vec<Digest>,
    /// Operating system and processor that the image is for.
    pub platform: Platform,
}

/// OCI platform (image-spec, image-index.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Platform {
    /// `linux`.
    pub os: String,
    /// `amd64`, `arm64`, …
    pub architecture: String,
    /// `v8`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

/// How the image's container is started, from the OCI config's `config` object (image-spec, config.md).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ImageConfig {
    /// `ENTRYPOINT`, exec form.
    pub entrypoint: Vec<String>,
    /// `CMD`, exec form.
    pub cmd: Vec<String>,
    /// `NAME=value` lines.
    pub env: Vec<String>,
    /// `USER` as written (`redis`, `999`, `999:999`); empty means root.
    pub user: String,
    /// `WORKDIR`; empty means `/`.
    pub working_dir: String,
    /// `EXPOSE` entries such as `6379/tcp`.
    pub exposed_ports: Vec<String>,
    /// `VOLUME` paths.
    pub volumes: Vec<String>,
    /// `HEALTHCHECK`, a Docker extension to the config.
    pub health_check: Option<HealthCheck>,
    /// `STOPSIGNAL`, e.g. `SIGTERM`.
    pub stop_signal: Option<String>,
    /// `LABEL`s.
    pub labels: BTreeMap<String, String>,
    /// What built each layer, base first; entries without a layer included.
    pub history: Vec<HistoryEntry>,
    /// RFC 3339 time of the build, as stated.
    pub created: Option<String>,
}

/// Docker's health check.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HealthCheck {
    /// `["NONE"]`, `["CMD", arg, …]` or `["CMD-SHELL", command]`.
    pub test: Vec<String>,
}

/// One history line (image-spec, config.md#properties).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HistoryEntry {
    /// The build instruction, hostile text.
    pub created_by: String,
    /// No layer belongs to this line.
    pub empty_layer: bool,
}

/// One layer as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LayerInfo {
    /// Digest of the uncompressed tar.
    pub diff_id: Digest,
    /// Digest of the blob as stored; `None` where the source stores it uncompressed only.
    pub blob_digest: Option<Digest>,
    /// Media type as the manifest states it.
    pub media_type: String,
    /// Compressed bytes read.
    pub blob_size_bytes: u64,
    /// Uncompressed bytes read.
    pub size_bytes: u64,
    /// The history line that made it, when the counts agree.
    pub created_by: Option<String>,
}

/// The image that another one was built on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BaseImage {
    /// Its name: as the user gave it, or as the image's own label states it; empty when only its layers are known.
    pub reference: String,
    /// How many of the image's layers, from the first on, are its own; at least 1.
    pub layer_count: u32,
    /// Why it is believed: `shared layers`, `label`, `history`.
    pub evidence: String,
}

impl BaseImage {
    /// Whether a layer came from it.
    pub fn has_layer(&self, layer: u32) -> bool {
        layer < self.layer_count
    }
}
