//! CRI-O: what it writes down in the annotations of a container's OCI configuration, and of its sandbox's
//! (cri-o, `internal/annotations/internal.go`).

use std::{collections::BTreeMap, path::Path};

use plimsoll_model::{Container, ContainerDetails, ContainerMount, Pod};
use serde::Deserialize;

use super::{
    parse_digest,
    spec::{Spec, bounded},
};
use crate::limits::MAX_MOUNTS;

/// An entry of `io.kubernetes.cri-o.Volumes`: what the pod asked for, without what CRI-O adds.
#[derive(Deserialize)]
struct Volume {
    #[serde(default)]
    container_path: String,
    #[serde(default)]
    host_path: String,
    #[serde(default)]
    readonly: bool,
    #[serde(default)]
    propagation: serde_json::Value,
}

/// Adds what the annotations say. `containers` is the folder of all containers' `userdata`.
pub(super) fn describe(container: &mut Container, spec: &Spec, containers: &Path) {
    let said = |key: &str| spec.annotation(&format!("io.kubernetes.cri-o.{key}"));
    let labels = json_map(said("Labels"));
    let sandbox_id = said("SandboxID").unwrap_or_default().to_owned();
    let sandbox = Spec::read(&containers.join(&sandbox_id).join("userdata/config.json")).unwrap_or_default();
    let pod_labels = json_map(sandbox.annotation("io.kubernetes.cri-o.Labels"));
    container.pod = pod_of(&labels)
        .or_else(|| pod_of(&pod_labels))
        .or_else(|| pod_named(said("SandboxName")?));
    if let Some(name) = labels.get("io.kubernetes.container.name") {
        container.name.clone_from(name);
    } else if said("ContainerType") == Some("sandbox") {
        "POD".clone_into(&mut container.name);
    }
    if let Some(image) = &mut container.image {
        if let Some(name) = said("ImageName") {
            name.clone_into(&mut image.reference);
        }
        image.config_digest = image.config_digest.or_else(|| parse_digest(said("ImageRef")?));
    }
    container.privileged = spec.is_privileged();
    let is_of_pod = |key: &String| !key.starts_with("io.kubernetes.");
    let accounts = container.details.accounts.take();
    container.details = ContainerDetails {
        labels: bounded(labels),
        pod_labels: bounded(pod_labels.into_iter().filter(|(key, _)| is_of_pod(key))),
        sandbox_id,
        mounts: volumes(said("Volumes")).unwrap_or_else(|| spec.details(|_| false).mounts),
        accounts,
    };
}

fn json_map(text: Option<&str>) -> BTreeMap<String, String> {
    text.and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

/// The kubelet labels everything with its pod.
fn pod_of(labels: &BTreeMap<String, String>) -> Option<Pod> {
    let label = |key: &str| labels.get(&format!("io.kubernetes.pod.{key}")).cloned();
    Some(Pod {
        name: label("name")?,
        namespace: label("namespace").unwrap_or_default(),
        uid: label("uid").unwrap_or_default(),
    })
}

/// `k8s_NAME_NAMESPACE_UID_ATTEMPT`; none of these holds an underscore.
fn pod_named(sandbox: &str) -> Option<Pod> {
    let mut parts = sandbox.strip_prefix("k8s_")?.split('_').map(str::to_owned);
    Some(Pod {
        name: parts.next()?,
        namespace: parts.next()?,
        uid: parts.next()?,
    })
}

fn volumes(text: Option<&str>) -> Option<Vec<ContainerMount>> {
    let volumes: Vec<Volume> = serde_json::from_str(text?).ok()?;
    let mounts = volumes.into_iter().take(MAX_MOUNTS).map(|volume| ContainerMount {
        source: volume.host_path,
        destination: volume.container_path,
        mode: if volume.readonly { "ro" } else { "rw" }.to_owned(),
        is_writable: !volume.readonly,
        // Numbers of the CRI: PROPAGATION_PRIVATE, _HOST_TO_CONTAINER, _BIDIRECTIONAL.
        propagation: match volume.propagation.as_u64() {
            Some(1) => "rslave",
            Some(2) => "rshared",
            _ => "rprivate",
        }
        .to_owned(),
    });
    Some(mounts.collect())
}
