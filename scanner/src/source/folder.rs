//! `dir:PATH`: a folder of sources or programs in; lock files and manifests count.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use plimsoll_model::{Digest, ImageConfig, Note};

use super::{Found, Image, ImageSource, Opened, Probe, SourceLayer, SourceOptions};
use crate::{
    error::ScanError,
    folder::{FolderTar, Mounts, Notes},
    oci::{self, Config},
};

/// Any folder.
pub(super) struct Folder;

impl ImageSource for Folder {
    fn scheme(&self) -> &'static str {
        "dir"
    }

    fn recognises(&self, probe: &Probe) -> bool {
        probe.is_folder()
    }

    fn open(&self, location: &str, _options: &SourceOptions) -> Result<Found, ScanError> {
        let image = FolderImage::open(Path::new(location), Mounts::Enter, true)?;
        Ok(Found::Image(Box::new(image)))
    }
}

/// A folder as an image of one layer, which nobody promised a digest for.
pub(super) struct FolderImage {
    path: PathBuf,
    mounts: Mounts,
    is_source_tree: bool,
    notes: Notes,
    opened: Opened,
    /// The config digest is that of a real image.
    has_identity: bool,
}

impl FolderImage {
    pub(super) fn open(path: &Path, mounts: Mounts, is_source_tree: bool) -> Result<Self, ScanError> {
        let notes = Notes::default();
        // Whether it can be opened is said at once.
        FolderTar::open(path, mounts, &notes)?;
        let nothing = Digest::from_bytes([0; 32]);
        let opened = Opened {
            manifest_digest: None,
            config_digest: nothing,
            config: Config {
                platform: oci::host_platform(),
                diff_ids: vec![nothing],
                image: ImageConfig::default(),
            },
            layers: vec![SourceLayer {
                media_type: String::new(),
                blob_digest: None,
                size_bytes: 0,
            }],
        };
        Ok(Self {
            path: path.to_owned(),
            mounts,
            is_source_tree,
            notes: Notes::default(),
            opened,
            has_identity: false,
        })
    }

    /// Gives it the identity of the image that a container was made of.
    pub(super) fn with_identity(mut self, manifest: Option<Digest>, digest: Digest, config: Config) -> Self {
        self.opened.manifest_digest = manifest;
        self.opened.config_digest = digest;
        self.opened.config.platform = config.platform;
        self.opened.config.image = config.image;
        self.has_identity = true;
        self
    }
}

impl Image for FolderImage {
    fn opened(&self) -> &Opened {
        &self.opened
    }

    fn open_layer(&self, _index: usize) -> Result<Box<dyn Read + Send>, ScanError> {
        Ok(Box::new(FolderTar::open(&self.path, self.mounts, &self.notes)?))
    }

    fn is_source_tree(&self) -> bool {
        self.is_source_tree
    }

    fn computes_digests(&self) -> bool {
        true
    }

    fn has_config_digest(&self) -> bool {
        self.has_identity
    }

    fn notes(&self) -> Vec<Note> {
        self.notes.lock().map(|notes| notes.clone()).unwrap_or_default()
    }
}
