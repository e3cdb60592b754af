//! Cgroup ids to paths: the cgroup v2 hierarchy as a folder tree, in which a folder's inode number is the id.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::read_bounded;
use crate::limits::{MAX_CGROUPS, MAX_PROC_FILE_BYTES};

/// Processes of a cgroup that are looked at.
const MAX_LOOKED_AT: usize = 16;

/// Where the cgroup v2 hierarchy is mounted.
#[derive(Debug, Clone)]
pub(crate) struct Cgroups {
    mount: Option<PathBuf>,
}

impl Cgroups {
    /// Looks the mount point up in `/proc/self/mountinfo`.
    pub(crate) fn find() -> Self {
        let text = read_bounded(Path::new("/proc/self/mountinfo"), MAX_PROC_FILE_BYTES).unwrap_or_default();
        Self {
            mount: mount_in(&String::from_utf8_lossy(&text)),
        }
    }

    /// Whether there is anything to look cgroups up in. Hosts with version 1 alone have one of version 2, for all.
    pub(crate) fn is_mounted(&self) -> bool {
        self.mount.is_some()
    }

    /// All cgroups that exist, as id and path.
    pub(crate) fn list(&self) -> Vec<(u64, String)> {
        let Some(mount) = &self.mount else { return Vec::new() };
        let mut found = Vec::new();
        let mut folders = vec![mount.clone()];
        while let Some(folder) = folders.pop() {
            let Ok(data) = fs::metadata(&folder) else { continue };
            if found.len() >= MAX_CGROUPS {
                break;
            }
            found.push((data.ino(), path_below(mount, &folder)));
            let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
            folders.extend(
                entries
                    .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
                    .map(|entry| entry.path()),
            );
        }
        found
    }

    /// Whether a cgroup is still there; true when nobody can tell.
    pub(crate) fn exists(&self, path: &str) -> bool {
        self.mount
            .as_ref()
            .is_none_or(|mount| mount.join(path.trim_start_matches('/')).exists())
    }

    /// Some of the processes that are in a cgroup now.
    pub(crate) fn processes(&self, path: &str) -> Vec<i32> {
        let Some(mount) = &self.mount else { return Vec::new() };
        let file = mount.join(path.trim_start_matches('/')).join("cgroup.procs");
        let text = read_bounded(&file, MAX_PROC_FILE_BYTES).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        // 0 stands for those of another pid namespace.
        let pids = text.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid > 0);
        pids.take(MAX_LOOKED_AT).collect()
    }

    /// Path of a cgroup: from the process that was seen in it, else by a walk.
    pub(crate) fn path_of(&self, cgroup_id: u64, pid: i32) -> Option<String> {
        let mount = self.mount.as_ref()?;
        let is_it = |path: &String| {
            fs::metadata(mount.join(path.trim_start_matches('/'))).is_ok_and(|data| data.ino() == cgroup_id)
        };
        if let Some(path) = of_process(pid).filter(is_it) {
            return Some(path);
        }
        self.list()
            .into_iter()
            .find(|(id, _)| *id == cgroup_id)
            .map(|(_, path)| path)
    }
}

/// The `0::` line of `/proc/PID/cgroup` (cgroups(7)).
fn of_process(pid: i32) -> Option<String> {
    let text = read_bounded(Path::new(&format!("/proc/{pid}/cgroup")), MAX_PROC_FILE_BYTES).unwrap_or_default();
    unified_path(&String::from_utf8_lossy(&text))
}

/// Hierarchies of version 1 have numbers from 1 on, and their controllers' names (cgroups(7), `/proc/PID/cgroup`).
fn unified_path(text: &str) -> Option<String> {
    Some(text.lines().find_map(|line| line.strip_prefix("0::"))?.to_owned())
}

/// Where version 2 is mounted as a whole: `/sys/fs/cgroup`, or beside version 1 `/sys/fs/cgroup/unified`.
fn mount_in(mountinfo: &str) -> Option<PathBuf> {
    let mut mounts = super::mounts::parse(mountinfo);
    mounts
        .find(|mount| mount.kind == "cgroup2" && mount.root == "/")
        .map(|mount| PathBuf::from(mount.point))
}

fn path_below(mount: &Path, folder: &Path) -> String {
    let rest = folder.strip_prefix(mount).unwrap_or(folder);
    format!("/{}", rest.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCKER: &str = "/system.slice/docker-0c1ffe.scope";

    /// Lines as in cgroups(7) and Documentation/admin-guide/cgroup-v2.rst, and as systemd lays hierarchies out.
    #[test]
    fn a_process_is_in_the_unified_hierarchy_whatever_is_beside_it() {
        let legacy = "12:pids:/docker/0c1ffe\n4:memory:/docker/0c1ffe\n3:cpu,cpuacct:/docker/0c1ffe\n1:name=systemd:/docker/0c1ffe\n";
        for (text, expected) in [
            (format!("0::{DOCKER}\n"), Some(DOCKER)),
            (format!("{legacy}0::{DOCKER}\n"), Some(DOCKER)),
            (format!("{legacy}0::/\n"), Some("/")),
            (legacy.to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(unified_path(&text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn version_2_is_found_alone_beside_version_1_and_not_in_part() {
        let unified = "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
        let hybrid = "31 30 0:27 / /sys/fs/cgroup/unified rw,nosuid shared:9 - cgroup2 cgroup2 rw\n";
        let legacy = "29 24 0:25 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755\n\
                      32 29 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
        let part = "40 24 0:26 /docker/0c1ffe /srv/cgroup rw - cgroup2 cgroup2 rw\n";
        for (text, expected) in [
            (unified.to_owned(), Some("/sys/fs/cgroup")),
            (format!("{legacy}{hybrid}"), Some("/sys/fs/cgroup/unified")),
            (format!("{part}{unified}"), Some("/sys/fs/cgroup")),
            (part.to_owned(), None),
            (legacy.to_owned(), None),
        ] {
            assert_eq!(mount_in(&text).as_deref(), expected.map(Path::new), "{text}");
        }
    }
}
