//! What this kernel and our rights allow: probed by trying, never guessed from a version.

use std::{collections::BTreeMap, fs, path::PathBuf, sync::Arc};

use super::{Hook, Mechanism, Program, SensorError};
use crate::load::{self, KernelTypes};

/// A program that does nothing, for each mechanism.
const PROBES: &[(Mechanism, Program)] = &[
    (Mechanism::Lsm, Program::new("probe_lsm", Hook::Lsm("file_open"))),
    (
        Mechanism::Fexit,
        Program::new("probe_fexit", Hook::Fexit("do_filp_open")),
    ),
    (
        Mechanism::BtfTracepoint,
        Program::new("probe_btf_tracepoint", Hook::BtfTracepoint("cgroup_mkdir")),
    ),
    (Mechanism::CgroupHook, Program::new("probe_cgroup", Hook::CgroupSock)),
    (
        Mechanism::SyscallTracepoint,
        Program::new("probe_tracepoint", Hook::Tracepoint("sys_exit_openat")),
    ),
];

/// What a probe found.
#[derive(Debug, Clone)]
pub struct Kernel {
    /// `uname -r`.
    pub release: String,
    /// Mount point of the cgroup v2 hierarchy; `None` when there is none.
    pub cgroup_root: Option<PathBuf>,
    /// For each mechanism: works, or why not.
    pub mechanisms: BTreeMap<Mechanism, Result<(), String>>,
    /// Keeps the kernel's type information in memory until the sensors are open; drop it then.
    pub(super) types: Option<Arc<KernelTypes>>,
}

impl Kernel {
    /// Asks the running kernel: attaches a program that does nothing by each mechanism, and takes it off again.
    pub fn probe() -> Self {
        let release = fs::read_to_string("/proc/sys/kernel/osrelease")
            .map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned());
        let cgroup_root = find_cgroup_root();
        let types = KernelTypes::shared();
        let programs: Vec<Program> = PROBES.iter().map(|(_, program)| *program).collect();
        let answers = types
            .as_ref()
            .map_err(why)
            .and_then(|types| load::probe(&programs, types, cgroup_root.as_deref()).map_err(|error| why(&error)));
        let mechanisms = PROBES.iter().map(|(mechanism, _)| *mechanism).enumerate();
        let mechanisms = mechanisms
            .map(|(index, mechanism)| match &answers {
                Ok(answers) => (mechanism, answers[index].as_ref().copied().map_err(why)),
                Err(reason) => (mechanism, Err(reason.clone())),
            })
            .collect();
        Self {
            release,
            cgroup_root,
            mechanisms,
            types: types.ok(),
        }
    }
}

/// The reason alone: which program failed is of no interest in a probe.
fn why(error: &SensorError) -> String {
    match error {
        SensorError::Attach { reason, .. } | SensorError::Load { reason } => reason.clone(),
        other => other.to_string(),
    }
}

/// Hybrid machines have it below `/sys/fs/cgroup/unified`. Of several mounts the shortest path is the least likely to be
/// some container's.
fn find_cgroup_root() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ');
            let path = fields.nth(1)?;
            (fields.next()? == "cgroup2").then(|| PathBuf::from(path))
        })
        .min_by_key(|path| path.as_os_str().len())
}
