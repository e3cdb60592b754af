//! A folder of one test with a real agent: empty `images`, programs that nobody else runs. Removed when dropped.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::machine;

/// The folder.
#[derive(Debug)]
pub struct Stage {
    path: PathBuf,
    _folder: TempDir,
}

impl Stage {
    /// `None`, and said so, where this machine allows no agent or has not all of these programs.
    ///
    /// # Panics
    /// When the folder cannot be made.
    pub fn new(test: &str, tools: &[&str]) -> Option<Self> {
        let missing = tools.iter().find(|tool| !machine::has(tool));
        let reason = machine::why_no_bpf().or_else(|| missing.map(|tool| format!("{tool} is not installed")));
        if let Some(reason) = reason {
            machine::say_skipped(test, &reason);
            return None;
        }
        let folder = tempfile::Builder::new().prefix("plimsoll-stage-").tempdir();
        let folder = folder.expect("a temporary folder can be made");
        // As the kernel tells it. Other users may look in: some tests run as them.
        let path = fs::canonicalize(&folder).expect("it was made");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
        fs::create_dir(path.join("images")).expect("it is empty");
        Some(Self { path, _folder: folder })
    }

    /// Where it is, without links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    pub fn at(&self, name: &str) -> String {
        self.path.join(name).display().to_string()
    }

    /// A program that does nothing, and that nobody else runs.
    ///
    /// # Panics
    /// When it cannot be copied there.
    pub fn program(&self, name: &str) -> PathBuf {
        let path = self.path.join(name);
        if !path.exists() {
            let real = fs::canonicalize("/bin/true").expect("every system has it");
            fs::copy(real, &path).expect("the folder is ours");
        }
        path
    }
}
