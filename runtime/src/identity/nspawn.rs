//! systemd-nspawn: a machine's scope or service, and what systemd-machined writes of it.

use std::{fs, path::Path};

use plimsoll_model::{Container, ContainerRuntime};

use super::{Case, Engine, Identified, read_bounded};
use crate::limits::MAX_PROC_FILE_BYTES;

/// systemd-nspawn.
pub(crate) struct Nspawn;

/// Where systemd-machined keeps one file for each machine.
const MACHINES: &str = "/run/systemd/machines";

impl Engine for Nspawn {
    fn runtime(&self) -> ContainerRuntime {
        ContainerRuntime::Nspawn
    }

    /// `/machine.slice/machine-NAME.scope` and `/machine.slice/systemd-nspawn@NAME.service`, and what is below: the container
    /// lives in `payload`, nspawn itself in `supervisor` (systemd-nspawn(1), `--keep-unit` and `--slice`).
    fn container_id<'p>(&self, cgroup_path: &'p str) -> Option<&'p str> {
        let mut parts = cgroup_path.split('/');
        let name = parts.find_map(|part| {
            let of_scope = part
                .strip_suffix(".scope")
                .and_then(|part| part.strip_prefix("machine-"));
            let of_service = part
                .strip_suffix(".service")
                .and_then(|part| part.strip_prefix("systemd-nspawn@"));
            of_scope.or(of_service).filter(|name| !name.is_empty())
        })?;
        // Virtual machines have scopes of the same form, and nothing like this in them.
        (parts.next() == Some("payload")).then_some(name)
    }

    fn identify(&self, case: &Case<'_>) -> Option<Identified> {
        let name = unescape(case.container_id);
        let known = read_machine(&case.at(MACHINES), &name);
        Some(Identified {
            container: Container {
                id: name.clone(),
                name,
                init_pid: known.unwrap_or(0),
                ..case.container(ContainerRuntime::Nspawn)
            },
            diff_ids: Vec::new(),
        })
    }
}

/// Process id of a machine's first process.
fn read_machine(folder: &Path, name: &str) -> Option<i32> {
    if name.contains('/') || fs::symlink_metadata(folder.join(name)).is_ok_and(|data| !data.is_file()) {
        return None;
    }
    let bytes = read_bounded(&folder.join(name), MAX_PROC_FILE_BYTES).ok()?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    text.lines().find_map(|line| line.strip_prefix("LEADER="))?.parse().ok()
}

/// `\x2d` for `-` (systemd.unit(5), "String escaping for inclusion in unit names").
fn unescape(name: &str) -> String {
    let mut plain = String::new();
    let mut rest = name;
    while let Some(at) = rest.find("\\x") {
        let (before, after) = rest.split_at(at);
        plain.push_str(before);
        match after.get(2..4).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if byte.is_ascii() => {
                plain.push(char::from(byte));
                rest = &after[4..];
            }
            _ => {
                plain.push_str("\\x");
                rest = &after[2..];
            }
        }
    }
    plain + rest
}
