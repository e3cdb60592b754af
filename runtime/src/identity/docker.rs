//! Docker: its own folder of containers and the repositories' index.

use std::{collections::BTreeMap, path::Path};

use plimsoll_model::{Container, ContainerDetails, ContainerImage, ContainerMount, ContainerRuntime, Digest};
use serde::Deserialize;

use super::{Case, Engine, Identified, is_hex_id, mounts::storage_folders, parse_digest, read_json, spec::bounded};
use crate::limits::MAX_MOUNTS;

/// Docker engine.
pub(crate) struct Docker;

impl Engine for Docker {
    fn runtime(&self) -> ContainerRuntime {
        ContainerRuntime::Docker
    }

    /// `/docker/<id>` or `/system.slice/docker-<id>.scope`.
    fn container_id<'p>(&self, cgroup_path: &'p str) -> Option<&'p str> {
        let mut before = "";
        for part in cgroup_path.split('/') {
            let scope = part
                .strip_suffix(".scope")
                .and_then(|part| part.strip_prefix("docker-"));
            let id = scope.or((before == "docker").then_some(part));
            if let Some(id) = id.filter(|id| is_hex_id(id)) {
                return Some(id);
            }
            before = part;
        }
        None
    }

    fn identify(&self, case: &Case<'_>) -> Option<Identified> {
        let seen = storage_folders(case, "overlay2");
        seen.into_iter()
            .chain(std::iter::once("/var/lib/docker".to_owned()))
            .find_map(|folder| read_container(case, &case.at(&folder)))
    }
}

/// `containers/<id>/config.v2.json` (moby, `container/container.go`).
#[derive(Deserialize)]
struct ConfigV2 {
    #[serde(default, rename = "Name")]
    name: String,
    #[serde(default, rename = "Image")]
    image: String,
    #[serde(default, rename = "Config")]
    config: Config,
    #[serde(default, rename = "State")]
    state: State,
    /// By where they are in the container.
    #[serde(default, rename = "MountPoints")]
    mounts: BTreeMap<String, MountPoint>,
}

/// moby, `volume/mounts/mounts.go`.
#[derive(Deserialize)]
struct MountPoint {
    #[serde(default, rename = "Source")]
    source: String,
    #[serde(default, rename = "Mode")]
    mode: String,
    #[serde(default, rename = "RW")]
    is_writable: bool,
    #[serde(default, rename = "Propagation")]
    propagation: String,
}

#[derive(Default, Deserialize)]
struct Config {
    #[serde(default, rename = "Image")]
    image: String,
    #[serde(default, rename = "Labels")]
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Default, Deserialize)]
struct State {
    #[serde(default, rename = "Pid")]
    pid: i32,
}

/// `containers/<id>/hostconfig.json`.
#[derive(Deserialize)]
struct HostConfig {
    #[serde(default, rename = "Privileged")]
    privileged: bool,
}

/// `image/overlay2/repositories.json`: by repository, references to config digests.
#[derive(Deserialize)]
struct Repositories {
    #[serde(rename = "Repositories")]
    repositories: BTreeMap<String, BTreeMap<String, Digest>>,
}

fn read_container(case: &Case<'_>, folder: &Path) -> Option<Identified> {
    let own = folder.join("containers").join(case.container_id);
    let config: ConfigV2 = read_json(&own.join("config.v2.json"))?;
    let host: Option<HostConfig> = read_json(&own.join("hostconfig.json"));
    let config_digest = parse_digest(&config.image);
    let manifest_digest = config_digest.and_then(|digest| manifest_of(folder, digest));
    Some(Identified {
        container: Container {
            name: config.name.trim_start_matches('/').to_owned(),
            image: Some(ContainerImage {
                reference: config.config.image,
                manifest_digest,
                config_digest,
            }),
            init_pid: config.state.pid,
            privileged: host.map(|host| host.privileged),
            details: ContainerDetails {
                labels: bounded(config.config.labels.into_iter().flatten()),
                mounts: mounts(config.mounts),
                ..ContainerDetails::default()
            },
            ..case.container(ContainerRuntime::Docker)
        },
        diff_ids: Vec::new(),
    })
}

fn mounts(points: BTreeMap<String, MountPoint>) -> Vec<ContainerMount> {
    let points = points.into_iter().take(MAX_MOUNTS);
    points
        .map(|(destination, point)| ContainerMount {
            source: point.source,
            destination,
            mode: point.mode,
            is_writable: point.is_writable,
            propagation: point.propagation,
        })
        .collect()
}

/// Images that were loaded instead of pulled have no manifest digest.
fn manifest_of(folder: &Path, config_digest: Digest) -> Option<Digest> {
    let index: Repositories = read_json(&folder.join("image/overlay2/repositories.json"))?;
    index.repositories.values().flatten().find_map(|(reference, digest)| {
        let (_, manifest) = reference.split_once('@').filter(|_| *digest == config_digest)?;
        parse_digest(manifest)
    })
}
