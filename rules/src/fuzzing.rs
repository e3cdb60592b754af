//! Every reader of foreign bytes in this crate by name, for the fuzzer and its corpus: bytes in, nothing out but a panic.
//! No part of the interface: `fuzz/` and `tests/tests/corpus.rs` alone use it.

use std::sync::LazyLock;

use plimsoll_model::Event;

use crate::{Observation, RuleFile, RuleSet, mix, packs};

/// Name, reader, and files of the repository that it reads without a fault.
pub type Parser = (&'static str, fn(&[u8]), &'static [&'static str]);

/// All of them. A new parser is one line; without a real file, what it begins with is in `fuzz/corpus/NAME/`.
pub const PARSERS: &[Parser] = &[
    (
        "rule-file",
        |b| load(text(b)),
        &["rules/content/execution.yaml", "rules/content/persistence.yaml"],
    ),
    ("rule-condition", |b| load(rule("condition", b)), &[]),
    ("rule-output", |b| load(rule("output", b)), &[]),
    (
        "pack",
        |b| drop(packs::parse("fuzz", &text(b))),
        &["rules/content/packs/redis.yaml", "rules/content/packs/nginx.yaml"],
    ),
    ("audit-event", audit, &[]),
];

/// Events that rules of any shape are asked about.
static EVENTS: LazyLock<Vec<Event>> = LazyLock::new(|| mix::ALL[0].events(32));

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A rule with one part that is not ours.
fn rule(key: &str, bytes: &[u8]) -> String {
    let value = |name: &str, usual: &str| match name == key {
        // YAML's double quotes are JSON's.
        true => serde_json::Value::from(text(bytes)).to_string(),
        false => usual.to_owned(),
    };
    format!(
        "- rule: x\n  desc: d\n  condition: {}\n  output: {}\n  priority: INFO\n",
        value("condition", "evt.type = execve"),
        value("output", "x")
    )
}

/// Loads a file, shows what is wrong with it, or judges events with it.
fn load(text: String) {
    let file = RuleFile {
        name: "fuzz.yaml".to_owned(),
        text,
    };
    let diagnostics = match RuleSet::load(std::slice::from_ref(&file)) {
        Ok(loaded) => {
            for event in &*EVENTS {
                judge(&loaded.rules, event);
            }
            loaded.diagnostics
        }
        Err(diagnostics) => diagnostics,
    };
    for diagnostic in &diagnostics {
        diagnostic.render(Some(&file.text), false);
    }
}

fn judge(rules: &RuleSet, event: &Event) {
    let observation = Observation {
        event,
        deviations: &[],
        origin: None,
        has_profile: event.container.is_some(),
        node: "node",
        host_accounts: None,
    };
    rules.evaluate(&observation, &mut |rule| {
        rule.output(&observation);
    });
}

fn audit(bytes: &[u8]) {
    static RULES: LazyLock<RuleSet> = LazyLock::new(|| {
        let loaded = RuleSet::load(&RuleSet::shipped_audit_files());
        loaded.map(|loaded| loaded.rules).unwrap_or_default()
    });
    if let Ok(event) = serde_json::from_slice(bytes) {
        RULES.evaluate_audit(&event, &mut |rule| {
            rule.audit_output(&event);
        });
    }
}
