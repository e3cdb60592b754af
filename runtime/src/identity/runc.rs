//! runc by hand (and crun in runc's layout): `state.json` names the bundle, the bundle says where its files came from.

use std::{collections::BTreeMap, path::Path};

use plimsoll_model::{Container, ContainerImage, ContainerRuntime};
use serde::Deserialize;

use super::{Case, Engine, Identified, Order, parse_digest, read_json};

/// runc without an engine.
pub(crate) struct Runc;

/// Folders in which runc keeps its state: as root by default, and where engines tell it to.
const STATE_FOLDERS: &[&str] = &[
    "/run/runc",
    "/run/containerd/runc/default",
    "/run/docker/runtime-runc/moby",
];

/// runc's `state.json` (libcontainer, `BaseState`).
#[derive(Deserialize)]
pub(crate) struct State {
    /// The container's first process.
    #[serde(default)]
    pub(crate) init_process_pid: i32,
    #[serde(default)]
    config: Config,
}

#[derive(Default, Deserialize)]
struct Config {
    #[serde(default)]
    labels: Vec<String>,
}

impl State {
    fn bundle(&self) -> Option<&str> {
        self.config
            .labels
            .iter()
            .find_map(|label| label.strip_prefix("bundle="))
    }

    /// What comes before `<driver><marker>` in the bundle's path: podman keeps bundles in its storage.
    pub(crate) fn storage_folder(&self, marker: &str) -> Option<String> {
        let (before, _) = self.bundle()?.split_once(marker)?;
        let (folder, _driver) = before.rsplit_once('/')?;
        Some(folder.to_owned())
    }
}

/// State of the container, wherever it is kept.
pub(crate) fn read_state(case: &Case<'_>) -> Option<State> {
    STATE_FOLDERS
        .iter()
        .find_map(|folder| read_json(&case.at(&format!("{folder}/{}/state.json", case.container_id))))
}

impl Engine for Runc {
    fn runtime(&self) -> ContainerRuntime {
        ContainerRuntime::Runc
    }

    /// `/NAME` or, nested, the last component: whether it is a container only the state file can tell, so names that a
    /// system gives to its own cgroups are left out first.
    fn container_id<'p>(&self, cgroup_path: &'p str) -> Option<&'p str> {
        let name = cgroup_path.rsplit('/').next().filter(|name| !name.is_empty())?;
        let is_systems = [".slice", ".service", ".scope", ".mount", ".socket", ".swap"]
            .iter()
            .any(|suffix| name.ends_with(suffix));
        let is_monitor = name.starts_with("libpod") || name == "conmon";
        let is_name = name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'+' | b'-' | b'.'));
        (!is_systems && !is_monitor && is_name && name != "." && name != "..").then_some(name)
    }

    fn identify(&self, case: &Case<'_>) -> Option<Identified> {
        let state = read_state(case)?;
        let image = state
            .bundle()
            .and_then(|bundle| image_of_bundle(case, &case.at(bundle)));
        Some(Identified {
            container: Container {
                name: case.container_id.to_owned(),
                image,
                init_pid: state.init_process_pid,
                ..case.container(ContainerRuntime::Runc)
            },
            diff_ids: Vec::new(),
        })
    }
}

/// A container whose runtime's order is known and whose state is not: it is gone, or the state is where the order says.
/// `None` as long as it may still be written down there.
pub(super) fn ordered(
    case: &Case<'_>,
    runtime: ContainerRuntime,
    order: &Order,
    may_be_coming: bool,
) -> Option<Identified> {
    let folder = order.state_folder.as_deref();
    let state: Option<State> =
        folder.and_then(|folder| read_json(&case.at(&format!("{folder}/{}/state.json", case.container_id))));
    if state.is_none() && may_be_coming {
        return None;
    }
    Some(Identified {
        container: Container {
            name: case.container_id.to_owned(),
            image: image_of_bundle(case, &case.at(&order.bundle)),
            init_pid: state.map_or(0, |state| state.init_process_pid),
            ..case.container(runtime)
        },
        diff_ids: Vec::new(),
    })
}

/// umoci's note beside the bundle (umoci, `umoci.json`): the chain of descriptors from the index to the manifest.
#[derive(Deserialize)]
struct Umoci {
    from_descriptor_path: DescriptorPath,
}

#[derive(Deserialize)]
struct DescriptorPath {
    descriptor_walk: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
}

/// `config.json` of the bundle (OCI runtime-spec, config.md).
#[derive(Deserialize)]
struct Spec {
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

fn image_of_bundle(case: &Case<'_>, bundle: &Path) -> Option<ContainerImage> {
    let spec: Option<Spec> = read_json(&bundle.join("config.json"));
    let annotations = spec.map(|spec| spec.annotations).unwrap_or_default();
    let annotated = |keys: &[&str]| {
        keys.iter()
            .find_map(|key| annotations.get(*key))
            .filter(|value| !value.is_empty())
    };
    let config_digest = annotated(&[
        "org.opencontainers.image.config.digest",
        "dev.plimsoll.image.config-digest",
    ]);
    let walk: Option<Umoci> = read_json(&bundle.join("umoci.json"));
    let manifest = walk.and_then(|umoci| {
        umoci
            .from_descriptor_path
            .descriptor_walk
            .last()
            .map(|last| last.digest.clone())
    });
    let manifest_digest = manifest.as_deref().and_then(parse_digest);
    let config_digest = config_digest.and_then(|digest| parse_digest(digest));
    if manifest_digest.is_none() && config_digest.is_none() {
        return None;
    }
    let reference = annotated(&["org.opencontainers.image.ref.name"]);
    Some(ContainerImage {
        reference: reference
            .cloned()
            .unwrap_or_else(|| format!("bundle:{}", case.container_id)),
        manifest_digest,
        config_digest,
    })
}
