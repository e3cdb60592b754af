//! An OCI image layout, in a folder or in a tar file: `index.json` and blobs in, one image out (image-spec,
//! image-layout.md).

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use plimsoll_model::{Digest, Platform};
use sha2::{Digest as _, Sha256};

use crate::{
    archive::Archive,
    error::ScanError,
    limits::{MAX_CONFIG_BYTES, MAX_INDEX_DEPTH, MAX_LAYER_BYTES, MAX_MANIFEST_BYTES},
    oci::{self, Descriptor, Document},
    source::{Image, Opened, SourceLayer},
};

/// Where a layout's files are.
#[derive(Debug)]
pub(crate) enum Files {
    Folder(PathBuf),
    Archive(Archive),
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
        }
    }

    fn blob(&self, digest: &Digest) -> Result<(Box<dyn Read + Send>, u64), ScanError> {
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
        let mut chosen = choose(shown, &list, tag, platform)?.clone();
        for _ in 0..MAX_INDEX_DEPTH {
            let what = format!("manifest {} of {shown}", chosen.digest);
            let bytes = files.verified(&what, &chosen.digest, MAX_MANIFEST_BYTES)?;
            match oci::parse_document(&what, &bytes)? {
                Document::Index(list) => chosen = oci::select(&what, &list, platform)?.clone(),
                Document::Manifest(manifest) => {
                    let what = format!("config {} of {shown}", manifest.config.digest);
                    let config = files.verified(&what, &manifest.config.digest, MAX_CONFIG_BYTES)?;
                    return Ok(Self {
                        files,
                        opened: Opened {
                            manifest_digest: Some(chosen.digest),
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
