//! podman and CRI-O: both keep containers in containers/storage, whose index names image and digests.

use std::path::Path;

use plimsoll_model::{Container, ContainerImage, ContainerRuntime, Digest};
use serde::Deserialize;

use super::{
    Case, Engine, Identified, crio, is_hex_id, mounts::storage_folders, parse_digest, read_json, runc, spec::Spec,
};

/// podman (libpod).
pub(crate) struct Podman;

impl Engine for Podman {
    fn runtime(&self) -> ContainerRuntime {
        ContainerRuntime::Podman
    }

    /// `/libpod_parent/libpod-<id>`, `/machine.slice/libpod-<id>.scope`, `…/libpod-payload-<id>`, and what the container
    /// makes below; its monitor lives in `libpod-conmon-<id>.scope`. CRI-O writes `crio-<id>`.
    fn container_id<'p>(&self, cgroup_path: &'p str) -> Option<&'p str> {
        cgroup_path.split('/').find_map(|part| {
            let part = part.strip_suffix(".scope").unwrap_or(part);
            let id = part
                .strip_prefix("libpod-payload-")
                .or_else(|| part.strip_prefix("libpod-"));
            id.or_else(|| part.strip_prefix("crio-")).filter(|id| is_hex_id(id))
        })
    }

    fn identify(&self, case: &Case<'_>) -> Option<Identified> {
        let state = runc::read_state(case);
        let from_bundle = state.as_ref().and_then(|state| state.storage_folder("-containers/"));
        let seen = ["overlay", "vfs"]
            .iter()
            .flat_map(|driver| storage_folders(case, driver));
        let folders = from_bundle
            .into_iter()
            .chain(seen)
            .chain(std::iter::once("/var/lib/containers/storage".to_owned()));
        let mut identified = folders
            .into_iter()
            .flat_map(|folder| ["overlay", "vfs"].map(|driver| (folder.clone(), driver)))
            .find_map(|(folder, driver)| read_storage(case, &case.at(&folder), driver))?;
        identified.container.init_pid = state.map_or(0, |state| state.init_process_pid);
        Some(identified)
    }
}

/// An entry of `<driver>-containers/containers.json` (containers/storage, `containers.go`).
#[derive(Deserialize)]
struct StoredContainer {
    id: String,
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    image: String,
    /// JSON in a string, written by podman.
    #[serde(default)]
    metadata: String,
}

#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(default, rename = "image-name")]
    image_name: String,
    #[serde(default)]
    name: String,
}

/// An entry of `<driver>-images/images.json` (containers/storage, `images.go`). The id of an image is its config digest.
#[derive(Deserialize)]
struct StoredImage {
    id: String,
    #[serde(default)]
    digest: String,
    #[serde(default)]
    names: Vec<String>,
}

#[derive(Deserialize)]
struct ImageFile {
    rootfs: RootFs,
}

#[derive(Deserialize)]
struct RootFs {
    diff_ids: Vec<Digest>,
}

fn read_storage(case: &Case<'_>, folder: &Path, driver: &str) -> Option<Identified> {
    let containers: Vec<StoredContainer> = read_json(&folder.join(format!("{driver}-containers/containers.json")))?;
    let stored = containers.into_iter().find(|stored| stored.id == case.container_id)?;
    let metadata: Metadata = serde_json::from_str(&stored.metadata).unwrap_or_default();
    let images = folder.join(format!("{driver}-images"));
    let list: Vec<StoredImage> = read_json(&images.join("images.json")).unwrap_or_default();
    let image = list.into_iter().find(|image| image.id == stored.image);
    let config_digest = parse_digest(&stored.image);
    let reference = [metadata.image_name]
        .into_iter()
        .chain(image.iter().flat_map(|image| image.names.first().cloned()))
        .find(|name| !name.is_empty());
    let name = stored.names.into_iter().next().unwrap_or(metadata.name);
    let mut identified = Identified {
        diff_ids: config_digest.map_or_else(Vec::new, |digest| read_layers(&images, digest)),
        container: Container {
            name: if name.is_empty() {
                case.container_id.chars().take(12).collect()
            } else {
                name
            },
            image: (!stored.image.is_empty()).then(|| ContainerImage {
                reference: reference.unwrap_or_else(|| stored.image.clone()),
                manifest_digest: image.and_then(|image| parse_digest(&image.digest)),
                config_digest,
            }),
            ..case.container(ContainerRuntime::Podman)
        },
    };
    add_details(&mut identified.container, folder, driver);
    Some(identified)
}

/// What the container's OCI configuration says; labels of podman's containers are in its database alone.
fn add_details(container: &mut Container, folder: &Path, driver: &str) {
    let containers = folder.join(format!("{driver}-containers"));
    let spec = Spec::read(&containers.join(&container.id).join("userdata/config.json"));
    let is_crio = container.cgroup_path.contains("/crio-");
    if is_crio {
        container.runtime = ContainerRuntime::Crio;
    }
    match spec {
        Some(spec) if is_crio => crio::describe(container, &spec, &containers),
        Some(spec) => {
            container.privileged = spec.is_privileged();
            container.details = spec.details(|key| !key.starts_with("io.podman.") && !key.starts_with("io.container."));
        }
        None => {}
    }
}

/// The image's config is kept as big data in a file that is named `=` and the base64 of its key, the digest.
fn read_layers(images: &Path, config_digest: Digest) -> Vec<Digest> {
    let file = images
        .join(config_digest.encoded())
        .join(format!("={}", base64(config_digest.to_string().as_bytes())));
    read_json::<ImageFile>(&file).map_or_else(Vec::new, |file| file.rootfs.diff_ids)
}

/// RFC 4648 §4, with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group = (0..3).fold(0_u32, |group, at| {
            group << 8 | u32::from(chunk.get(at).copied().unwrap_or(0))
        });
        for at in 0..4 {
            let digit = DIGITS[(group >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn encodes_as_rfc_4648_says() {
        for (plain, expected) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(super::base64(plain.as_bytes()), expected);
        }
    }
}
