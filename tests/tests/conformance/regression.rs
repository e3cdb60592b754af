//! Upstream's declarative regression tests: what they validate is compared; of those that replay a capture, audit
//! events are replayed, and for system calls the rule files are loaded.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use plimsoll_rules::{Diagnostic, DiagnosticSeverity, RuleFile, RuleSet};
use serde_json::Value;

use super::{Outcome, Results, captures};

const SUITES: [(&str, &str); 4] = [
    ("regression tests: falco_tests.yaml", "falco_tests.yaml"),
    ("regression tests: exceptions", "falco_tests_exceptions.yaml"),
    ("regression tests: plugins", "falco_tests_plugins.yaml"),
    ("regression tests: Kubernetes audit", "falco_k8s_audit_tests.yaml"),
];

/// What became of all tests.
pub(super) struct Regression {
    /// By suite.
    pub(super) suites: Vec<(&'static str, Results)>,
    /// Of captures of system calls: name of the file, tests, and how they came out.
    pub(super) by_capture: BTreeMap<String, Vec<(String, &'static str)>>,
}

pub(super) fn run(folder: &Path) -> Regression {
    let mut by_capture = BTreeMap::new();
    let suites = SUITES
        .into_iter()
        .map(|(title, file)| (title, suite(folder, file, &mut by_capture)))
        .collect();
    Regression { suites, by_capture }
}

fn suite(folder: &Path, file: &str, by_capture: &mut BTreeMap<String, Vec<(String, &'static str)>>) -> Results {
    let text = fs::read_to_string(folder.join("regression").join(file)).expect("the data is as upstream wrote it");
    // The tag and the leading dots are the test driver's own.
    let text = text.replace("!mux", "");
    let tests: Value = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
    let tests = tests["trace_files"].as_object().expect("a mapping").clone();
    let mut results = Results::new();
    for (name, test) in &tests {
        let outcome = judge(folder, test);
        let is_replay = test.get("validate_rules_file").is_none();
        if let Some(path) = test["trace_file"]
            .as_str()
            .filter(|path| is_replay && path.ends_with(".scap"))
        {
            let word = match &outcome {
                Outcome::Holds => "holds",
                Outcome::Differs(_) => "differs",
                Outcome::NotJudged(_) => "not judged",
            };
            let file = path.rsplit('/').next().unwrap_or(path).to_owned();
            by_capture.entry(file).or_default().push((name.clone(), word));
        }
        results.push((name.clone(), outcome));
    }
    results
}

fn judge(folder: &Path, test: &Value) -> Outcome {
    let (key, is_validation) = if test.get("validate_rules_file").is_some() {
        ("validate_rules_file", true)
    } else {
        ("rules_file", false)
    };
    let mut files = Vec::new();
    for name in texts(&test[key]) {
        match read(folder, &name) {
            Ok(found) => files.extend(found),
            Err(why) => return Outcome::NotJudged(why),
        }
    }
    if files.is_empty() {
        // Upstream's own rules, as it ships them.
        match read(folder, "falcosecurity-rules/falco_rules.yaml") {
            Ok(found) => files.extend(found),
            Err(why) => return Outcome::NotJudged(why),
        }
    }
    if audit_capture(test).is_some() {
        files.insert(0, gone_since());
        let is_present = |file: &RuleFile| file.name.ends_with("k8saudit/k8s_audit_rules.yaml");
        let is_older = |file: &RuleFile| file.name.contains("engine_v4");
        if files.iter().any(is_present) && !files.iter().any(is_older) {
            // What the present rules read where older ones read Falco's own lists.
            for file in files
                .iter_mut()
                .filter(|file| file.name.ends_with("trust_nginx_container.yaml"))
            {
                file.text = file.text.replace("- list: falco_", "- list: k8s_audit_");
            }
        }
    }
    let result = RuleSet::load(&files);
    if is_validation {
        return validation(test, result.as_ref().err().map(Vec::as_slice), &result);
    }
    if let Some(capture) = audit_capture(test) {
        return audit(folder, test, &capture, &result);
    }
    let expects_failure = test["exit_status"].as_i64().is_some_and(|status| status != 0);
    match result {
        Ok(_) => captures::judge(folder, test, &files),
        Err(_) if expects_failure => Outcome::Holds,
        Err(errors) => Outcome::Differs(format!("does not load: {}", listed(&errors))),
    }
}

fn validation(
    test: &Value,
    errors: Option<&[Diagnostic]>,
    result: &Result<plimsoll_rules::Loaded, Vec<Diagnostic>>,
) -> Outcome {
    let expects_failure = test["exit_status"].as_i64().is_some_and(|status| status != 0);
    if errors.is_some() != expects_failure {
        let found = errors.map_or_else(|| "it loads".to_owned(), listed);
        return Outcome::Differs(format!(
            "upstream {}; here: {found}",
            if expects_failure { "refuses it" } else { "loads it" }
        ));
    }
    let diagnostics = match result {
        Ok(loaded) => loaded.diagnostics.as_slice(),
        Err(diagnostics) => diagnostics,
    };
    for (key, severity) in [
        ("validate_errors", DiagnosticSeverity::Error),
        ("validate_warnings", DiagnosticSeverity::Warning),
    ] {
        for wanted in test[key].as_array().into_iter().flatten() {
            let code = wanted["code"].as_str().unwrap_or_default();
            let item = wanted["item_name"].as_str().unwrap_or_default();
            let matching = diagnostics.iter().find(|found| {
                found.severity == severity
                    && found.code.to_string() == code
                    && (item.is_empty() || found.item.contains(&format!("\"{item}\"")))
            });
            if matching.is_none() {
                return Outcome::Differs(format!(
                    "expects {code} about \"{item}\"; here: {}",
                    listed(diagnostics)
                ));
            }
        }
    }
    Outcome::Holds
}

fn listed(diagnostics: &[Diagnostic]) -> String {
    let lines: Vec<String> = diagnostics
        .iter()
        .take(3)
        .map(|found| format!("{} {}: {}", found.code, found.item, found.message))
        .collect();
    lines.join("; ")
}

pub(super) fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items
            .iter()
            .filter_map(|item| item.as_str().map(str::to_owned))
            .collect(),
        _ => Vec::new(),
    }
}

/// A rule file by the name that upstream's tests use; a folder gives its files in the order of their names.
fn read(folder: &Path, name: &str) -> Result<Vec<RuleFile>, String> {
    let path = locate(folder, name)?;
    let mut paths = vec![path.clone()];
    if path.is_dir() {
        paths = fs::read_dir(&path)
            .map_err(|error| error.to_string())?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()
            .map_err(|error| error.to_string())?;
        paths.sort();
    }
    paths
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).map_err(|_| format!("{name} is not among the data"))?;
            Ok(RuleFile {
                name: path.display().to_string(),
                text,
            })
        })
        .collect()
}

