//! Every reader of foreign bytes in this crate by name, for the fuzzer and its corpus: bytes in, nothing out but a panic.
//! No part of the interface: `fuzz/` and `tests/tests/corpus.rs` alone use it.

use std::sync::LazyLock;

use plimsoll_rules::RuleSet;

use crate::{audit_events, judge_audit, parse_waivers};

/// Name, reader, and files of the repository that it reads without a fault.
pub type Parser = (&'static str, fn(&[u8]), &'static [&'static str]);

/// All of them. A new parser is one line; without a real file, what it begins with is in `fuzz/corpus/NAME/`.
pub const PARSERS: &[Parser] = &[
    (
        "waivers",
        |b| drop(parse_waivers("fuzz", &String::from_utf8_lossy(b))),
        &[],
    ),
    ("audit-document", audit, &[]),
];

fn audit(bytes: &[u8]) {
    static RULES: LazyLock<RuleSet> = LazyLock::new(|| {
        let loaded = RuleSet::load(&RuleSet::shipped_audit_files());
        loaded.map(|loaded| loaded.rules).unwrap_or_default()
    });
    let document = serde_json::from_slice(bytes).ok();
    for event in document.and_then(audit_events).unwrap_or_default() {
        judge_audit(&RULES, &event, "cluster");
    }
}
