//! A real agent where only version 1 of cgroups is mounted: it says that it knows no containers, and takes nobody for one.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use plimsoll_tests::{command, stage::Stage};

/// Runs the rest of its arguments where no version 2 is mounted; nobody else sees that.
const WITHOUT_VERSION_2: &str = "for point in $(awk '$3 == \"cgroup2\" { print $2 }' /proc/self/mounts); do umount $point || exit 9; done; exec \"$@\"";

const BLIND: &str = "neither profiles nor rules about containers judge anything";

fn without_version_2() -> Command {
    let mut command = Command::new("unshare");
    command
        .args([
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-c",
            WITHOUT_VERSION_2,
            "sh",
        ])
        .arg(command::binary())
        .stdin(Stdio::null());
    command
}

#[test]
fn a_host_with_version_1_alone_is_told_what_that_blinds() {
    let Some(stage) = Stage::new("version 1 of cgroups alone", &["unshare", "awk", "umount"]) else {
        return;
    };
    let doctor = without_version_2().args(["agent", "doctor"]).output().unwrap();
    let said = String::from_utf8(doctor.stdout).unwrap();
    assert!(
        said.contains("cgroup v2: not mounted") && said.contains(BLIND),
        "{said}"
    );

    let rules = stage.path().join("rules.yaml");
    let rule = "- rule: inside\n  desc: d\n  condition: evt.type=execve and container.id != host\n  output: o\n  priority: WARNING\n";
    fs::write(&rules, rule).unwrap();
    let mut agent = without_version_2()
        .args(["agent", "--no-shipped-rules", "--rules", &stage.at("rules.yaml")])
        .args(["--images", &stage.at("images")])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut talk = BufReader::new(agent.stderr.take().unwrap()).lines().map(Result::unwrap);
    let notice = talk.find(|line| line.starts_with("notice:") && line.contains(BLIND));
    assert!(notice.is_some(), "it ended without a word: {:?}", agent.wait());
    let done = Command::new(stage.program("somebody")).status().unwrap();
    assert!(done.success());
    let asked = Command::new("kill").args(["-INT", &agent.id().to_string()]).status();
    assert!(asked.unwrap().success());
    let rest: Vec<String> = talk.collect();
    let alerts = BufReader::new(agent.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(
        alerts.collect::<Vec<_>>(),
        [""; 0],
        "the host's processes are in no container"
    );
    agent.wait().unwrap();
    assert!(
        rest.iter().any(|line| line.contains("0 containers"))
            && !rest.iter().any(|line| line.contains("not identified")),
        "{rest:?}"
    );
}
