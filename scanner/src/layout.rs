//! An OCI image layout, in a folder or in a tar file: `index.json` and blobs in, one image out (image-spec,
//! image-layout.md).

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

use plimsoll_model::{Digest, Platform};
use sha2::{Digest as _, Sha256};

use crate::{
    archive::Archive,
    error::ScanError,
    limits::{MAX_CONFIG_BYTES, MAX_INDEX_DEPTH, MAX_LAYER_BYTES, MAX_MANIFEST_BYTES},
    oci::{self, Descriptor, Document},
    source::{ContainerdOptions, Image, Opened, SourceLayer},
};

/// Where a layout's files are.
#[derive(Debug)]
pub(crate) enum Files {
    Folder(PathBuf),
    Archive(Archive),
    /// Only blobs, each by a child process.
    Containerd(ContainerdOptions),
}

impl Files {
    /// A file's bytes and their number.
    fn open(&self, name: &str) -> Result<(Box<dyn Read + Send>, u64), ScanError> {
        match self {
            Self::Folder(folder) => {
                let path = folder.join(name);
                let error = |source: io::Error| match source.kind() {
                    io::ErrorKind::NotFound => ScanError::Missing {
                        what: path.display().to_string(),
                        available: Vec::new(),
                    },
                    _ => ScanError::Open {
                        path: path.clone(),
                        source,
                    },
                };
                // Asked before opening: a pipe would wait for a writer for ever.
                let metadata = std::fs::metadata(&path).map_err(error)?;
                if !metadata.is_file() {
                    return Err(ScanError::NotAnImage {
                        what: path.display().to_string(),
                        reason: "it is not a regular file".to_owned(),
                    });
                }
                Ok((Box::new(File::open(&path).map_err(error)?), metadata.len()))
            }
            Self::Archive(archive) => {
                let (section, size) = archive.member(name)?;
                Ok((Box::new(section), size))
            }
            Self::Containerd(_) => Err(ScanError::Missing {
                what: name.to_owned(),
                available: Vec::new(),
            }),
        }
    }

    fn blob(&self, digest: &Digest) -> Result<(Box<dyn Read + Send>, u64), ScanError> {
        if let Self::Containerd(containerd) = self {
            let mut command = containerd.command();
            command.args(["content", "get", &digest.to_string()]);
            let child = ChildOutput::start(command).map_err(|source| ScanError::Read {
                what: format!("blob {digest}"),
                source,
            })?;
            return Ok((Box::new(child), u64::MAX));
        }
        self.open(&format!("blobs/sha256/{}", digest.encoded()))
    }

    fn verified(&self, what: &str, digest: &Digest, limit: u64) -> Result<Vec<u8>, ScanError> {
        let bytes = read_limited(what, self.blob(digest)?.0, limit)?;
        verify(what, &bytes, digest)?;
        Ok(bytes)
    }
}

/// An image in a layout.
pub(crate) struct LayoutImage {
    files: Files,
    opened: Opened,
    layers: Vec<Descriptor>,
}

impl LayoutImage {
    /// Finds the image that `tag` names, or the only one for the platform.
    pub(crate) fn open(
        files: Files,
        shown: &str,
        tag: Option<&str>,
        platform: Option<&Platform>,
    ) -> Result<Self, ScanError> {
        let index = read_limited(shown, files.open("index.json")?.0, MAX_MANIFEST_BYTES)?;
        let Document::Index(list) = oci::parse_document(shown, &index)? else {
            return Err(ScanError::NotAnImage {
                what: shown.to_owned(),
                reason: "index.json is no index".to_owned(),
            });
        };
        let digest = choose(shown, &list, tag, platform)?.digest;
        Self::open_manifest(files, shown, digest, platform)
    }

