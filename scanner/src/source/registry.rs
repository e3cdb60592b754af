//! `registry:REFERENCE`: an image on a registry in, an image out; blobs are streamed, never kept (distribution-spec).

use std::{io::Read, sync::Arc};

use plimsoll_model::{Digest, ImageRef};
use tokio::runtime::Runtime;

use super::{Found, Image, ImageSource, Opened, Probe, SourceLayer, SourceOptions};
use crate::{
    error::ScanError,
    layout::{digest_of, read_limited, verify},
    limits::{MAX_CONFIG_BYTES, MAX_INDEX_DEPTH, MAX_MANIFEST_BYTES},
    oci::{self, Document, Manifest},
    registry::{self, Access, Client, Endpoint, RegistryError, Request},
};

/// An image on a registry.
pub(super) struct Registry;

impl ImageSource for Registry {
    fn scheme(&self) -> &'static str {
        "registry"
    }

    fn recognises(&self, _probe: &Probe) -> bool {
        false
    }

    fn open(&self, location: &str, options: &SourceOptions) -> Result<Found, ScanError> {
        let image: ImageRef = location.parse().map_err(|source| ScanError::Reference {
            text: location.chars().take(200).collect(),
            source,
        })?;
        let runtime = registry::runtime().map_err(ScanError::Workers)?;
        let endpoints = registry::endpoints(&image, &options.registry).map_err(|error| explain(&image, error))?;
        let remote = Remote::open(&image, &endpoints, options, &runtime)?;
        Ok(Found::Image(Box::new(remote)))
    }
}

fn explain(image: &ImageRef, source: RegistryError) -> ScanError {
    match source {
        RegistryError::Limit { action, limit, .. } => ScanError::Limit {
            what: format!("{action} of {image}"),
            limit: format!("{limit} bytes"),
        },
        source => ScanError::Registry {
            reference: image.to_string(),
            reason: source.failure(),
            source: Box::new(source),
        },
    }
}

/// An image whose documents were read and verified.
struct Remote {
    /// Who has it; the one that gave the manifest first.
    clients: Vec<Client>,
    opened: Opened,
    /// Keeps the connections alive.
    _runtime: Arc<Runtime>,
}

impl Remote {
    /// Asks mirrors and registry in their order; the first that has the image gives it.
    fn open(
        image: &ImageRef,
        endpoints: &[Endpoint],
        options: &SourceOptions,
        runtime: &Arc<Runtime>,
    ) -> Result<Self, ScanError> {
        let mut clients = Vec::new();
        for endpoint in endpoints {
            clients.push(Client::new(endpoint, &options.registry, runtime).map_err(|error| explain(image, error))?);
        }
        for at in 0..clients.len() {
            match manifest(&clients[at], image, options) {
                Ok((digest, manifest)) => {
                    // Mirrors before this one do not have it, or do not answer.
                    let clients = clients.split_off(at);
                    let opened = opened(&clients, image, digest, &manifest)?;
                    return Ok(Self {
                        clients,
                        opened,
                        _runtime: Arc::clone(runtime),
                    });
                }
                Err(error @ ScanError::Registry { .. }) if at + 1 < clients.len() => {
                    tracing::warn!(host = clients[at].host(), %error, "mirror is left out");
                }
                Err(error) => return Err(error),
            }
        }
        unreachable!("the registry itself is among the endpoints, and its answer is returned")
    }
}

/// The manifest for the wanted platform, and its digest.
fn manifest(client: &Client, image: &ImageRef, options: &SourceOptions) -> Result<(Digest, Manifest), ScanError> {
    let mut expected = image.digest;
    let mut name = match (&image.digest, &image.tag) {
        (Some(digest), _) => digest.to_string(),
        (None, tag) => tag.clone().unwrap_or_default(),
    };
    for _ in 0..MAX_INDEX_DEPTH {
        let request = Request::get(format!("manifests/{name}"), Access::Pull).accept(oci::MANIFEST_TYPES);
        let answer = client
            .call(&request, MAX_MANIFEST_BYTES)
            .map_err(|error| explain(image, error))?;
        let what = format!("manifest of {image}");
        let digest = digest_of(&answer.body);
        if let Some(expected) = expected.filter(|expected| *expected != digest) {
            return Err(ScanError::Digest {
                what,
                expected,
                actual: digest,
            });
        }
        match oci::parse_document(&what, &answer.body)? {
            Document::Manifest(manifest) => return Ok((digest, manifest)),
            Document::Index(list) => {
                let chosen = oci::select(&what, &list, options.platform.as_ref())?;
                expected = Some(chosen.digest);
                name = chosen.digest.to_string();
            }
        }
    }
    Err(ScanError::Limit {
        what: image.to_string(),
        limit: format!("{MAX_INDEX_DEPTH} indexes in each other"),
    })
}

fn opened(clients: &[Client], image: &ImageRef, digest: Digest, manifest: &Manifest) -> Result<Opened, ScanError> {
    let what = format!("config of {image}");
    let descriptor = &manifest.config;
    let blob = Client::blob_of_any(clients, &descriptor.digest, descriptor.size);
    let config = read_limited(&what, blob, MAX_CONFIG_BYTES).map_err(|error| error.of_registry(&image.to_string()))?;
    verify(&what, &config, &descriptor.digest)?;
    Ok(Opened {
        manifest_digest: Some(digest),
        config_digest: descriptor.digest,
        config: oci::parse_config(&what, &config)?,
        layers: manifest.layers.iter().map(SourceLayer::from).collect(),
    })
}

impl Image for Remote {
    fn opened(&self) -> &Opened {
        &self.opened
    }

    fn open_layer(&self, index: usize) -> Result<Box<dyn Read + Send>, ScanError> {
        let layer = &self.opened.layers[index];
        let digest = layer
            .blob_digest
            .expect("every layer of a registry's manifest has a digest");
        Ok(Box::new(Client::blob_of_any(&self.clients, &digest, layer.size_bytes)))
    }
}
