//! The rules that come with Plimsoll, by ATT&CK tactic.

use crate::RuleFile;

/// One shipped file.
macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../content/", $name)))),*]
    };
}

/// All shipped files, in load order: lists and macros first.
const FILES: &[(&str, &str)] = shipped![
    "common.yaml",
    "execution.yaml",
    "persistence.yaml",
    "privilege-escalation.yaml",
    "defense-evasion.yaml",
    "credential-access.yaml",
    "lateral-movement.yaml",
    "command-and-control.yaml",
    "impact.yaml",
];

/// Rules over Kubernetes audit events.
const AUDIT_FILES: &[(&str, &str)] = shipped!["kubernetes-audit.yaml"];

/// Scenarios of the shipped rules.
pub(crate) const SCENARIOS: &[(&str, &str)] = shipped![
    "tests/execution.yaml",
    "tests/persistence.yaml",
    "tests/privilege-escalation.yaml",
    "tests/defense-evasion.yaml",
    "tests/credential-access.yaml",
    "tests/lateral-movement.yaml",
    "tests/command-and-control.yaml",
    "tests/impact.yaml",
];

/// The shipped files, named as they are in the repository.
pub(crate) fn files() -> Vec<RuleFile> {
    named(FILES)
}

/// The shipped files of rules over Kubernetes audit events.
pub(crate) fn audit_files() -> Vec<RuleFile> {
    named(AUDIT_FILES)
}

fn named(files: &[(&str, &str)]) -> Vec<RuleFile> {
    files
        .iter()
        .map(|(name, text)| RuleFile {
            name: format!("rules/content/{name}"),
            text: (*text).to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RuleSet;

    #[test]
    fn load_without_a_word() {
        check(&files());
        check(&audit_files());
    }

    fn check(files: &[RuleFile]) {
        let loaded = RuleSet::load(files).unwrap_or_else(|errors| {
            let shown: Vec<String> = errors
                .iter()
                .map(|error| {
                    let source = files.iter().find(|file| file.name == error.file);
                    error.render(source.map(|file| file.text.as_str()), false)
                })
                .collect();
            panic!("{}", shown.join("\n"));
        });
        assert_eq!(loaded.diagnostics, []);
        for rule in loaded.rules.rules() {
            assert!(rule.techniques().next().is_some(), "{} names no technique", rule.name());
            for word in ["Decides", "Wrong", "Do:"] {
                assert!(rule.description().contains(word), "{} does not say {word}", rule.name());
            }
        }
    }
}
