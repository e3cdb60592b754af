//! Containers that are gone before the agent can look: who they were, and of which image, is known all the same.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{fs, process::Command};

use plimsoll_tests::{agent::Agent, engine, stage::Stage};

const DIGEST: &str = "sha256:5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";
const REFERENCE: &str = "registry.example/shop/job:1";

#[test]
fn a_container_that_came_and_went_while_the_agent_stood_still_is_named_with_its_image() {
    let Some(stage) = Stage::new("containers that are gone", &["runc", "gcc"]) else {
        return;
    };
    let annotations = serde_json::json!({
        "org.opencontainers.image.ref.name": REFERENCE,
        "org.opencontainers.image.config.digest": DIGEST,
    });
    let bundle = stage.bundle("job", &annotations);
    let rules = stage.path().join("rules.yaml");
    let text = "- rule: job\n  desc: d\n  condition: evt.type=execve and proc.exepath=/bin/job and container.id != host\n  \
                output: \"%container.id\"\n  priority: WARNING\n";
    fs::write(&rules, text).unwrap();
    let agent = Agent::with_rules(&stage, &rules, &[]).unwrap();
    let name = format!("plimsoll-gone-{}", std::process::id());
    agent.signal("STOP").unwrap();
    // One where runc keeps state by default, in the folder of the bundle; one where it was told to, from anywhere.
    engine::run(Command::new("runc").args(["run", &name]).current_dir(&bundle)).unwrap();
    let state = stage.at("state");
    let elsewhere = format!("{name}-elsewhere");
    engine::run(
        Command::new("runc")
            .args(["--root", &state, "run", "--bundle"])
            .arg(&bundle)
            .arg(&elsewhere),
    )
    .unwrap();
    agent.signal("CONT").unwrap();
    for name in [&name, &elsewhere] {
        let alert = agent.next_alert(name).unwrap();
        assert_eq!(alert.rule, "job");
        let image = alert.image.unwrap();
        assert_eq!(image.reference, REFERENCE);
        assert_eq!(image.config_digest.unwrap().to_string(), DIGEST);
    }
    let (_, talk) = agent.stop().unwrap();
    assert!(!talk.iter().any(|line| line.contains("not identified")), "{talk:?}");
}
