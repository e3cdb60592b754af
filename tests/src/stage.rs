//! A folder of one test with a real agent: empty `images`, programs that nobody else runs. Removed when dropped.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{engine, machine};

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

    /// A bundle of runc whose file system holds one static program, `/bin/NAME`, that ends at once.
    ///
    /// # Panics
    /// When there is no compiler or no runc.
    pub fn bundle(&self, name: &str, annotations: &Value) -> PathBuf {
        let folder = self.path.join("bundle");
        for name in ["bin", "proc", "dev", "sys"] {
            fs::create_dir_all(folder.join("rootfs").join(name)).expect("the folder is ours");
        }
        self.static_program(&folder.join("rootfs/bin").join(name));
        engine::run(Command::new("runc").arg("spec").current_dir(&folder)).expect("runc writes an example");
        let path = folder.join("config.json");
        let mut config: Value =
            serde_json::from_slice(&fs::read(&path).expect("runc wrote it")).expect("runc writes JSON");
        config["process"]["terminal"] = json!(false);
        config["process"]["args"] = json!([format!("/bin/{name}")]);
        config["annotations"] = annotations.clone();
        fs::write(&path, config.to_string()).expect("the folder is ours");
        folder
    }

    /// Makes a static program that does nothing.
    ///
    /// # Panics
    /// When there is no compiler.
    pub fn static_program(&self, path: &Path) {
        let source = self.path.join("nothing.c");
        fs::write(&source, "int main(void) { return 0; }\n").expect("the folder is ours");
        engine::run(
            Command::new("gcc")
                .args(["-static", "-O1", "-o"])
                .arg(path)
                .arg(&source),
        )
        .expect("gcc compiles it");
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
