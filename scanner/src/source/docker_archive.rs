//! `docker-archive:PATH`: what `docker save`, `podman save` and `skopeo copy` write in, an image out (moby's
//! image/spec/v1.2.md; newer ones keep blobs as an OCI layout does and have the same `manifest.json`).

use std::{io::Read, path::Path};

use plimsoll_model::Digest;
use serde::Deserialize;

use super::{Found, Image, ImageSource, Opened, Probe, SourceLayer, SourceOptions};
use crate::{
    archive::Archive,
    error::ScanError,
    layout::{digest_of, read_limited},
    limits::{MAX_CONFIG_BYTES, MAX_LAYERS, MAX_MANIFEST_BYTES},
    oci,
};

/// A tar file with `manifest.json`.
pub(super) struct DockerArchive;

const MANIFEST: &str = "manifest.json";

impl ImageSource for DockerArchive {
    fn scheme(&self) -> &'static str {
        "docker-archive"
    }

    fn recognises(&self, probe: &Probe) -> bool {
        probe.is_file() && probe.has(MANIFEST)
    }

    fn open(&self, location: &str, _options: &SourceOptions) -> Result<Found, ScanError> {
        Ok(Found::Image(Box::new(open(Path::new(location))?)))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Option<Vec<String>>,
}

struct DockerImage {
    archive: Archive,
    layers: Vec<String>,
    opened: Opened,
}

fn open(path: &Path) -> Result<DockerImage, ScanError> {
    let archive = Archive::open(path)?;
    let shown = path.display();
    let what = format!("{MANIFEST} of {shown}");
    let refuse = |reason: String| ScanError::NotAnImage {
        what: shown.to_string(),
        reason,
    };
    if !archive.has(MANIFEST) {
        return Err(refuse(format!("it has no {MANIFEST}")));
    }
    let bytes = read_limited(&what, archive.member(MANIFEST)?.0, MAX_MANIFEST_BYTES)?;
    let mut entries: Vec<Entry> = oci::parse_json(&what, &bytes)?;
    let entry = match entries.len() {
        1 => entries.remove(0),
        count => {
            let tags = entries
                .into_iter()
                .flat_map(|entry| entry.repo_tags.unwrap_or_default());
            let tags: Vec<String> = tags.take(8).collect();
            return Err(refuse(format!(
                "it has {count} images ({}); save one at a time",
                tags.join(", ")
            )));
        }
    };
    let layers = entry.layers.unwrap_or_default();
    if layers.len() > MAX_LAYERS {
        return Err(refuse(format!("it has {} layers", layers.len())));
    }
    let what = format!("config of {shown}");
    let config = read_limited(&what, archive.member(&entry.config)?.0, MAX_CONFIG_BYTES)?;
    let config_digest = digest_of(&config);
    if let Some(expected) = digest_in(&entry.config).filter(|expected| *expected != config_digest) {
        return Err(ScanError::Digest {
            what,
            expected,
            actual: config_digest,
        });
    }
    let mut described = Vec::new();
    for name in &layers {
        described.push(SourceLayer {
            media_type: String::new(),
            blob_digest: name.starts_with("blobs/").then(|| digest_in(name)).flatten(),
            size_bytes: archive.member(name)?.1,
        });
    }
    Ok(DockerImage {
        opened: Opened {
            manifest_digest: None,
            config_digest,
            config: oci::parse_config(&what, &config)?,
            layers: described,
        },
        archive,
        layers,
    })
}

/// The digest that a member's name promises: `<64 hexadecimal digits>.json` or `blobs/sha256/<64 digits>`.
fn digest_in(name: &str) -> Option<Digest> {
    let base = name.rsplit('/').next()?;
    let encoded = base.strip_suffix(".json").unwrap_or(base);
    format!("sha256:{encoded}").parse().ok()
}

impl Image for DockerImage {
    fn opened(&self) -> &Opened {
        &self.opened
    }

    fn open_layer(&self, index: usize) -> Result<Box<dyn Read + Send>, ScanError> {
        Ok(Box::new(self.archive.member(&self.layers[index])?.0))
    }
}
