//! Kubernetes manifests in (YAML or JSON, several documents), the containers that they describe out: what a profile can use.
//!
//! Manifests are written by people and templates: what is of no use here is passed over, what is needed and has the wrong
//! form is an error with its place.

use plimsoll_model::{ImageRef, PortSpec, Transport};
use serde_json::Value;

use crate::limits::{MAX_POD_BYTES, MAX_POD_CONTAINERS};

mod read;

/// A container as a pod describes it. All texts are the manifest's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PodContainer {
    /// Kind and name of the object: `Deployment redis`.
    pub object: String,
    /// Its name in the pod.
    pub name: String,
    /// Image reference, as written.
    pub image: String,
    /// It runs before the others and ends.
    pub is_init: bool,
    /// `command`, which takes the place of the image's entrypoint; empty: the image's.
    pub command: Vec<String>,
    /// `args`, which take the place of the image's command; empty: the image's, unless `command` is given.
    pub args: Vec<String>,
    /// `workingDir`.
    pub working_dir: Option<String>,
    /// `env`; without a value, only the cluster knows it.
    pub env: Vec<(String, Option<String>)>,
    /// `envFrom` is given: there may be any further variable.
    pub has_env_from: bool,
    /// `ports`.
    pub ports: Vec<PodPort>,
    /// `volumeMounts`.
    pub mounts: Vec<PodMount>,
    /// `securityContext.runAsUser`, the container's or the pod's.
    pub run_as_user: Option<u32>,
    /// `securityContext.readOnlyRootFilesystem`.
    pub has_read_only_root: bool,
    /// `securityContext.privileged`.
    pub is_privileged: bool,
    /// `securityContext.capabilities.add`.
    pub added_capabilities: Vec<String>,
    /// Namespaces of the node that the pod shares: `hostNetwork`, `hostPID`, `hostIPC`.
    pub host_namespaces: Vec<&'static str>,
    /// Probes and lifecycle hooks.
    pub probes: Vec<PodProbe>,
}

/// A port that a container says it listens on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodPort {
    /// Name; may be empty.
    pub name: String,
    /// In the container.
    pub port: PortSpec,
    /// On the node, where it is bound there too.
    pub host_port: Option<u16>,
}

/// A volume mounted into a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodMount {
    /// Where.
    pub path: String,
    /// The volume's kind and name: `emptyDir cache`.
    pub volume: String,
    /// It cannot be written, by `readOnly` or by what it is.
    pub is_read_only: bool,
    /// It is one file or folder of the volume (`subPath`).
    pub has_sub_path: bool,
}

/// What the node does to see how a container is, or at its start and end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodProbe {
    /// `livenessProbe`, `readinessProbe`, `startupProbe`, `postStart`, `preStop`.
    pub kind: &'static str,
    /// What.
    pub action: ProbeAction,
}

/// What a probe does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeAction {
    /// Runs a command in the container.
    Exec(Vec<String>),
    /// Connects to a port from the node.
    Port(u16),
}

/// Why a manifest is of no use.
#[derive(Debug, thiserror::Error)]
pub enum PodError {
    /// It is too long.
    #[error("read the manifest: it is longer than {MAX_POD_BYTES} bytes")]
    Size,
    /// It is neither YAML nor JSON.
    #[error("read the manifest: {0}")]
    Syntax(String),
    /// Something has the wrong form.
    #[error("read the manifest: {place}: {problem}")]
    Form {
        /// Where: `Deployment redis, container redis, ports`.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// Nothing in it runs containers.
    #[error(
        "find a container: the manifest has no Pod, Deployment, ReplicaSet, StatefulSet, DaemonSet, Job or CronJob"
    )]
    None,
    /// It is not clear which container is meant.
    #[error("find the container of the image: {reason}; there is {names}")]
    Which {
        /// Why it is not clear.
        reason: String,
        /// All containers.
        names: String,
    },
}

/// All containers of a manifest, init containers first in each pod.
///
/// # Errors
/// It cannot be read, or holds no container.
pub fn parse(text: &str) -> Result<Vec<PodContainer>, PodError> {
    if text.len() > MAX_POD_BYTES {
        return Err(PodError::Size);
    }
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(text).map_err(|error| PodError::Syntax(error.without_snippet().to_string()))?;
    let mut containers = Vec::new();
    for document in &documents {
        read::object(document, &mut containers)?;
    }
    match containers.is_empty() {
        true => Err(PodError::None),
        false => Ok(containers),
    }
}

/// The container that runs an image: by name, else the only one, else the only one whose image has the same repository.
///
/// # Errors
/// There is none, or more than one.
pub fn choose(containers: Vec<PodContainer>, reference: &str, name: Option<&str>) -> Result<PodContainer, PodError> {
    let names: Vec<String> = containers
        .iter()
        .take(MAX_POD_CONTAINERS)
        .map(|one| format!("{} of {} ({})", one.name, one.object, one.image))
        .collect();
    let repository = |text: &str| text.parse::<ImageRef>().ok().map(|image| image.repository);
    let wanted = repository(reference);
    let (reason, mut found): (String, Vec<PodContainer>) = match name {
        Some(name) => (
            format!("not exactly one has the name {name}"),
            containers.into_iter().filter(|one| one.name == name).collect(),
        ),
        None if containers.len() == 1 => (String::new(), containers),
        None => (
            "not exactly one has its repository".to_owned(),
            containers
                .into_iter()
                .filter(|one| wanted.is_some() && repository(&one.image) == wanted)
                .collect(),
        ),
    };
    match (found.pop(), found.is_empty()) {
        (Some(found), true) => Ok(found),
        _ => Err(PodError::Which {
            reason,
            names: names.join(", "),
        }),
    }
}

impl PodContainer {
    /// Who says so, for evidence: `containerPort 6379 of container redis in Deployment redis`.
    pub fn says(&self, what: &str) -> String {
        format!("{what} of container {} in {}", self.name, self.object)
    }
}

pub(crate) fn port(transport: Transport, number: u16) -> PortSpec {
    PortSpec {
        transport,
        first: number,
        last: number,
    }
}

#[cfg(test)]
mod tests;
