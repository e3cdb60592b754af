//! Environments of programs as far as rules name their variables, and cgroups that processes are put into.

use std::{fs, process::Command};

use plimsoll_runtime::raw::{RawEvent, RawKind};

use crate::watch::{Watch, run, spawn};

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

#[test]
fn a_process_that_is_put_into_a_cgroup_says_so_before_it_acts() {
    let Some(mut watch) = Watch::everything() else { return };
    let Some(root) = watch.cgroup_root() else { return };
    let name = format!("plimsoll-enter-{}", std::process::id());
    let folder = root.join(&name);
    fs::create_dir(&folder).unwrap();
    let id = {
        use std::os::unix::fs::MetadataExt as _;
        fs::metadata(&folder).unwrap().ino()
    };
    let script = r#"echo $$ > "$1/cgroup.procs"; exec /bin/true"#;
    run(Command::new("/bin/sh").args(["-c", script, "sh"]).arg(&folder));
    fs::remove_dir(&folder).unwrap();
    let events = watch.collect_until(
        "the exec in the cgroup",
        |event| event.task.cgroup_id == id,
        |event| matches!(event.kind, RawKind::Exec { .. }),
    );
    let entered = RawKind::CgroupEntered {
        cgroup_id: id,
        path: format!("/{name}"),
    };
    assert_eq!(events.first().map(|event| &event.kind), Some(&entered), "{events:?}");
}
