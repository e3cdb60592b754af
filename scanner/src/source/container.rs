//! `container:NAME|ID|PID`: what a running container has on its root now, read through `/proc/PID/root`; its image's
//! identity where an engine tells it. Volumes and other mounts are left out.

use std::path::PathBuf;

use super::{
    Found, ImageSource, Probe, SourceOptions,
    engine::{Container as Inspected, Documents, Engine},
    folder::FolderImage,
};
use crate::{error::ScanError, folder::Mounts};

/// A running container, by its name, its id, or any process in it.
pub(super) struct Container;

impl ImageSource for Container {
    fn scheme(&self) -> &'static str {
        "container"
    }

    fn recognises(&self, _probe: &Probe) -> bool {
        false
    }

    fn open(&self, location: &str, options: &SourceOptions) -> Result<Found, ScanError> {
        let (pid, documents) = find(location, options)?;
        let root = PathBuf::from(format!("/proc/{pid}/root"));
        let mut image = FolderImage::open(&root, Mounts::Skip, false)?;
        if let Some(documents) = documents {
            let Documents {
                manifest_digest,
                config_digest,
                config,
            } = documents;
            image = image.with_identity(manifest_digest, config_digest, config);
        }
        Ok(Found::Image(Box::new(image)))
    }
}

/// Its process and, where known, its image.
fn find(name: &str, options: &SourceOptions) -> Result<(i32, Option<Documents>), ScanError> {
    let pid = name
        .parse::<i32>()
        .ok()
        .filter(|pid| PathBuf::from(format!("/proc/{pid}")).exists());
    let wanted = match pid {
        Some(pid) => id_of(pid),
        None => Some(name.to_owned()),
    };
    if let Some(wanted) = &wanted {
        if let Some((container, engine)) = ask_engines(wanted, options)? {
            let documents = engine.documents(container.image.trim_start_matches("sha256:"))?;
            let pid = pid.unwrap_or(container.state.pid);
            if pid == 0 {
                return Err(not_found(name, "it does not run"));
            }
            return Ok((pid, documents));
        }
        if pid.is_none()
            && let Some(pid) = task_of(wanted, options)
        {
            return Ok((pid, None));
        }
    }
    pid.map(|pid| (pid, None))
        .ok_or_else(|| not_found(name, "no engine has such a container"))
}

fn not_found(name: &str, reason: &str) -> ScanError {
    ScanError::Engine {
        engine: "container",
        reason: format!("{}: {reason}", name.escape_debug()),
    }
}

/// Those that are not there are not asked; one that is there and fails says so.
fn ask_engines(name: &str, options: &SourceOptions) -> Result<Option<(Inspected, Engine)>, ScanError> {
    let engines = &options.engines;
    for (kind, sockets) in [("docker", &engines.docker_sockets), ("podman", &engines.podman_sockets)] {
        if !sockets.iter().any(|socket| socket.exists()) {
            continue;
        }
        let engine = Engine::connect(kind, sockets)?;
        match engine.container(name) {
            Ok(Some(container)) => return Ok(Some((container, engine))),
            Ok(None) => {}
            Err(error) => tracing::warn!(kind, %error, "engine cannot be asked"),
        }
    }
    Ok(None)
}

/// `TASK PID STATUS`, as `ctr tasks ls` prints it.
fn task_of(name: &str, options: &SourceOptions) -> Option<i32> {
    let output = options
        .engines
        .containerd
        .command()
        .args(["tasks", "ls"])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some(name)).then(|| words.next()?.parse().ok())?
    })
}

/// The container id in a process' cgroups: 64 hexadecimal digits.
fn id_of(pid: i32) -> Option<String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    id_in(&text)
}

fn id_in(text: &str) -> Option<String> {
    text.split(|c: char| !c.is_ascii_hexdigit())
        .find(|word| word.len() == 64)
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_found_in_every_engines_cgroup() {
        let id = "5c5f".repeat(16);
        for text in [
            format!("12:pids:/docker/{id}\n0::/docker/{id}\n"),
            format!("0::/libpod_parent/libpod-{id}\n"),
            format!("0::/system.slice/docker-{id}.scope\n"),
        ] {
            assert_eq!(id_in(&text), Some(id.clone()), "{text}");
        }
        assert_eq!(id_in("0::/user.slice/user-0.slice\n"), None);
    }
}
