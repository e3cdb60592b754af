//! Small images for the tests of checks: files and config in, findings out.

use std::sync::Arc;

use plimsoll_model::{FileEntry, FileKind, Finding, ImageConfig, Note, Sbom};

use super::{Check, Findings, Input};
use crate::Tree;

/// An entry of `kind` with these permission bits.
pub(crate) fn entry(path: &str, kind: FileKind, mode: u32) -> FileEntry {
    FileEntry::new(path, kind, mode)
}

/// A tree of regular files with contents.
pub(crate) fn tree(files: &[(&str, &str)]) -> Tree {
    let mut tree = Tree::default();
    for (path, content) in files {
        tree.insert(
            entry(path, FileKind::Regular, 0o644),
            Some(Arc::from(content.as_bytes())),
        );
    }
    tree
}

/// What one check says of an image.
pub(crate) fn run(check: &dyn Check, config: &ImageConfig, tree: &Tree, sbom: &Sbom) -> (Vec<Finding>, Vec<Note>) {
    let mut findings = Findings::default();
    check.check(
        &Input {
            reference: "registry.example/team/demo:1",
            config,
            layers: &[],
            tree,
            sbom,
        },
        &mut findings,
    );
    (findings.found, findings.notes)
}

/// `check path` of each finding, in order.
pub(crate) fn found(check: &dyn Check, config: &ImageConfig, tree: &Tree) -> Vec<String> {
    let (findings, _) = run(check, config, tree, &Sbom::default());
    findings
        .iter()
        .map(|finding| match &finding.path {
            Some(path) => format!("{} {path}", finding.check),
            None => finding.check.clone(),
        })
        .collect()
}
