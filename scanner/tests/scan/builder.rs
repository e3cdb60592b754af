//! Layers and images for tests: files in, tar, OCI layouts and docker-archives out, written by the `tar` crate.

use std::{collections::BTreeMap, fs, path::Path};

use plimsoll_model::{Digest, Note, NoteKind};
use plimsoll_scanner::{
    DEFAULT_MAX_ENTRIES, RegistryOptions, Scan, ScanError, ScanOptions, Silent, Target, scan,
    source::{ContainerdOptions, EngineOptions, SourceOptions},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

/// One layer's tar.
pub(crate) struct Layer(tar::Builder<Vec<u8>>);

impl Layer {
    pub(crate) fn new() -> Self {
        Self(tar::Builder::new(Vec::new()))
    }

    fn add(mut self, path: &str, kind: tar::EntryType, mode: u32, link: &str, content: &[u8]) -> Self {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(content.len() as u64);
        // Written as bytes: `set_path` refuses what hostile archives have.
        assert!(
            path.len() <= 100 && link.len() <= 100,
            "long names have helpers of their own"
        );
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        self.0.append(&header, content).unwrap();
        self
    }

    pub(crate) fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.add(path, tar::EntryType::Regular, 0o644, "", content.as_ref())
    }

    pub(crate) fn program(self, path: &str, mode: u32, content: impl AsRef<[u8]>) -> Self {
        self.add(path, tar::EntryType::Regular, mode, "", content.as_ref())
    }

    pub(crate) fn folder(self, path: &str) -> Self {
        self.add(path, tar::EntryType::Directory, 0o755, "", b"")
    }

    pub(crate) fn symlink(self, path: &str, target: &str) -> Self {
        self.add(path, tar::EntryType::Symlink, 0o777, target, b"")
    }

    pub(crate) fn hard_link(self, path: &str, target: &str) -> Self {
        self.add(path, tar::EntryType::Link, 0o644, target, b"")
    }

    /// A member that no helper can make.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut tar::Builder<Vec<u8>>)) -> Self {
        change(&mut self.0);
        self
    }

    pub(crate) fn tar(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

/// A blob as a manifest lists it.
#[derive(Clone)]
pub(crate) struct Blob {
    pub(crate) media_type: String,
    pub(crate) bytes: Vec<u8>,
    /// Of the uncompressed content, as the config will claim.
    pub(crate) diff_id: String,
}

impl Blob {
    pub(crate) fn plain(tar: &[u8]) -> Self {
        Self::of("application/vnd.oci.image.layer.v1.tar", tar, tar.to_vec())
    }

    pub(crate) fn gzip(tar: &[u8]) -> Self {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        std::io::Write::write_all(&mut encoder, tar).unwrap();
        Self::of(
            "application/vnd.oci.image.layer.v1.tar+gzip",
            tar,
            encoder.finish().unwrap(),
        )
    }

    pub(crate) fn zstd(tar: &[u8]) -> Self {
        let bytes = zstd::encode_all(tar, 3).unwrap();
        Self::of("application/vnd.oci.image.layer.v1.tar+zstd", tar, bytes)
    }

    pub(crate) fn of(media_type: &str, tar: &[u8], bytes: Vec<u8>) -> Self {
        Self {
            media_type: media_type.to_owned(),
            bytes,
            diff_id: digest(tar),
        }
    }
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    Digest::from_bytes(Sha256::digest(bytes).into()).to_string()
}

/// An image in a folder that goes away with it.
pub(crate) struct Image {
    pub(crate) folder: TempDir,
    pub(crate) manifest_digest: String,
}

/// The config of an image with these layers.
pub(crate) fn config(layers: &[Blob]) -> Value {
    json!({
        "os": "linux",
        "architecture": if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" },
        "created": "2024-05-01T10:00:00Z",
        "config": {"Entrypoint": ["/bin/app"], "Env": ["A=b"], "ExposedPorts": {"80/tcp": {}}},
        "rootfs": {"type": "layers", "diff_ids": layers.iter().map(|layer| &layer.diff_id).collect::<Vec<_>>()},
        "history": layers.iter().map(|_| json!({"created_by": "COPY"})).collect::<Vec<_>>(),
    })
}

/// Writes an OCI layout.
pub(crate) fn oci(layers: &[Blob]) -> Image {
    oci_with_config(layers, &config(layers))
}

pub(crate) fn oci_with_config(layers: &[Blob], config: &Value) -> Image {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("blobs/sha256")).unwrap();
    fs::write(folder.path().join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    let put = |bytes: &[u8]| {
        let name = digest(bytes);
        fs::write(blob_path(folder.path(), &name), bytes).unwrap();
        name
    };
    let config = config.to_string();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": put(config.as_bytes()),
            "size": config.len(),
        },
        "layers": layers.iter().map(|layer| json!({
            "mediaType": layer.media_type,
            "digest": put(&layer.bytes),
            "size": layer.bytes.len(),
        })).collect::<Vec<_>>(),
    })
    .to_string();
    let manifest_digest = put(manifest.as_bytes());
    let index = json!({
        "schemaVersion": 2,
        "manifests": [{
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": manifest_digest,
            "size": manifest.len(),
            "annotations": {"org.opencontainers.image.ref.name": "v1"},
        }],
    });
    fs::write(folder.path().join("index.json"), index.to_string()).unwrap();
    Image {
        folder,
        manifest_digest,
    }
}

