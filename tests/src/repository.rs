//! The repository's own files: paths and source texts out.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;

/// Top folder of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this crate is one folder below the top")
        .to_owned()
}

/// Which state of the repository this is, for pages that a run writes: the commit, and whether files differ from it.
pub fn state() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").current_dir(root()).args(arguments).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(text)
    };
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else {
        return "an unknown commit".to_owned();
    };
    // What the suites themselves write is no other product.
    let changes = git(&[
        "status",
        "--porcelain",
        "--untracked-files=no",
        "--",
        ".",
        ":!docs",
        ":!*.md",
    ]);
    match changes.is_none_or(|changes| changes.is_empty()) {
        true => format!("commit {commit}"),
        false => format!("commit {commit} with changes"),
    }
}

/// The folder of the project's crates, in the order of the walls.
pub const CRATES: [&str; 10] = [
    "model", "rules", "policy", "vulndb", "scanner", "runtime", "scap", "web", "cli", "tests",
];

/// One Rust source file.
#[derive(Debug)]
pub struct Source {
    /// Path from the top folder: `scanner/src/tree.rs`.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl Source {
    /// The lines before the file's `#[cfg(test)]`, numbered from 1, without those that are comments only.
    pub fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .take_while(|line| line.trim() != "#[cfg(test)]")
            .enumerate()
            .map(|(at, line)| (at + 1, line))
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

/// Every Rust file of one crate below `folder` (`src`, `tests`), in path order; empty when there is no such folder.
pub fn sources(crate_folder: &str, folder: &str) -> anyhow::Result<Vec<Source>> {
    let top = root();
    let mut todo = vec![top.join(crate_folder).join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = todo.pop() {
        if !folder.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&folder).with_context(|| format!("read {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                todo.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
                let path = path.strip_prefix(&top)?.to_string_lossy().into_owned();
                found.push(Source { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}