    /// Reads the manifest, or the index, that a digest names.
    pub(crate) fn open_manifest(
        files: Files,
        shown: &str,
        mut chosen: Digest,
        platform: Option<&Platform>,
    ) -> Result<Self, ScanError> {
        for _ in 0..MAX_INDEX_DEPTH {
            let what = format!("manifest {chosen} of {shown}");
            let bytes = files.verified(&what, &chosen, MAX_MANIFEST_BYTES)?;
            match oci::parse_document(&what, &bytes)? {
                Document::Index(list) => chosen = oci::select(&what, &list, platform)?.digest,
                Document::Manifest(manifest) => {
                    let what = format!("config {} of {shown}", manifest.config.digest);
                    let config = files.verified(&what, &manifest.config.digest, MAX_CONFIG_BYTES)?;
                    return Ok(Self {
                        files,
                        opened: Opened {
                            manifest_digest: Some(chosen),
                            config_digest: manifest.config.digest,
                            config: oci::parse_config(&what, &config)?,
                            layers: manifest.layers.iter().map(SourceLayer::from).collect(),
                        },
                        layers: manifest.layers,
                    });
                }
            }
        }
        Err(ScanError::Limit {
            what: shown.to_owned(),
            limit: format!("{MAX_INDEX_DEPTH} indexes in each other"),
        })
    }
}

impl Image for LayoutImage {
    fn opened(&self) -> &Opened {
        &self.opened
    }

    fn open_layer(&self, index: usize) -> Result<Box<dyn Read + Send>, ScanError> {
        let (reader, size) = self.files.blob(&self.layers[index].digest)?;
        Ok(Box::new(reader.take(size.min(MAX_LAYER_BYTES))))
    }
}

/// What a child process writes. One that fails is an error at the end, and one that nobody reads any more is ended.
struct ChildOutput {
    child: Child,
    output: ChildStdout,
    has_ended: bool,
}

impl ChildOutput {
    fn start(mut command: Command) -> io::Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let output = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self {
            child,
            output,
            has_ended: false,
        })
    }
}

impl Read for ChildOutput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.output.read(buffer)?;
        if count == 0 && !buffer.is_empty() && !self.has_ended {
            let status = self.child.wait()?;
            self.has_ended = true;
            if !status.success() {
                return Err(io::Error::other(format!("the child process ended with {status}")));
            }
        }
        Ok(count)
    }
}

impl Drop for ChildOutput {
    fn drop(&mut self) {
        if !self.has_ended {
            // It may have ended in between.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn choose<'a>(
    shown: &str,
    list: &'a [Descriptor],
    tag: Option<&str>,
    platform: Option<&Platform>,
) -> Result<&'a Descriptor, ScanError> {
    let names = || {
        list.iter()
            .filter_map(Descriptor::ref_name)
            .map(str::to_owned)
            .collect()
    };
    if let Some(tag) = tag {
        let found = list.iter().find(|descriptor| descriptor.ref_name() == Some(tag));
        return found.ok_or_else(|| ScanError::Missing {
            what: format!("{} in {shown}", tag.escape_debug()),
            available: names(),
        });
    }
    match list {
        [only] => Ok(only),
        // Several, and none says a platform: they are different images.
        [first, ..] if list.iter().all(|descriptor| descriptor.platform.is_none()) => {
            let differ = list.iter().any(|descriptor| descriptor.digest != first.digest);
            if differ {
                return Err(ScanError::Missing {
                    what: format!("one image in {shown} without a tag"),
                    available: names(),
                });
            }
            Ok(first)
        }
        _ => oci::select(shown, list, platform),
    }
}

/// `PATH[:TAG]`; a colon in an existing path is part of it.
pub(crate) fn split_tag(location: &str) -> (&Path, Option<&str>) {
    if Path::new(location).exists() {
        return (Path::new(location), None);
    }
    match location.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (Path::new(path), Some(tag)),
        _ => (Path::new(location), None),
    }
}

/// All bytes, if there are not more than `limit`.
pub(crate) fn read_limited(what: &str, reader: impl Read, limit: u64) -> Result<Vec<u8>, ScanError> {
    let mut bytes = Vec::new();
    reader
        .take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| ScanError::Read {
            what: what.to_owned(),
            source,
        })?;
    if bytes.len() as u64 > limit {
        return Err(ScanError::Limit {
            what: what.to_owned(),
            limit: format!("{limit} bytes"),
        });
    }
    Ok(bytes)
}

/// Compares content with the digest that it was asked for by.
pub(crate) fn verify(what: &str, bytes: &[u8], expected: &Digest) -> Result<(), ScanError> {
    let actual = digest_of(bytes);
    if actual == *expected {
        return Ok(());
    }
    Err(ScanError::Digest {
        what: what.to_owned(),
        expected: *expected,
        actual,
    })
}

pub(crate) fn digest_of(bytes: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::digest(bytes).into())
}