pub(crate) fn blob_path(folder: &Path, digest: &str) -> std::path::PathBuf {
    folder.join("blobs/sha256").join(digest.trim_start_matches("sha256:"))
}

impl Image {
    pub(crate) fn path(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }

    pub(crate) fn scan(&self) -> Result<Scan, ScanError> {
        scan_target(&format!("oci:{}", self.path()))
    }
}

/// A docker-archive as `docker save` wrote it for years; layers are plain tars.
pub(crate) fn docker_archive(tars: &[Vec<u8>]) -> Vec<u8> {
    let blobs: Vec<Blob> = tars.iter().map(|tar| Blob::plain(tar)).collect();
    let config = config(&blobs).to_string();
    let config_name = format!("{}.json", digest(config.as_bytes()).trim_start_matches("sha256:"));
    let mut archive = Layer::new().file(&config_name, &config);
    let mut names = Vec::new();
    for (index, tar) in tars.iter().enumerate() {
        let name = format!("layer{index}/layer.tar");
        archive = archive.file(&name, tar);
        names.push(name);
    }
    let manifest = json!([{"Config": config_name, "RepoTags": ["app:1"], "Layers": names}]);
    archive.file("manifest.json", manifest.to_string()).tar()
}

pub(crate) fn options(source: SourceOptions) -> ScanOptions<'static> {
    ScanOptions {
        source,
        memory_bytes: None,
        max_entries: DEFAULT_MAX_ENTRIES,
        cache: None,
        parallel_layers: 2,
        progress: &Silent,
    }
}

pub(crate) fn plain_source() -> SourceOptions {
    SourceOptions {
        platform: None,
        registry: RegistryOptions {
            plain_http: false,
            is_insecure: false,
            ca_files: Vec::new(),
            certificate_folders: Vec::new(),
            credential_files: Vec::new(),
            mirrors: Vec::new(),
            configuration_files: Vec::new(),
            max_wait: std::time::Duration::from_secs(2),
        },
        engines: EngineOptions {
            docker_sockets: Vec::new(),
            podman_sockets: Vec::new(),
            containerd: ContainerdOptions {
                address: None,
                namespace: "default".to_owned(),
            },
        },
    }
}

pub(crate) fn scan_target(target: &str) -> Result<Scan, ScanError> {
    scan(&Target::parse(target)?, &options(plain_source()))
}

/// Every path with what is there: `link:target`, `file:content length`, `folder`.
pub(crate) fn listing(scan: &Scan) -> BTreeMap<String, String> {
    scan.tree
        .iter()
        .map(|entry| {
            let what = match (&entry.link_target, &entry.digest) {
                (Some(target), _) => format!("link:{target}"),
                (None, Some(digest)) => format!("file:{}", digest.short()),
                (None, None) => format!("{:?}", entry.kind).to_lowercase(),
            };
            (entry.path.clone(), what)
        })
        .collect()
}

pub(crate) fn file(content: &[u8]) -> String {
    let digest: Digest = digest(content).parse().unwrap();
    format!("file:{}", digest.short())
}

pub(crate) fn paths(scan: &Scan) -> Vec<&str> {
    scan.tree.iter().map(|entry| entry.path.as_str()).collect()
}

/// Notes that say that something was missed, but not the one that small images all have: that they are no system.
pub(crate) fn incomplete(notes: &[Note]) -> Vec<&Note> {
    let is_missing = |note: &&Note| note.makes_incomplete() && note.kind != NoteKind::Unrecognised;
    notes.iter().filter(is_missing).collect()
}
