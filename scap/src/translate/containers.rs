//! Which container a process is in, by its cgroups, and what Falco found out about containers.

use std::collections::HashMap;

use plimsoll_model::{Container, ContainerDetails, ContainerImage, ContainerMount, ContainerRuntime, Digest, Pod};
use plimsoll_runtime::identity;
use serde_json::Value;

use super::{Parameters, Translation};
use crate::limits::{MAX_CONTAINERS, MAX_DETAILS};

/// Stands for all cgroups of the host. Captures tell paths of cgroups and no numbers.
pub(super) const HOST_CGROUP: u64 = 1;

/// So many characters of an id Falco shows.
const SHORT: usize = 12;
/// Ids that engines give.
const WHOLE: usize = 64;

/// Containers by the beginning of their ids.
#[derive(Debug, Default)]
pub(super) struct Containers {
    by_id: HashMap<String, Container>,
}

impl Containers {
    /// The number that stands for the cgroup of a process: of a container, or the host.
    pub(super) fn cgroup(&mut self, cgroups: &[String]) -> u64 {
        let paths = cgroups
            .iter()
            .filter_map(|line| line.split_once('=').map(|(_, path)| path));
        let found = paths
            .filter_map(|path| identity::recognise(path).map(|(runtime, id)| (path, runtime, id)))
            .find(|(_, _, id)| id.len() == WHOLE && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let Some((path, runtime, id)) = found else {
            return HOST_CGROUP;
        };
        match self.enter(id, runtime) {
            Some(container) => {
                path.clone_into(&mut container.cgroup_path);
                container.cgroup_id
            }
            None => HOST_CGROUP,
        }
    }

    /// The container with this id, made when it is new. `None` when there are too many.
    fn enter(&mut self, id: &str, runtime: ContainerRuntime) -> Option<&mut Container> {
        let short: String = id.chars().take(SHORT).collect();
        let count = self.by_id.len();
        if count >= MAX_CONTAINERS && !self.by_id.contains_key(&short) {
            return None;
        }
        let number = HOST_CGROUP + 1 + count as u64;
        let container = self.by_id.entry(short.clone()).or_insert_with(|| Container {
            id: id.to_owned(),
            name: short,
            runtime,
            image: None,
            cgroup_id: number,
            cgroup_path: String::new(),
            init_pid: 0,
            privileged: None,
            pod: None,
            details: ContainerDetails::default(),
        });
        if container.id.len() < id.len() {
            id.clone_into(&mut container.id);
        }
        Some(container)
    }

    /// All, in the order in which they were found.
    pub(super) fn list(&self) -> Vec<Container> {
        let mut all: Vec<Container> = self.by_id.values().cloned().collect();
        all.sort_by_key(|container| container.cgroup_id);
        all
    }

    fn describe(&mut self, told: &Value) {
        let word = |name: &str| told[name].as_str().filter(|text| !text.is_empty());
        let Some(id) = word("full_id").or_else(|| word("id")).filter(|id| *id != "host") else {
            return;
        };
        let runtime = runtime(told["type"].as_u64());
        let Some(container) = self.enter(id, runtime) else {
            return;
        };
        container.runtime = runtime;
        if let Some(name) = word("name") {
            name.clone_into(&mut container.name);
        }
        if let Some(reference) = word("image") {
            let digest = |name| word(name).and_then(|text| text.parse::<Digest>().ok());
            container.image = Some(ContainerImage {
                reference: reference.to_owned(),
                manifest_digest: digest("imagedigest"),
                config_digest: word("imageid")
                    .map(|text| text.trim_start_matches("sha256:"))
                    .and_then(|hex| format!("sha256:{hex}").parse().ok()),
            });
        }
        container.privileged = told["privileged"].as_bool().or(container.privileged);
        let label = |name: &str| {
            told["labels"][format!("io.kubernetes.pod.{name}")]
                .as_str()
                .map(str::to_owned)
        };
        if let (Some(name), Some(namespace)) = (label("name"), label("namespace")) {
            let uid = label("uid").unwrap_or_default();
            container.pod = Some(Pod { name, namespace, uid });
        }
        let details = &mut container.details;
        if let Some(labels) = told["labels"].as_object() {
            let mut all: Vec<(String, String)> = labels
                .iter()
                .take(MAX_DETAILS)
                .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
                .collect();
            all.sort();
            details.labels = all;
        }
        if let Some(mounts) = told["Mounts"].as_array() {
            details.mounts = mounts.iter().take(MAX_DETAILS).map(mount).collect();
        }
        if let Some(id) = word("pod_sandbox_id") {
            id.clone_into(&mut details.sandbox_id);
        }
    }
}

fn mount(told: &Value) -> ContainerMount {
    let word = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
    ContainerMount {
        source: word("Source"),
        destination: word("Destination"),
        mode: word("Mode"),
        is_writable: told["RW"].as_bool() == Some(true),
        propagation: word("Propagation"),
    }
}

/// By upstream's number (falcosecurity/libs `container_type.h`).
fn runtime(number: Option<u64>) -> ContainerRuntime {
    match number {
        Some(0) => ContainerRuntime::Docker,
        Some(7) => ContainerRuntime::Containerd,
        Some(8) => ContainerRuntime::Crio,
        Some(11) => ContainerRuntime::Podman,
        _ => ContainerRuntime::Unknown,
    }
}

impl Translation<'_> {
    /// Four parameters tell of a container.
    pub(super) fn container(&mut self, parameters: Parameters<'_>) -> Option<()> {
        let text = |name: &str| Value::String(parameters.text(name).unwrap_or_default());
        let told = Value::Object(
            [
                ("id".to_owned(), text("id")),
                ("type".to_owned(), parameters.number("type").into()),
                ("name".to_owned(), text("name")),
                ("image".to_owned(), text("image")),
            ]
            .into_iter()
            .collect(),
        );
        self.world.containers.describe(&told);
        Some(())
    }

    /// A JSON document does.
    pub(super) fn container_json(&mut self, parameters: Parameters<'_>, name: &str) -> Option<()> {
        let is_other = parameters.row.exit.contains(&"plugin_id") && parameters.text("name")? != "container";
        if is_other {
            return Some(());
        }
        let bytes = parameters.bytes(name)?;
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        let document: Value = serde_json::from_slice(&bytes[..end]).ok()?;
        self.world.containers.describe(&document["container"]);
        Some(())
    }
}
