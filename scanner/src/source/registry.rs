//! `registry:REFERENCE`: an image on a registry in, an image out; blobs are streamed, never kept (distribution-spec).

use std::{
    io::{self, Read},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use futures_util::StreamExt as _;
use oci_client::{
    Client, Reference, RegistryOperation,
    client::{BlobResponse, ClientConfig, ClientProtocol},
    errors::{OciDistributionError, OciErrorCode},
    secrets::RegistryAuth,
};
use plimsoll_model::{Digest, ImageRef, Platform};
use tokio::{runtime::Runtime, sync::mpsc};

use super::{Image, ImageSource, Opened, Probe, SourceLayer, SourceOptions};
use crate::{
    credentials,
    error::{RegistryFailure, ScanError},
    layout::{read_limited, verify},
    limits::{MAX_CONFIG_BYTES, MAX_INDEX_DEPTH, MAX_MANIFEST_BYTES},
    oci::{self, Document},
};

/// An image on a registry.
pub(super) struct Registry;

/// A server that accepts no connection for so long is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A server that sends nothing for so long has gone away.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Times that a broken download is continued.
const MAX_RESUMES: u32 = 3;
/// Pause before the first continuation; doubles each time.
const RESUME_PAUSE: Duration = Duration::from_millis(200);
/// Pieces of a blob between network and scanner, 16 KiB each at most.
const PIECES: usize = 32;

impl ImageSource for Registry {
    fn scheme(&self) -> &'static str {
        "registry"
    }

    fn recognises(&self, _probe: &Probe) -> bool {
        false
    }

    fn open(&self, location: &str, options: &SourceOptions) -> Result<Box<dyn Image>, ScanError> {
        let image: ImageRef = location.parse().map_err(|source| ScanError::Reference {
            text: location.chars().take(200).collect(),
            source,
        })?;
        let auth = match credentials::find(&options.credential_files, &image)? {
            Some(found) => RegistryAuth::Basic(found.user, found.password),
            None => RegistryAuth::Anonymous,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("registry")
            .enable_all()
            .build()
            .map_err(ScanError::Workers)?;
        let is_loopback = is_loopback(&image.registry);
        let first = if options.plain_http {
            ClientProtocol::Http
        } else {
            ClientProtocol::Https
        };
        let opened = match connect(&runtime, &image, &auth, first) {
            // Only this machine can answer on loopback, so falling back gives nothing away.
            Err(error) if is_loopback && !options.plain_http && is_unreachable(&error) => {
                connect(&runtime, &image, &auth, ClientProtocol::Http)
            }
            other => other,
        };
        let remote = opened.map_err(|source| explain(&image, source))?;
        Ok(Box::new(remote.read(runtime, &image, options.platform.as_ref())?))
    }
}

/// Host without port, by name or address.
fn is_loopback(registry: &str) -> bool {
    let host = match registry.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => registry,
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A client that has shown its credentials.
struct Remote {
    client: Client,
    reference: Reference,
    auth: RegistryAuth,
}

fn connect(
    runtime: &Runtime,
    image: &ImageRef,
    auth: &RegistryAuth,
    protocol: ClientProtocol,
) -> Result<Remote, OciDistributionError> {
    let client = Client::new(ClientConfig {
        protocol,
        connect_timeout: Some(CONNECT_TIMEOUT),
        read_timeout: Some(READ_TIMEOUT),
        user_agent: concat!("plimsoll/", env!("CARGO_PKG_VERSION")),
        ..ClientConfig::default()
    });
    let (registry, repository) = (image.registry.clone(), image.repository.clone());
    let reference = match (&image.digest, &image.tag) {
        (Some(digest), _) => Reference::with_digest(registry, repository, digest.to_string()),
        (None, tag) => Reference::with_tag(registry, repository, tag.clone().unwrap_or_default()),
    };
    runtime.block_on(client.auth(&reference, auth, RegistryOperation::Pull))?;
    Ok(Remote {
        client,
        reference,
        auth: auth.clone(),
    })
}

impl Remote {
    fn read(self, runtime: Runtime, image: &ImageRef, platform: Option<&Platform>) -> Result<RemoteImage, ScanError> {
        let (mut reference, mut expected) = (self.reference.clone(), image.digest);
        for _ in 0..MAX_INDEX_DEPTH {
            let pulled = self
                .client
                .pull_manifest_raw(&reference, &self.auth, oci::MANIFEST_TYPES);
            let (bytes, _) = runtime.block_on(pulled).map_err(|source| explain(image, source))?;
            let what = format!("manifest of {image}");
            let bytes = read_limited(&what, &bytes[..], MAX_MANIFEST_BYTES)?;
            let digest = crate::layout::digest_of(&bytes);
            if let Some(expected) = expected.filter(|expected| *expected != digest) {
                return Err(ScanError::Digest {
                    what,
                    expected,
                    actual: digest,
                });
            }
            match oci::parse_document(&what, &bytes)? {
                Document::Index(list) => {
                    let chosen = oci::select(&what, &list, platform)?;
                    expected = Some(chosen.digest);
                    reference = Reference::with_digest(
                        image.registry.clone(),
                        image.repository.clone(),
                        chosen.digest.to_string(),
                    );
                }
                Document::Manifest(manifest) => {
                    let what = format!("config of {image}");
                    let shared = Arc::new(self);
                    let blob = shared.blob(&runtime, manifest.config.digest, manifest.config.size);
                    let config = read_limited(&what, blob, MAX_CONFIG_BYTES)?;
                    verify(&what, &config, &manifest.config.digest)?;
                    return Ok(RemoteImage {
                        remote: shared,
                        runtime,
                        opened: Opened {
                            manifest_digest: Some(digest),
                            config_digest: manifest.config.digest,
                            config: oci::parse_config(&what, &config)?,
                            layers: manifest.layers.iter().map(SourceLayer::from).collect(),
                        },
                    });
                }
            }
        }
        Err(ScanError::Limit {
            what: image.to_string(),
            limit: format!("{MAX_INDEX_DEPTH} indexes in each other"),
        })
    }

    /// Begins to download a blob; at most one byte more than stated is read, which is enough to fail its digest.
    fn blob(self: &Arc<Self>, runtime: &Runtime, digest: Digest, size: u64) -> BlobReader {
        let (sender, receiver) = mpsc::channel(PIECES);
        let remote = Arc::clone(self);
        runtime.spawn(async move {
            if let Err(error) = remote.download(&digest, size.saturating_add(1), &sender).await {
                // A reader that is gone does not want to know.
                let _ = sender.send(Err(error)).await;
            }
        });
        BlobReader {
            receiver,
            piece: Box::new([]),
            at: 0,
        }
    }

    /// Sends a blob piece by piece; continues where a broken connection ended.
    async fn download(&self, digest: &Digest, limit: u64, sender: &mpsc::Sender<io::Result<Piece>>) -> io::Result<()> {
        let digest = digest.to_string();
        let (mut sent, mut resumes) = (0, 0);
        loop {
            match self.download_from(&digest, &mut sent, limit, sender).await {
                Ok(()) => return Ok(()),
                Err(error) if resumes < MAX_RESUMES && may_pass(&error) => {
                    tracing::warn!(%digest, sent, %error, "download continues");
                    tokio::time::sleep(RESUME_PAUSE * 2_u32.pow(resumes)).await;
                    resumes += 1;
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
    }

    async fn download_from(
        &self,
        digest: &str,
        sent: &mut u64,
        limit: u64,
        sender: &mpsc::Sender<io::Result<Piece>>,
    ) -> Result<(), OciDistributionError> {
        // The ranged request gives a stream that the client does not hash a second time.
        let response = self
            .client
            .pull_blob_stream_partial(&self.reference, digest, *sent, None)
            .await?;
        let (mut stream, mut repeated) = match response {
            BlobResponse::Partial(stream) => (stream, 0),
            BlobResponse::Full(stream) => (stream, *sent),
        };
        while let Some(piece) = stream.next().await {
            let piece = piece?;
            let known = repeated.min(piece.len() as u64);
            repeated -= known;
            let new = piece.slice(usize::try_from(known).unwrap_or(piece.len())..);
            *sent += new.len() as u64;
            if sender.send(Ok(Box::new(new))).await.is_err() || *sent >= limit {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Whether trying again may help.
fn may_pass(error: &OciDistributionError) -> bool {
    match error {
        OciDistributionError::IoError(_) | OciDistributionError::RequestError(_) => true,
        OciDistributionError::ServerError { code, .. } => *code >= 500,
        _ => false,
    }
}

type Piece = Box<dyn AsRef<[u8]> + Send>;

/// The scanner's end of a download.
struct BlobReader {
    receiver: mpsc::Receiver<io::Result<Piece>>,
    piece: Piece,
    at: usize,
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let left = &(*self.piece).as_ref()[self.at..];
            if !left.is_empty() {
                let count = left.len().min(buffer.len());
                buffer[..count].copy_from_slice(&left[..count]);
                self.at += count;
                return Ok(count);
            }
            match self.receiver.blocking_recv() {
                Some(piece) => (self.piece, self.at) = (piece?, 0),
                None => return Ok(0),
            }
        }
    }
}

struct RemoteImage {
    remote: Arc<Remote>,
    runtime: Runtime,
    opened: Opened,
}

impl Image for RemoteImage {
    fn opened(&self) -> &Opened {
        &self.opened
    }

    fn open_layer(&self, index: usize) -> Result<Box<dyn Read + Send>, ScanError> {
        let layer = &self.opened.layers[index];
        let digest = layer
            .blob_digest
            .expect("every layer of a registry's manifest has a digest");
        Ok(Box::new(self.remote.blob(&self.runtime, digest, layer.size_bytes)))
    }
}

fn is_unreachable(error: &OciDistributionError) -> bool {
    reason(error) == RegistryFailure::Unreachable
}

fn reason(error: &OciDistributionError) -> RegistryFailure {
    match error {
        OciDistributionError::RequestError(error) if error.status().is_none() => RegistryFailure::Unreachable,
        OciDistributionError::ImageManifestNotFoundError(_) => RegistryFailure::NotFound,
        OciDistributionError::UnauthorizedError { .. } | OciDistributionError::AuthenticationFailure(_) => {
            RegistryFailure::Refused
        }
        OciDistributionError::ServerError { code, .. } => match code {
            401 | 403 => RegistryFailure::Refused,
            404 => RegistryFailure::NotFound,
            429 => RegistryFailure::RateLimit,
            _ => RegistryFailure::Other,
        },
        OciDistributionError::RegistryError { envelope, .. } => {
            let codes = || envelope.errors.iter().map(|error| &error.code);
            if codes().any(|code| matches!(code, OciErrorCode::Unauthorized | OciErrorCode::Denied)) {
                RegistryFailure::Refused
            } else if codes().any(|code| *code == OciErrorCode::Toomanyrequests) {
                RegistryFailure::RateLimit
            } else if codes().any(is_not_found) {
                RegistryFailure::NotFound
            } else {
                RegistryFailure::Other
            }
        }
        _ => RegistryFailure::Other,
    }
}

fn is_not_found(code: &OciErrorCode) -> bool {
    matches!(
        code,
        OciErrorCode::ManifestUnknown | OciErrorCode::NameUnknown | OciErrorCode::NotFound | OciErrorCode::BlobUnknown
    )
}

fn explain(image: &ImageRef, source: OciDistributionError) -> ScanError {
    ScanError::Registry {
        reference: image.to_string(),
        reason: reason(&source),
        source: Box::new(source),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        for host in [
            "localhost",
            "localhost:5000",
            "127.0.0.1:5000",
            "[::1]:5000",
            "127.8.8.8",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["localhost.example", "10.0.0.1:5000", "127.0.0.1.example:80", "example"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
