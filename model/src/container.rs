//! A container as the agent knows it: which runtime runs it, which image it was made from, which pod it is in.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Accounts, Digest};

/// A running container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Container {
    /// Full id (64 hexadecimal digits for podman and docker; the name given for plain runc).
    pub id: String,
    /// Name shown to people; equals `id` for plain runc. Hostile text.
    pub name: String,
    /// Who runs it.
    pub runtime: ContainerRuntime,
    /// What it was made from; `None` when the runtime does not know (plain runc without annotations).
    pub image: Option<ContainerImage>,
    /// Its cgroup's id: inode of the cgroup v2 directory, equal to `bpf_get_current_cgroup_id()`.
    pub cgroup_id: u64,
    /// Path of its cgroup below the mount point.
    pub cgroup_path: String,
    /// Host process id of its first process; 0 when not known.
    pub init_pid: i32,
    /// Started with all capabilities; `None` when not known.
    pub privileged: Option<bool>,
    /// Kubernetes facts; `None` outside Kubernetes.
    pub pod: Option<Pod>,
    /// What else is known of it. Not part of the container's own document: captures hold it beside.
    #[serde(skip)]
    pub details: ContainerDetails,
}

/// What rules may ask about a container and nothing else depends on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContainerDetails {
    /// Labels, sorted by key; annotations where its engine has no labels. Hostile text.
    pub labels: Vec<(String, String)>,
    /// Labels of its pod, sorted by key; empty where the engine does not write them down. Hostile text.
    pub pod_labels: Vec<(String, String)>,
    /// Id of the sandbox that the containers of its pod share; empty when not known.
    pub sandbox_id: String,
    /// What its engine mounts into it beside its own file systems.
    pub mounts: Vec<ContainerMount>,
    /// Its own users and groups, as they were when it was first seen; `None` when they could not be read.
    pub accounts: Option<Arc<Accounts>>,
}

/// A bind mount or volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContainerMount {
    /// Folder or file on the host.
    pub source: String,
    /// Where it is in the container.
    pub destination: String,
    /// Options as the engine states them (`z`, `rbind,ro`); empty for none.
    pub mode: String,
    /// Whether the container may write there.
    pub is_writable: bool,
    /// `private`, `rprivate`, `rslave`, …; empty when not stated.
    pub propagation: String,
}

/// The image of a running container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContainerImage {
    /// Reference as the runtime states it. Never trusted for identity: tags move.
    pub reference: String,
    /// Manifest digest, when the runtime knows it.
    pub manifest_digest: Option<Digest>,
    /// Config digest, when the runtime knows it.
    pub config_digest: Option<Digest>,
}

/// Container runtimes that the agent recognises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ContainerRuntime {
    /// podman (libpod).
    Podman,
    /// Docker engine.
    Docker,
    /// containerd without Kubernetes.
    Containerd,
    /// CRI-O.
    Crio,
    /// runc or crun started by hand.
    Runc,
    /// In a container's cgroup, but nobody knows whose.
    Unknown,
    /// systemd-nspawn.
    Nspawn,
}

/// The Kubernetes pod that a container belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pod {
    /// Pod name.
    pub name: String,
    /// Namespace.
    pub namespace: String,
    /// Pod uid.
    pub uid: String,
}
