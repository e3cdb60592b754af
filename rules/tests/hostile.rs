//! Hostile rule files: whatever they hold, loading ends with rules or diagnostics, never with a panic.

use plimsoll_rules::{Code, RuleFile, RuleSet};
use proptest::prelude::*;

fn load(text: String) -> Result<usize, Vec<Code>> {
    let file = RuleFile {
        name: "hostile.yaml".to_owned(),
        text,
    };
    match RuleSet::load(std::slice::from_ref(&file)) {
        Ok(loaded) => {
            for diagnostic in &loaded.diagnostics {
                diagnostic.render(Some(&file.text), false);
            }
            Ok(loaded.rules.rules().len())
        }
        Err(diagnostics) => Err(diagnostics
            .iter()
            .map(|diagnostic| {
                assert!(!diagnostic.render(Some(&file.text), true).is_empty());
                diagnostic.code
            })
            .collect()),
    }
}

fn rule(condition: &str) -> String {
    // YAML's double quotes are JSON's.
    let quoted = serde_json::to_string(condition).expect("a text is JSON");
    format!("- rule: x\n  desc: d\n  condition: {quoted}\n  output: o\n  priority: INFO\n")
}

/// Words that conditions are made of, so that random ones get deep into the grammar.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "and",
            "or",
            "not",
            "(",
            ")",
            ",",
            "=",
            "!=",
            "<",
            ">=",
            "in",
            "intersects",
            "pmatch",
            "contains",
            "glob",
            "regex",
            "exists",
            "oneof",
            "allof",
            "proc.name",
            "fd.net",
            "fd.sport",
            "evt.type",
            "proc.aname[2]",
            "evt.arg.",
            "evt.num",
            "tolower(",
            "val(",
            "join(",
            "len(",
            "getopt(",
            "execve",
            "\"",
            "'",
            "\\",
            "[",
            "]",
            "10.0.0.0/8",
            "0x",
            "-1",
            "true",
            "m",
            "l",
            "{2",
            "*",
            "%",
            "ä",
            "\u{0}",
        ])
        .prop_map(str::to_owned),
        "[a-z.\\[\\]()'\"=<>, ]{0,6}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_bytes_load_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = load(String::from_utf8_lossy(&bytes).into_owned());
    }

    #[test]
    fn any_condition_loads_or_is_refused(words in prop::collection::vec(word(), 0..25)) {
        let text = format!("- macro: m\n  condition: l\n- list: l\n  items: [a, '', m]\n{}", rule(&words.join(" ")));
        let _ = load(text);
    }

    #[test]
    fn any_output_loads_or_is_refused(output in "[%a-z.\\[\\]() ä]{1,40}") {
        let text = rule("evt.type = execve").replace("output: o", &format!("output: {output:?}"));
        let _ = load(text);
    }
}

#[test]
fn a_regex_bomb_is_refused() {
    let codes = load(rule("proc.name regex \"(((a{1,100}){1,100}){1,100}){1,100}\"")).unwrap_err();
    assert_eq!(codes, [Code::LoadErrCompileCondition]);
}

#[test]
fn a_depth_bomb_is_refused() {
    let condition = format!("{}proc.name = x{}", "(".repeat(20_000), ")".repeat(20_000));
    assert_eq!(load(rule(&condition)).unwrap_err(), [Code::LoadErrCompileCondition]);
}

#[test]
fn macros_that_double_are_loaded_once_each() {
    let mut text = String::from("- macro: m0\n  condition: evt.type = execve and proc.name = x\n");
    for level in 1..80 {
        let below = level - 1;
        text += &format!(
            "- macro: m{level}\n  condition: (m{below} and fd.name = a{level}) or (m{below} and proc.pname = b{level})\n"
        );
    }
    text += &rule("m79");
    assert_eq!(load(text), Ok(1));
}

#[test]
fn a_chain_of_macros_that_is_too_long_is_refused() {
    let mut text = rule("m0");
    for level in 0..5000 {
        text += &format!(
            "- macro: m{level}\n  condition: m{} and proc.name = x{level}\n",
            level + 1
        );
    }
    text += "- macro: m5000\n  condition: evt.type = execve\n";
    let result = load(text);
    assert!(result.is_err(), "{result:?}");
}

#[test]
fn lists_that_double_are_refused() {
    let mut text = String::from("- list: l0\n  items: [a, b]\n");
    for level in 1..40 {
        text += &format!("- list: l{level}\n  items: [l{0}, l{0}]\n", level - 1);
    }
    text += &rule("evt.type = execve and proc.name in (l39)");
    assert_eq!(load(text).unwrap_err(), [Code::LoadErrLimit]);
}

#[test]
fn a_bad_file_names_each_of_its_errors() {
    let text = format!(
        "{}{}",
        rule("proc.nmae = x"),
        rule("evt.type = opne").replace("rule: x", "rule: y")
    );
    let codes = load(text).unwrap_err();
    assert_eq!(codes, [Code::LoadErrCompileCondition; 2]);
}
