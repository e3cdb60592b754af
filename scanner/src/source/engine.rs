//! Docker's API over a unix socket, as dockerd and podman's service speak it: inspect in, config and a stream of layers
//! out. `GET /images/NAME/get` sends a docker-archive whose list of layers comes last, so that layers are told apart by
//! their digests; nothing is kept on disk.

use std::{
    io::{BufReader, Read},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use plimsoll_model::{Digest, ImageRef};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::{Found, Image, LayerStream, Opened, SourceLayer};
use crate::{
    error::ScanError,
    layer::tar::{Input, MemberKind, TarError, TarReader},
    layout::{digest_of, read_limited},
    limits::{MAX_CONFIG_BYTES, MAX_LAYERS},
    oci::{self, Config},
    registry::{self, BlobReader},
};

/// An engine that accepts no connection for so long is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// dockerd assembles a whole layer before it sends the first byte of an export.
const READ_TIMEOUT: Duration = Duration::from_secs(300);

/// An engine that answers.
pub(super) struct Engine {
    name: &'static str,
    client: reqwest::Client,
    runtime: Arc<Runtime>,
}

/// What `inspect` says of an image.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    id: String,
    #[serde(default)]
    repo_digests: Option<Vec<String>>,
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    variant: Option<String>,
    #[serde(default)]
    config: Value,
    #[serde(rename = "RootFS")]
    root_fs: RootFs,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RootFs {
    layers: Option<Vec<Digest>>,
}

/// What `inspect` says of a container.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Container {
    /// Its image, by id.
    pub(super) image: String,
    pub(super) state: State,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct State {
    /// Process on this machine; 0 when it does not run.
    pub(super) pid: i32,
}

/// An image's documents, as far as the engine tells them.
pub(super) struct Documents {
    pub(super) manifest_digest: Option<Digest>,
    pub(super) config_digest: Digest,
    pub(super) config: Config,
}

impl Engine {
    /// Takes the first socket that is there.
    pub(super) fn connect(name: &'static str, sockets: &[PathBuf]) -> Result<Self, ScanError> {
        let socket = sockets.iter().find(|socket| socket.exists());
        let socket = socket.ok_or_else(|| ScanError::Engine {
            engine: name,
            reason: match sockets.first() {
                Some(first) => format!("there is no socket {}", first.display()),
                None => "only unix sockets are spoken to".to_owned(),
            },
        })?;
        let client = reqwest::Client::builder()
            .user_agent(concat!("plimsoll/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .unix_socket(socket.as_path())
            .build()
            .map_err(|error| ScanError::Workers(std::io::Error::other(error)))?;
        let runtime = registry::runtime().map_err(ScanError::Workers)?;
        Ok(Self { name, client, runtime })
    }

    fn failed(&self, reason: &(impl ToString + ?Sized)) -> ScanError {
        ScanError::Engine {
            engine: self.name,
            reason: reason.to_string(),
        }
    }

    /// Asks; `None`: there is no such thing.
    fn get(&self, path: &str) -> Result<Option<reqwest::Response>, ScanError> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "/:@._-".contains(c);
        if !path.chars().all(is_plain) || path.contains("..") {
            return Err(self.failed("the name has characters that no name has"));
        }
        let request = self.client.get(format!("http://localhost{path}"));
        // The request's timers belong to the runtime, so it must begin there.
        let sent = self.runtime.block_on(async { request.send().await });
        let response = sent.map_err(|error| {
            let mut reason = error.without_url().to_string();
            reason.push_str(": does it run, and may this user speak to it?");
            self.failed(&reason)
        })?;
        match response.status().as_u16() {
            200 => Ok(Some(response)),
            404 => Ok(None),
            status => Err(self.failed(&format!("it answered {status}"))),
        }
    }

    fn get_json<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, ScanError> {
        let Some(response) = self.get(path)? else {
            return Ok(None);
        };
        let what = format!("the answer of {}", self.name);
        let body = registry::read_body(&self.runtime, response);
        let bytes = read_limited(&what, body, MAX_CONFIG_BYTES)?;
        oci::parse_json(&what, &bytes).map(Some)
    }

    /// Looks for an image by name or id.
    pub(super) fn documents(&self, name: &str) -> Result<Option<Documents>, ScanError> {
        let Some(found): Option<Inspected> = self.get_json(&format!("/images/{name}/json"))? else {
            return Ok(None);
        };
        let id = found.id.strip_prefix("sha256:").unwrap_or(&found.id);
        let config_digest: Digest = format!("sha256:{id}")
            .parse()
            .map_err(|source| ScanError::DigestSyntax {
                what: format!("an image of {}", self.name),
                source,
            })?;
        let config = json!({
            "os": found.os, "architecture": found.architecture, "variant": found.variant, "config": found.config,
            "rootfs": { "diff_ids": found.root_fs.layers.unwrap_or_default() },
        });
        let what = format!("config of {name}");
        let config = oci::parse_config(&what, config.to_string().as_bytes())?;
        if config.diff_ids.len() > MAX_LAYERS {
            return Err(self.failed(&format!("the image has {} layers", config.diff_ids.len())));
        }
        Ok(Some(Documents {
            manifest_digest: manifest_digest(name, &found.repo_digests.unwrap_or_default()),
            config_digest,
            config,
        }))
    }

    /// Looks for a container by name or id.
    pub(super) fn container(&self, name: &str) -> Result<Option<Container>, ScanError> {
        self.get_json(&format!("/containers/{name}/json"))
    }

    /// An image with its layers.
    pub(super) fn image(self, name: &str) -> Result<Found, ScanError> {
        let documents = self.documents(name)?;
        let documents = documents.ok_or_else(|| self.failed(&format!("it has no image {name}")))?;
        let layers = documents.config.diff_ids.iter().map(|_| SourceLayer {
            media_type: String::new(),
            blob_digest: None,
            size_bytes: 0,
        });
        Ok(Found::Image(Box::new(EngineImage {
            opened: Opened {
                manifest_digest: documents.manifest_digest,
                config_digest: documents.config_digest,
                layers: layers.collect(),
                config: documents.config,
            },
            engine: self,
            name: name.to_owned(),
        })))
    }
}

/// The digest of the name that was asked for, or the only one there is.
fn manifest_digest(name: &str, repo_digests: &[String]) -> Option<Digest> {
    let wanted = name.parse::<ImageRef>().ok();
    let parse = |text: &String| text.parse::<ImageRef>().ok();
    let all: Vec<ImageRef> = repo_digests.iter().filter_map(parse).collect();
    let same = all.iter().find(|found| {
        let wanted = wanted.as_ref();
        wanted.is_some_and(|wanted| wanted.registry == found.registry && wanted.repository == found.repository)
    });
    match (same, all.as_slice()) {
        (Some(found), _) | (None, [found]) => found.digest,
        _ => None,
    }
}

struct EngineImage {
    engine: Engine,
    name: String,
    opened: Opened,
}

impl Image for EngineImage {
    fn opened(&self) -> &Opened {
        &self.opened
    }

    fn open_layer(&self, index: usize) -> Result<Box<dyn Read + Send>, ScanError> {
        Err(self
            .engine
            .failed(&format!("layer {index} is only sent with all others")))
    }

    fn streams(&self) -> bool {
        true
    }

    fn stream(&self) -> Result<Option<Box<dyn LayerStream + '_>>, ScanError> {
        let response = self.engine.get(&format!("/images/{}/get", self.name))?;
        let response = response.ok_or_else(|| self.engine.failed("the image was removed"))?;
        let body = registry::read_body(&self.engine.runtime, response);
        Ok(Some(Box::new(ArchiveStream {
            tar: TarReader::new(StreamInput(BufReader::with_capacity(64 << 10, body))),
            config_digest: self.opened.config_digest,
            config: None,
            what: format!("{}:{}", self.engine.name, self.name),
        })))
    }
}

/// A stream that cannot be moved in but by reading.
struct StreamInput(BufReader<BlobReader>);

impl Read for StreamInput {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buffer)
    }
}

