//! Upstream's rule files: all load, and the page says which of their rules can fire with the sensors there are.

use std::{fmt::Write, path::Path};

use plimsoll_rules::{Code, Rule, RuleSet};

use super::{rule_file, shown};

const FILES: [(&str, usize); 6] = [
    ("rules/falco_rules.yaml", 25),
    ("rules/falco-incubating_rules.yaml", 31),
    ("rules/falco-sandbox_rules.yaml", 37),
    ("rules/falco-deprecated_rules.yaml", 4),
    ("rules/application_rules.yaml", 0),
    ("k8saudit/k8s_audit_rules.yaml", 48),
];

pub(super) fn run(folder: &Path) -> String {
    let files: Vec<_> = FILES.into_iter().map(|(name, _)| rule_file(folder, name)).collect();
    let loaded = RuleSet::load(&files).unwrap_or_else(|errors| panic!("{}", shown(&files, &errors)));
    let mut page = String::from("\n## Rule files\n\n| file | rules | load | can fire here |\n|---|---|---|---|\n");
    let silent: Vec<(&str, &str)> = loaded
        .diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.code == Code::LoadNeverFires)
        .map(|diagnostic| (diagnostic.item.as_str(), diagnostic.message.as_str()))
        .collect();
    for (name, expected) in FILES {
        let of_file: Vec<&Rule> = loaded
            .rules
            .rules()
            .iter()
            .filter(|rule| rule.origin().0 == name)
            .collect();
        assert_eq!(of_file.len(), expected, "{name}");
        let can_fire = of_file
            .iter()
            .filter(|rule| {
                !silent
                    .iter()
                    .any(|(item, _)| *item == format!("rule \"{}\"", rule.name()))
            })
            .count();
        let _ = writeln!(page, "| {name} | {expected} | {expected} | {can_fire} |");
    }
    page.push_str("\nRules that load and cannot fire yet:\n\n| rule | why |\n|---|---|\n");
    for (item, message) in silent {
        let why = message.rsplit(": ").next().unwrap_or(message);
        let _ = writeln!(
            page,
            "| {} | {why} |",
            item.trim_start_matches("rule ").trim_matches('"')
        );
    }
    page
}
