//! Container identity: a cgroup in, the container with its image out. Reads the engines' own files; asks no daemon.
//!
//! An engine is recognised by the path of the cgroup, so most cgroups are known to be no container's without a look at
//! any file. One file per engine, one line in [`ALL`].

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use plimsoll_model::{Container, ContainerRuntime, Digest};

use crate::limits::MAX_ENGINE_FILE_BYTES;

mod accounts;
mod cgroups;
mod containerd;
mod crio;
mod docker;
mod mounts;
mod nspawn;
mod order;
mod podman;
mod runc;
mod spec;
mod thread;

pub(crate) use accounts::of_host as host_accounts;
pub(crate) use cgroups::Cgroups;
pub(crate) use mounts::parse as parse_mounts;
pub(crate) use order::Order;
pub(crate) use thread::{Answer, Asker, Question, start, unknown_container};

/// A container engine.
pub trait Engine: Sync {
    /// Which one.
    fn runtime(&self) -> ContainerRuntime;
    /// The id of the container that a cgroup belongs to, judged by its path; `None` when this engine makes no such path.
    fn container_id<'p>(&self, cgroup_path: &'p str) -> Option<&'p str>;
    /// What the engine's files say. `None` as long as they do not know the container (they may be about to be written).
    fn identify(&self, case: &Case<'_>) -> Option<Identified>;
}

/// Every engine. The first that recognises a cgroup's path and knows the container is right; plain runc is last, since
/// others run containers by it.
pub const ALL: &[&dyn Engine] = &[
    &podman::Podman,
    &docker::Docker,
    &containerd::Containerd,
    &nspawn::Nspawn,
    &runc::Runc,
];

/// The cgroup that is asked about.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// Id of the cgroup.
    pub cgroup_id: u64,
    /// Its path below the mount point.
    pub cgroup_path: &'a str,
    /// The container's id in that path.
    pub container_id: &'a str,
    /// A process in it.
    pub pid: i32,
    /// `/`, or the folder under which a test laid out the engines' files.
    pub root: &'a Path,
}

/// A container, and the layers of its image when the engine knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identified {
    /// The container.
    pub container: Container,
    /// Digests of the uncompressed layers, base first; empty when not known.
    pub diff_ids: Vec<Digest>,
}

/// The engine whose cgroups look like this, and the container's id.
pub fn recognise(cgroup_path: &str) -> Option<(ContainerRuntime, &str)> {
    ALL.iter()
        .find_map(|engine| Some((engine.runtime(), engine.container_id(cgroup_path)?)))
}

/// Asks every engine that recognises the path.
pub(crate) fn identify(root: &Path, cgroup_id: u64, cgroup_path: &str, pid: i32) -> Option<Identified> {
    ALL.iter().find_map(|engine| {
        let container_id = engine.container_id(cgroup_path)?;
        engine.identify(&Case {
            cgroup_id,
            cgroup_path,
            container_id,
            pid,
            root,
        })
    })
}

impl Case<'_> {
    /// `path` (absolute) below the root.
    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// A container of which only this much is known.
    pub(crate) fn container(&self, runtime: ContainerRuntime) -> Container {
        Container {
            id: self.container_id.to_owned(),
            name: self.container_id.chars().take(12).collect(),
            runtime,
            image: None,
            cgroup_id: self.cgroup_id,
            cgroup_path: self.cgroup_path.to_owned(),
            init_pid: 0,
            privileged: None,
            pod: None,
            details: plimsoll_model::ContainerDetails::default(),
        }
    }
}

/// Whether a text is a container id as podman, Docker and CRI make them.
pub(crate) fn is_hex_id(text: &str) -> bool {
    text.len() == 64
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Reads a file of at most `limit` bytes.
pub(crate) fn read_bounded(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "is too large"));
    }
    Ok(bytes)
}

/// Reads one of an engine's JSON files; `None` when it is missing, too large or broken: the engine may be writing it.
pub(crate) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
    let bytes = read_bounded(path, MAX_ENGINE_FILE_BYTES).ok()?;
    serde_json::from_slice(&bytes)
        .inspect_err(|error| tracing::debug!(path = %path.display(), %error, "engine file not understood"))
        .ok()
}

/// `sha256:…` or the bare digits.
pub(crate) fn parse_digest(text: &str) -> Option<Digest> {
    match text.contains(':') {
        true => text.parse().ok(),
        false => format!("sha256:{text}").parse().ok(),
    }
}

#[cfg(test)]
mod tests;
