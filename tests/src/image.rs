//! Small images made by the test itself: lists of files in, an OCI layout on disk out. No container tool is needed.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// An OCI layout with one image, tagged `latest`.
#[derive(Debug)]
pub struct Layout {
    /// The folder.
    pub folder: PathBuf,
    /// Digest of its manifest.
    pub manifest_digest: String,
    /// Digest of its config.
    pub config_digest: String,
    /// Digests of its layers, compressed, base first.
    pub layer_digests: Vec<String>,
}

/// One layer's files: path without leading slash, content.
pub type Files<'a> = &'a [(&'a str, &'a [u8])];

/// `sha256:…` of some bytes.
pub fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// A tar archive of regular files, mode 755.
pub fn archive(files: Files<'_>) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o755);
        header.set_cksum();
        builder
            .append_data(&mut header, path, *content)
            .expect("writing to memory does not fail");
    }
    builder.into_inner().expect("writing to memory does not fail")
}

/// Those bytes, compressed by gzip.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("writing to memory does not fail");
    encoder.finish().expect("writing to memory does not fail")
}

/// Writes an image with these layers and this `config` object of its configuration.
pub fn write_layout(folder: &Path, layers: &[Files<'_>], config: &Value) -> anyhow::Result<Layout> {
    let blobs: Vec<(Vec<u8>, Vec<u8>)> = layers
        .iter()
        .map(|files| {
            let plain = archive(files);
            let packed = gzip(&plain);
            (plain, packed)
        })
        .collect();
    let diff_ids: Vec<String> = blobs.iter().map(|(plain, _)| digest(plain)).collect();
    let config = serde_json::to_vec(&json!({
        "architecture": "amd64", "os": "linux", "config": config,
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
        "history": layers.iter().map(|_| json!({ "created_by": "made by a test" })).collect::<Vec<_>>(),
    }))?;
    let descriptors: Vec<Value> = blobs
        .iter()
        .map(|(_, packed)| descriptor("application/vnd.oci.image.layer.v1.tar+gzip", packed))
        .collect();
    let manifest = serde_json::to_vec(&json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
        "layers": descriptors,
    }))?;
    let mut entry = descriptor("application/vnd.oci.image.manifest.v1+json", &manifest);
    entry["annotations"] = json!({ "org.opencontainers.image.ref.name": "latest" });
    fs::create_dir_all(folder.join("blobs/sha256"))?;
    fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
    fs::write(
        folder.join("index.json"),
        serde_json::to_vec(&json!({ "schemaVersion": 2, "manifests": [entry] }))?,
    )?;
    let layout = Layout {
        folder: folder.to_owned(),
        manifest_digest: digest(&manifest),
        config_digest: digest(&config),
        layer_digests: blobs.iter().map(|(_, packed)| digest(packed)).collect(),
    };
    for bytes in [&config, &manifest]
        .into_iter()
        .chain(blobs.iter().map(|(_, packed)| packed))
    {
        fs::write(layout.blob(&digest(bytes)), bytes)?;
    }
    Ok(layout)
}

fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": digest(bytes), "size": bytes.len() })
}

impl Layout {
    /// The file of a blob.
    pub fn blob(&self, digest: &str) -> PathBuf {
        self.folder
            .join("blobs/sha256")
            .join(digest.trim_start_matches("sha256:"))
    }
}

/// The files of a Debian image with one package, `demo` 1.0-1 from the source package `demo-source`.
pub fn debian_files() -> Vec<(&'static str, &'static [u8])> {
    vec![
        (
            "etc/os-release",
            b"ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n",
        ),
        (
            "var/lib/dpkg/status",
            b"Package: demo\nStatus: install ok installed\nMaintainer: Nobody <nobody@example.org>\n\
              Architecture: amd64\nSource: demo-source\nVersion: 1.0-1\nDescription: nothing\n\n",
        ),
        ("var/lib/dpkg/info/demo.list", b"/.\n/usr\n/usr/bin\n/usr/bin/demo\n"),
        ("usr/bin/demo", b"#!/bin/sh\nexec true\n"),
    ]
}