fn locate(folder: &Path, name: &str) -> Result<PathBuf, String> {
    let base = name.rsplit('/').next().unwrap_or(name);
    let path = if name.contains("falcosecurity-rules") {
        folder.join("rules").join(base)
    } else if name.contains("k8saudit-rules") {
        folder.join("k8saudit").join(base)
    } else {
        folder.join("regression").join(name.trim_start_matches("./"))
    };
    if path.exists() {
        return Ok(path);
    }
    Err(format!("`{name}` is not among the data"))
}

/// Lists that the tests append to and that upstream's present rule files do not define any more.
fn gone_since() -> RuleFile {
    RuleFile {
        name: "gone-since.yaml".to_owned(),
        text: "- list: falco_sensitive_mount_images\n  items: []\n- list: falco_hostnetwork_images\n  items: []\n"
            .to_owned(),
    }
}

/// Rules that upstream split or renamed after the tests were written.
const RENAMED: [(&str, &str); 4] = [
    ("K8s Role/Clusterrole Created", "K8s ClusterRole Created"),
    ("K8s Role/Clusterrole Deleted", "K8s ClusterRole Deleted"),
    ("K8s Role/Clusterrolebinding Created", "K8s ClusterRoleBinding Created"),
    ("K8s Role/Clusterrolebinding Deleted", "K8s ClusterRoleBinding Deleted"),
];

/// The audit events that a test replays: a path in its command line.
fn audit_capture(test: &Value) -> Option<String> {
    let options = test["addl_cmdline_opts"].as_str()?;
    let path = options.split("open_params=").nth(1)?.split_whitespace().next()?;
    path.contains("k8s_audit/").then(|| path.to_owned())
}

/// Replays audit events and compares how often each rule fires.
fn audit(
    folder: &Path,
    test: &Value,
    capture: &str,
    result: &Result<plimsoll_rules::Loaded, Vec<Diagnostic>>,
) -> Outcome {
    let loaded = match result {
        Ok(loaded) => loaded,
        Err(errors) => return Outcome::Differs(format!("does not load: {}", listed(errors))),
    };
    let Ok(text) = fs::read_to_string(folder.join("regression").join(capture)) else {
        return Outcome::NotJudged(format!("`{capture}` is not among the data"));
    };
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    for event in serde_json::Deserializer::from_str(&text).into_iter::<Value>() {
        let Ok(event) = event else {
            return Outcome::NotJudged(format!("`{capture}` is not JSON"));
        };
        let items = match &event["items"] {
            Value::Array(items) => items.clone(),
            _ => vec![event],
        };
        for item in &items {
            loaded
                .rules
                .evaluate_audit(item, &mut |rule| *counts.entry(rule.name()).or_default() += 1);
        }
    }
    let expects_detection = test["detect"].as_bool() != Some(false);
    for wanted in test["detect_counts"].as_array().into_iter().flatten() {
        for (rule, count) in wanted.as_object().into_iter().flatten() {
            let is_gone = loaded.rules.rule(rule).is_none();
            let renamed = RENAMED.iter().find(|(old, _)| is_gone && *old == rule.as_str());
            let name = renamed.map_or(rule.as_str(), |(_, new)| *new);
            let found = counts.get(name).copied().unwrap_or(0);
            if Some(found) != count.as_i64() {
                return Outcome::Differs(format!("expects \"{rule}\" {count} times, fired {found} times"));
            }
        }
    }
    if expects_detection == counts.is_empty() {
        return Outcome::Differs(format!("expects detection {expects_detection}; fired: {counts:?}"));
    }
    Outcome::Holds
}
