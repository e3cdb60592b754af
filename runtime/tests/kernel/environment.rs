//! Environments of programs as far as rules name their variables.

use std::process::Command;

use plimsoll_runtime::raw::{RawEvent, RawKind};

use crate::watch::{Watch, spawn};

/// What is told of a program with this environment, for a rule with this condition: right before its exec.
fn told(condition: &str, variables: &[(&str, &str)]) -> Option<Vec<String>> {
    let mut watch = Watch::for_rules(&[condition])?;
    let pid = spawn(Command::new("/bin/true").env_clear().envs(variables.iter().copied()));
    let events = watch.collect_until(
        "the exec",
        |event| event.task.pid.cast_unsigned() == pid,
        |event| matches!(event.kind, RawKind::Exec { .. }),
    );
    let told: Vec<&RawEvent> = events
        .iter()
        .filter(|event| matches!(event.kind, RawKind::Environment { .. }))
        .collect();
    assert!(told.len() <= 1, "{told:?}");
    assert_eq!(watch.lost(), 0);
    match told.first().map(|event| &event.kind) {
        Some(RawKind::Environment { variables }) => Some(variables.clone()),
        _ => Some(vec!["nothing".to_owned()]),
    }
}

#[test]
fn only_variables_that_rules_name_are_told() {
    let variables = [("HOME", "/root"), ("LD_AUDIT_", "/tmp/evil.so"), ("TOKEN", "secret")];
    for (condition, expected) in [
        (
            "evt.type = execve and proc.env[LD_AUDIT_] exists",
            &["LD_AUDIT_=/tmp/evil.so"][..],
        ),
        ("evt.type = execve and proc.env[NOWHERE] exists", &[]),
        (
            "evt.type = execve and proc.env contains evil",
            &["HOME=/root", "LD_AUDIT_=/tmp/evil.so", "TOKEN=secret"],
        ),
        ("evt.type = execve and proc.name = true", &["nothing"]),
    ] {
        let Some(mut told) = told(condition, &variables) else {
            return;
        };
        told.sort_unstable();
        assert_eq!(told, expected, "{condition}");
    }
}

#[test]
fn a_long_environment_is_cut_and_says_so() {
    let long = "x".repeat(100_000);
    let condition = "evt.type = execve and proc.env contains x";
    let Some(told) = told(condition, &[("A", "1"), ("LONG", &long)]) else {
        return;
    };
    assert_eq!((told.len(), told[0].as_str()), (2, "A=1"));
    assert!(
        told[1].starts_with("LONG=xxx") && told[1].ends_with('…'),
        "{}",
        told[1].len()
    );
    assert!((8_192..=16_384).contains(&told[1].len()), "{}", told[1].len());
}
