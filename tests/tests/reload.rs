//! A real agent whose rules change while it runs: nothing that the old or the new ones ask for is missed or told twice, and
//! rules that are broken change nothing.

#![allow(clippy::unwrap_used)]

use std::{fs, process::Command};

use plimsoll_model::{Alert, Reason};
use plimsoll_tests::{agent::Agent, stage::Stage};

/// With a folder of rules, too.
fn stage_with_rules(test: &str) -> Option<Stage> {
    let stage = Stage::new(test, &[])?;
    fs::create_dir(stage.path().join("rules")).unwrap();
    Some(stage)
}

/// Puts a file of rules there at once, as whoever deploys rules should.
fn put(stage: &Stage, name: &str, text: &str) {
    let draft = stage.path().join("draft");
    fs::write(&draft, text).unwrap();
    fs::rename(draft, stage.path().join("rules").join(name)).unwrap();
}

fn start_agent(stage: &Stage) -> Agent {
    Agent::with_rules(stage, &stage.path().join("rules"), &[]).unwrap()
}

fn run(stage: &Stage, name: &str) {
    let status = Command::new(stage.program(name)).status().unwrap();
    assert!(status.success(), "{name}: {status}");
}

fn rule(stage: &Stage, name: &str, condition: &str) -> String {
    let condition = condition.replace("HERE", stage.path().to_str().unwrap());
    format!("- rule: {name}\n  desc: d\n  condition: {condition}\n  output: \"%proc.cmdline\"\n  priority: WARNING\n")
}

fn rules_of(alert: &Alert) -> Vec<&str> {
    let rules = alert.reasons.iter().filter_map(|reason| match reason {
        Reason::Rule { name, .. } => Some(name.as_str()),
        _ => None,
    });
    rules.collect()
}

fn is_about(name: &'static str) -> impl Fn(&Alert) -> bool {
    move |alert| {
        alert
            .process
            .as_ref()
            .is_some_and(|process| process.exe.ends_with(&format!("/{name}")))
    }
}

#[test]
fn rules_are_added_and_broken_ones_change_nothing() {
    let Some(stage) = stage_with_rules("reload") else {
        return;
    };
    put(
        &stage,
        "1.yaml",
        &rule(&stage, "one", "evt.type=execve and proc.exepath=HERE/one"),
    );
    let agent = start_agent(&stage);
    run(&stage, "one");
    assert_eq!(rules_of(&agent.find_alert(is_about("one")).unwrap()), ["one"]);

    // The folder is looked at: nobody has to ask.
    put(
        &stage,
        "2.yaml",
        &rule(&stage, "two", "evt.type=execve and proc.exepath=HERE/two"),
    );
    agent.wait_for_talk("2 rules are in force now").unwrap();
    run(&stage, "two");
    assert_eq!(rules_of(&agent.find_alert(is_about("two")).unwrap()), ["two"]);

    put(&stage, "2.yaml", "- rule: two\n  condition: evt.type=\n");
    let said = agent
        .wait_for_talk("new rules cannot be used, those that run stay")
        .unwrap();
    assert!(said.starts_with("notice:"), "{said}");
    run(&stage, "two-again");
    fs::copy(stage.program("two"), stage.path().join("three")).unwrap();
    run(&stage, "two");
    // The same act again is counted; another program is not that rule's business.
    put(
        &stage,
        "2.yaml",
        &rule(&stage, "three", "evt.type=execve and proc.exepath=HERE/three"),
    );
    agent.signal("HUP").unwrap();
    agent.wait_for_talk("2 rules are in force now").unwrap();
    run(&stage, "three");
    assert_eq!(rules_of(&agent.find_alert(is_about("three")).unwrap()), ["three"]);
    let (left, talk) = agent.stop().unwrap();
    assert!(left.is_empty(), "{left:?}");
    let has = |text: &str| talk.iter().any(|line| line.contains(text));
    assert!(has("done: 1 times other rules could not be used"), "{talk:?}");
    assert!(has("3 alerts, 1 more events belong to them"), "`two` again: {talk:?}");
}

#[test]
fn a_rule_that_needs_another_sensor_gets_it_and_nothing_is_missed_meanwhile() {
    let Some(stage) = stage_with_rules("reload with sensors") else {
        return;
    };
    put(
        &stage,
        "1.yaml",
        &rule(&stage, "one", "evt.type=execve and proc.exepath=HERE/one"),
    );
    let agent = start_agent(&stage);
    stage.program("one");
    // Acts go on while sensors are exchanged, there and back again.
    let mut storm = Command::new("sh")
        .args(["-c", "i=0; while [ $i -lt 3000 ]; do ./one $i; i=$((i+1)); done"])
        .current_dir(stage.path())
        .spawn()
        .unwrap();
    let victim = stage.path().join("victim");
    let exchange = |number: usize| {
        put(
            &stage,
            "2.yaml",
            &rule(
                &stage,
                "gone",
                "evt.type in (unlink, unlinkat) and evt.arg.res=0 and fs.path.name=HERE/victim",
            ),
        );
        agent.wait_for_talk("2 rules are in force now").unwrap();
        for _ in 0..2_000 {
            fs::write(&victim, number.to_string()).unwrap();
            fs::remove_file(&victim).unwrap();
        }
        fs::remove_file(stage.path().join("rules/2.yaml")).unwrap();
        agent.wait_for_talk("1 rules are in force now").unwrap();
    };
    (0..3).for_each(exchange);
    let status = storm.wait().unwrap();
    assert!(status.success(), "{status}");
    let (alerts, talk) = agent.stop().unwrap();
    assert!(alerts.iter().any(|alert| rules_of(alert) == ["gone"]), "{alerts:?}");
    // Each run is a process of its own: alerts and what belongs to them count them exactly.
    let end = talk.iter().find(|line| line.contains("more events belong")).unwrap();
    let numbers: Vec<u64> = end
        .split(|letter: char| !letter.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .collect();
    let lost: Vec<&String> = talk.iter().filter(|line| line.contains("lost")).collect();
    println!("{end} {lost:?}");
    if lost.is_empty() {
        assert_eq!(numbers[1] + numbers[2], 3_000 + 6_000, "{talk:?}");
    }
}

#[test]
fn rules_that_anybody_can_write_are_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.yaml");
    fs::write(
        &file,
        "- rule: r\n  desc: d\n  condition: evt.type=execve\n  output: o\n  priority: INFO\n",
    )
    .unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    let run = plimsoll_tests::command::run(["agent", "--rules", file.to_str().unwrap()]);
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(run.stderr.contains("can be written by anybody"), "{}", run.stderr);
}