impl std::io::BufRead for StreamInput {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        self.0.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        self.0.consume(bytes);
    }
}

impl Input for StreamInput {}

/// A docker-archive, read forward.
struct ArchiveStream {
    tar: TarReader<StreamInput>,
    config_digest: Digest,
    config: Option<(Vec<u8>, Config)>,
    what: String,
}

impl ArchiveStream {
    fn failed(&self, error: TarError) -> ScanError {
        ScanError::Read {
            what: self.what.clone(),
            source: match error {
                TarError::Read(error) => error,
                other => std::io::Error::new(std::io::ErrorKind::UnexpectedEof, other.to_string()),
            },
        }
    }
}

impl LayerStream for ArchiveStream {
    fn next(&mut self) -> Result<Option<Box<dyn Read + Send + '_>>, ScanError> {
        loop {
            let member = match self.tar.next() {
                Ok(Some(member)) => member,
                Ok(None) => return Ok(None),
                Err(error) => return Err(self.failed(error)),
            };
            if member.kind != MemberKind::Regular || member.extents.is_some() {
                continue;
            }
            let start = match self.tar.body() {
                Ok(bytes) => bytes.first().copied(),
                Err(error) => return Err(self.failed(error)),
            };
            let is_document = matches!(start, Some(b'{' | b'['));
            let is_layer = member.path.ends_with(b".tar") || member.path.starts_with(b"blobs/");
            if is_document && member.stored_bytes <= MAX_CONFIG_BYTES {
                let bytes = read_limited(&self.what, MemberBody(&mut self.tar), MAX_CONFIG_BYTES)?;
                if digest_of(&bytes) == self.config_digest {
                    let config = oci::parse_config(&self.what, &bytes)?;
                    self.config = Some((bytes, config));
                }
            } else if is_layer && !is_document {
                break;
            }
        }
        Ok(Some(Box::new(MemberBody(&mut self.tar))))
    }

    fn config(&mut self) -> Option<(Vec<u8>, Config)> {
        self.config.take()
    }
}

struct MemberBody<'a>(&'a mut TarReader<StreamInput>);

impl Read for MemberBody<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let there = self.0.body().map_err(std::io::Error::other)?;
        let count = there.len().min(buffer.len());
        buffer[..count].copy_from_slice(&there[..count]);
        self.0.consume(count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_the_asked_name_wins() {
        let digest = |n: u8| format!("sha256:{}", format!("{n:02x}").repeat(32));
        let list = [format!("r.example/a@{}", digest(1)), format!("redis@{}", digest(2))];
        let found = |name: &str, list: &[String]| manifest_digest(name, list).map(|digest| digest.to_string());
        assert_eq!(found("redis:7", &list), Some(digest(2)));
        assert_eq!(found("other", &list), None);
        assert_eq!(found(&"a".repeat(64), &list[..1]), Some(digest(1)));
        assert_eq!(found("x", &[]), None);
    }
}
