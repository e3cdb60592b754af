//! `containerd:NAME`: an image of containerd's content store in, its blobs read through `ctr content get`, which needs
//! neither the store's place nor its database.

use std::path::PathBuf;

use plimsoll_model::{Digest, ImageRef};

use super::{Found, ImageSource, Probe, SourceOptions};
use crate::{
    error::ScanError,
    layout::{Files, LayoutImage},
};

/// containerd, by its own client.
pub(super) struct Containerd;

/// How containerd is asked.
#[derive(Debug, Clone)]
pub struct ContainerdOptions {
    /// Its socket; `None`: where `ctr` looks.
    pub address: Option<PathBuf>,
    /// `default`, `k8s.io` for Kubernetes, `moby` for Docker.
    pub namespace: String,
}

impl ContainerdOptions {
    /// `ctr` with its options.
    pub(crate) fn command(&self) -> std::process::Command {
        let mut command = std::process::Command::new("ctr");
        if let Some(address) = &self.address {
            command.arg("--address").arg(address);
        }
        command.arg("--namespace").arg(&self.namespace);
        command
    }
}

impl ImageSource for Containerd {
    fn scheme(&self) -> &'static str {
        "containerd"
    }

    fn recognises(&self, _probe: &Probe) -> bool {
        false
    }

    fn open(&self, location: &str, options: &SourceOptions) -> Result<Found, ScanError> {
        let containerd = &options.engines.containerd;
        let full = location.parse::<ImageRef>().ok().map(|image| image.to_string());
        let names: Vec<&str> = [Some(location), full.as_deref()].into_iter().flatten().collect();
        let digest = find(containerd, &names)?;
        let files = Files::Containerd(containerd.clone());
        let image = LayoutImage::open_manifest(files, location, digest, options.platform.as_ref())?;
        Ok(Found::Image(Box::new(image)))
    }
}

fn find(containerd: &ContainerdOptions, names: &[&str]) -> Result<Digest, ScanError> {
    let failed = |reason: String| ScanError::Engine {
        engine: "containerd",
        reason,
    };
    let output = containerd.command().args(["images", "ls"]).output();
    let output = output.map_err(|error| failed(format!("its client ctr cannot be run: {error}")))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(failed(
            text.lines()
                .last()
                .unwrap_or_default()
                .trim()
                .escape_debug()
                .to_string(),
        ));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let found = names.iter().find_map(|name| digest_of(&text, name));
    found.ok_or_else(|| {
        let namespace = &containerd.namespace;
        failed(format!(
            "namespace {namespace} has no image {}",
            names[0].escape_debug()
        ))
    })
}

/// `REF TYPE DIGEST SIZE PLATFORMS LABELS`, as `ctr images ls` prints it.
fn digest_of(table: &str, name: &str) -> Option<Digest> {
    table.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some(name)).then(|| words.nth(1)?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_found_by_its_whole_name() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        let table = format!(
            "REF TYPE DIGEST SIZE PLATFORMS LABELS\n\
             docker.io/library/redis:7 application/vnd.oci.image.manifest.v1+json {digest} 122.1 MiB linux/amd64 -\n"
        );
        assert_eq!(
            digest_of(&table, "docker.io/library/redis:7").map(|found| found.to_string()),
            Some(digest)
        );
        assert_eq!(digest_of(&table, "redis:7"), None);
        assert_eq!(digest_of("", "x"), None);
    }
}
