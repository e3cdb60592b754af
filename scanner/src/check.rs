//! Image checks: config, merged tree and packages in, findings out. One file each; [`ALL`] lists them.

mod accounts;
mod changed_files;
mod configuration;
mod files;
mod hardening;
mod history;
mod secrets;

use std::collections::BTreeMap;

use plimsoll_model::{Finding, ImageConfig, LayerInfo, Note, NoteKind, Sbom, Severity};

use crate::{Tree, limits::MAX_FINDINGS_PER_KIND};

/// Looks for things that are wrong with an image itself, not with a version of a package.
pub trait Check: Sync {
    /// All that it may find.
    fn kinds(&self) -> &'static [Kind];

    /// Whether [`Self::check`] needs the content of the file at this path; asked once per file, so it must be cheap.
    fn wants(&self, path: &str) -> bool {
        let _ = path;
        false
    }

    /// What is wrong.
    fn check(&self, input: &Input<'_>, out: &mut Findings);
}

/// One kind of finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// Stable and kebab-case: `runs-as-root`. Rules name it in `finding.check`; one that begins with `secret-` is
    /// `secret.kind`.
    pub id: &'static str,
    /// How bad.
    pub severity: Severity,
    /// Whose recommendation it is: `CIS Docker 4.1`; `None` when it is ours.
    pub benchmark: Option<&'static str>,
    /// What it means, for the list of checks.
    pub title: &'static str,
    /// How to fix it.
    pub hint: &'static str,
}

/// What checks read.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The reference that the image was asked for by.
    pub reference: &'a str,
    /// How it is run.
    pub config: &'a ImageConfig,
    /// Its layers, base first.
    pub layers: &'a [LayerInfo],
    /// Its files, with the contents that somebody wanted.
    pub tree: &'a Tree,
    /// Its packages.
    pub sbom: &'a Sbom,
}

/// Where checks put what they find.
#[derive(Debug, Default)]
pub struct Findings {
    found: Vec<Finding>,
    counts: BTreeMap<&'static str, usize>,
    /// What could not be checked.
    pub(crate) notes: Vec<Note>,
}

/// All checks.
pub const ALL: &[&dyn Check] = &[
    &configuration::Configuration,
    &history::History,
    &accounts::Accounts,
    &files::Files,
    &hardening::HardeningCheck,
    &changed_files::ChangedFiles,
    &secrets::Secrets,
];

/// Whether any check wants this file's content.
pub(crate) fn wants(path: &str) -> bool {
    ALL.iter().any(|check| check.wants(path))
}

/// Runs all checks. Worst first, then by kind and path.
pub(crate) fn run(input: &Input<'_>, notes: &mut Vec<Note>) -> Vec<Finding> {
    let mut findings = Findings::default();
    for check in ALL {
        check.check(input, &mut findings);
    }
    for (id, count) in &findings.counts {
        if *count > MAX_FINDINGS_PER_KIND {
            let detail = format!(
                "{} more findings of this kind were left out",
                count - MAX_FINDINGS_PER_KIND
            );
            findings.notes.push(Note::new(NoteKind::Limit, *id, detail));
        }
    }
    notes.append(&mut findings.notes);
    let mut found = findings.found;
    let key = |finding: &Finding| (finding.check.clone(), finding.path.clone(), finding.message.clone());
    found.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| key(a).cmp(&key(b))));
    found.dedup();
    found
}

impl Findings {
    /// Something about the image as a whole.
    pub(crate) fn image(&mut self, kind: &Kind, message: impl Into<String>) {
        self.push(kind, message.into(), None, None);
    }

    /// Something about a file of the merged tree.
    pub(crate) fn file(&mut self, kind: &Kind, entry: &plimsoll_model::FileEntry, message: impl Into<String>) {
        self.push(kind, message.into(), Some(&entry.path), Some(entry.layer));
    }

    /// Something about a path, or about a build instruction, of a layer.
    pub(crate) fn push(&mut self, kind: &Kind, message: String, path: Option<&str>, layer: Option<u32>) {
        let count = self.counts.entry(kind.id).or_default();
        *count += 1;
        if *count > MAX_FINDINGS_PER_KIND {
            return;
        }
        self.found.push(Finding {
            check: kind.id.to_owned(),
            severity: kind.severity,
            message,
            path: path.map(str::to_owned),
            layer,
            hint: Some(kind.hint.to_owned()),
            benchmark: kind.benchmark.map(str::to_owned),
        });
    }
}

#[cfg(test)]
pub(crate) mod testing;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_has_one_id_of_its_own_and_a_way_to_fix_it() {
        let mut ids = BTreeSet::new();
        for kind in ALL.iter().flat_map(|check| check.kinds()) {
            assert!(ids.insert(kind.id), "{} is there twice", kind.id);
            let is_kebab = kind
                .id
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
            assert!(
                is_kebab && !kind.title.is_empty() && !kind.hint.ends_with('.') && kind.hint.len() > 10,
                "{kind:?}"
            );
        }
        assert!(ids.len() > 90, "{}", ids.len());
    }

    #[test]
    fn the_documentation_lists_every_kind() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let text = std::fs::read_to_string(root.join("docs/checks.md")).unwrap();
        let expected: BTreeSet<String> = ALL.iter().flat_map(|check| check.kinds()).map(row).collect();
        let found: BTreeSet<String> = text
            .lines()
            .filter(|line| line.starts_with("| `"))
            .map(str::to_owned)
            .collect();
        let missing: Vec<_> = expected.difference(&found).collect();
        let unknown: Vec<_> = found.difference(&expected).collect();
        assert!(
            missing.is_empty() && unknown.is_empty(),
            "add {missing:#?}\nremove {unknown:#?}"
        );
    }

    fn row(kind: &Kind) -> String {
        let severity = format!("{:?}", kind.severity).to_lowercase();
        let benchmark = kind.benchmark.unwrap_or("–");
        format!(
            "| `{}` | {severity} | {benchmark} | {} | {} |",
            kind.id, kind.title, kind.hint
        )
    }
}
