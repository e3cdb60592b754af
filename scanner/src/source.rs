//! Image sources: a location in, config and layer streams out. One file each; [`ALL`] lists them.

mod container;
mod containerd;
mod docker;
mod docker_archive;
mod engine;
mod folder;
mod oci_archive;
mod oci_layout;
mod podman;
mod registry;
mod rootfs;
mod sbom;

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
};

use plimsoll_model::{Digest, Note, Platform};

pub use self::containerd::ContainerdOptions;

use crate::{
    archive::Archive,
    error::ScanError,
    oci::{Config, Descriptor},
    registry::RegistryOptions,
    scan::Scan,
};

/// A kind of place where images are.
pub trait ImageSource: Sync {
    /// What goes before the colon: `docker-archive`.
    fn scheme(&self) -> &'static str;

    /// Whether an existing path holds an image of this kind.
    fn recognises(&self, probe: &Probe) -> bool;

    /// Finds the image and reads its manifest and config, verified.
    fn open(&self, location: &str, options: &SourceOptions) -> Result<Found, ScanError>;
}

/// What a source found.
pub enum Found {
    /// An image whose layers are to be read.
    Image(Box<dyn Image>),
    /// A document that says what is in an image (an SBOM): nothing is left to read. Layers and tree are empty, and what
    /// the document does not say is a note.
    Scanned(Box<Scan>),
}

/// All image sources. Those that look at a path come before the registry, which takes every name.
pub const ALL: &[&dyn ImageSource] = &[
    &docker_archive::DockerArchive,
    &oci_archive::OciArchive,
    &oci_layout::OciLayout,
    &sbom::SbomFile,
    &rootfs::RootFs,
    &folder::Folder,
    &docker::Docker,
    &podman::Podman,
    &containerd::Containerd,
    &container::Container,
    &registry::Registry,
];

/// Where a name leads that is no path.
pub(crate) const REGISTRY: &dyn ImageSource = &registry::Registry;

/// How images are fetched.
#[derive(Debug, Clone)]
pub struct SourceOptions {
    /// Which image of a multi-platform index; `None`: Linux on this machine's processor.
    pub platform: Option<Platform>,
    /// How registries are spoken to.
    pub registry: RegistryOptions,
    /// Where container engines are.
    pub engines: EngineOptions,
}

/// Where container engines of this machine are.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Sockets of dockerd; the first that exists is asked.
    pub docker_sockets: Vec<PathBuf>,
    /// Sockets of podman's service.
    pub podman_sockets: Vec<PathBuf>,
    /// containerd.
    pub containerd: ContainerdOptions,
}

/// An image that was found.
pub trait Image: Sync {
    /// Its verified documents.
    fn opened(&self) -> &Opened;

    /// A layer's blob from its start. Its digest is verified by the caller.
    fn open_layer(&self, index: usize) -> Result<Box<dyn Read + Send>, ScanError>;

    /// Whether it is a folder of sources: then lock files and manifests count, too.
    fn is_source_tree(&self) -> bool {
        false
    }

    /// Whether [`Self::stream`] gives one; asking for it may be expensive.
    fn streams(&self) -> bool {
        false
    }

    /// All layers in one stream, in the source's own order; `None` where [`Self::open_layer`] gives each one.
    fn stream(&self) -> Result<Option<Box<dyn LayerStream + '_>>, ScanError> {
        Ok(None)
    }

    /// Nobody promised digests of the layers: they are what they are found to be.
    fn computes_digests(&self) -> bool {
        false
    }

    /// The config digest is an image's, though its layers' digests are computed.
    fn has_config_digest(&self) -> bool {
        !self.computes_digests()
    }

    /// What could not be read, asked after all layers were.
    fn notes(&self) -> Vec<Note> {
        Vec::new()
    }
}

/// Layers one after the other, told apart by the digests of their content.
pub trait LayerStream {
    /// The next layer, to be read to its end; `None` after the last.
    fn next(&mut self) -> Result<Option<Box<dyn Read + Send + '_>>, ScanError>;

    /// The image's own config with its bytes, verified, when the stream has passed it.
    fn config(&mut self) -> Option<(Vec<u8>, Config)>;
}

/// What is known of an image before its layers are read.
#[derive(Debug)]
pub struct Opened {
    pub(crate) manifest_digest: Option<Digest>,
    pub(crate) config_digest: Digest,
    pub(crate) config: Config,
    pub(crate) layers: Vec<SourceLayer>,
}

/// A layer as a manifest states it.
#[derive(Debug)]
pub(crate) struct SourceLayer {
    /// Empty when the source has no media types.
    pub(crate) media_type: String,
    pub(crate) blob_digest: Option<Digest>,
    pub(crate) size_bytes: u64,
}

impl From<&Descriptor> for SourceLayer {
    fn from(descriptor: &Descriptor) -> Self {
        Self {
            media_type: descriptor.media_type.clone(),
            blob_digest: Some(descriptor.digest),
            size_bytes: descriptor.size,
        }
    }
}

/// What is at a path, as far as telling sources apart needs it.
#[derive(Debug)]
pub struct Probe {
    path: PathBuf,
    content: ProbeContent,
}

#[derive(Debug)]
enum ProbeContent {
    Folder,
    Tar(Archive),
    Other(String),
}

impl Probe {
    /// Looks at a path.
    pub(crate) fn of(path: &Path) -> Result<Self, ScanError> {
        let error = |source: io::Error| ScanError::Open {
            path: path.to_owned(),
            source,
        };
        let metadata = std::fs::metadata(path).map_err(error)?;
        let content = if metadata.is_dir() {
            ProbeContent::Folder
        } else if metadata.is_file() {
            let mut start = Vec::new();
            let file = std::fs::File::open(path).map_err(error)?;
            file.take(8).read_to_end(&mut start).map_err(error)?;
            match start.as_slice() {
                [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] | [0xfd, b'7', b'z', ..] | [b'B', b'Z', b'h', ..] => {
                    ProbeContent::Other("the archive as a whole is compressed; decompress it first".to_owned())
                }
                _ => match Archive::open(path) {
                    Ok(archive) => ProbeContent::Tar(archive),
                    // Cut off after some members: whoever opens it says so better.
                    Err(error @ ScanError::Read { .. }) => return Err(error),
                    Err(error) => ProbeContent::Other(error.to_string()),
                },
            }
        } else {
            ProbeContent::Other("it is neither a file nor a folder".to_owned())
        };
        Ok(Self {
            path: path.to_owned(),
            content,
        })
    }

    /// Whether a folder or tar file has a member of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        match &self.content {
            ProbeContent::Folder => self.path.join(name).exists(),
            ProbeContent::Tar(archive) => archive.has(name),
            ProbeContent::Other(_) => false,
        }
    }

    pub(crate) fn is_folder(&self) -> bool {
        matches!(self.content, ProbeContent::Folder)
    }

    pub(crate) fn is_file(&self) -> bool {
        !self.is_folder()
    }

    /// Why no source recognised it.
    pub(crate) fn describe(&self) -> String {
        match &self.content {
            ProbeContent::Folder => "the folder has no index.json".to_owned(),
            ProbeContent::Tar(_) => "the tar has neither manifest.json nor index.json".to_owned(),
            ProbeContent::Other(reason) => reason.clone(),
        }
    }
}
