//! What this kernel and our rights allow: probed by trying, never guessed from a version.

use std::{collections::BTreeMap, path::PathBuf};

use super::Mechanism;

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    /// `uname -r`.
    pub release: String,
    /// Mount point of the cgroup v2 hierarchy; `None` when there is none.
    pub cgroup_root: Option<PathBuf>,
    /// For each mechanism: works, or why not.
    pub mechanisms: BTreeMap<Mechanism, Result<(), String>>,
}

impl Kernel {
    /// Asks the running kernel.
    pub fn probe() -> Self {
        Self {
            release: String::new(),
            cgroup_root: None,
            mechanisms: BTreeMap::new(),
        }
    }
}
