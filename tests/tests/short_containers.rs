//! Containers that are gone before the agent can look: who they were, and of which image, is known all the same.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use plimsoll_tests::{agent::Agent, stage::Stage};

const DIGEST: &str = "sha256:5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";
const REFERENCE: &str = "registry.example/shop/job:1";

/// Runs a command to its end.
fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}: {talk}", output.status);
}

/// A bundle of one static program that ends at once, annotated with the image that it was unpacked from.
fn bundle(stage: &Stage) -> PathBuf {
    let folder = stage.path().join("bundle");
    for name in ["bin", "proc", "dev", "sys"] {
        fs::create_dir_all(folder.join("rootfs").join(name)).unwrap();
    }
    let source = stage.path().join("job.c");
    fs::write(&source, "int main(void) { return 0; }\n").unwrap();
    let job = folder.join("rootfs/bin/job");
    run(Command::new("gcc").args(["-static", "-o"]).arg(job).arg(source));
    run(Command::new("runc").arg("spec").current_dir(&folder));
    let path = folder.join("config.json");
    let mut config: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    config["process"]["terminal"] = false.into();
    config["process"]["args"] = serde_json::json!(["/bin/job"]);
    config["annotations"] = serde_json::json!({
        "org.opencontainers.image.ref.name": REFERENCE,
        "org.opencontainers.image.config.digest": DIGEST,
    });
    fs::write(&path, config.to_string()).unwrap();
    folder
}

#[test]
fn a_container_that_came_and_went_while_the_agent_stood_still_is_named_with_its_image() {
    let Some(stage) = Stage::new("containers that are gone", &["runc", "gcc"]) else {
        return;
    };
    let bundle = bundle(&stage);
    let rules = stage.path().join("rules.yaml");
    let text = "- rule: job\n  desc: d\n  condition: evt.type=execve and proc.exepath=/bin/job and container.id != host\n  \
                output: \"%container.id\"\n  priority: WARNING\n";
    fs::write(&rules, text).unwrap();
    let images = stage.path().join("images");
    let arguments = [
        Path::new("--no-shipped-rules"),
        Path::new("--rules"),
        &rules,
        Path::new("--images"),
        &images,
    ];
    let agent = Agent::start(arguments).unwrap();
    let name = format!("plimsoll-gone-{}", std::process::id());
    agent.signal("STOP").unwrap();
    // One where runc keeps state by default, in the folder of the bundle; one where it was told to, from anywhere.
    run(Command::new("runc").args(["run", &name]).current_dir(&bundle));
    let state = stage.at("state");
    let elsewhere = format!("{name}-elsewhere");
    run(Command::new("runc")
        .args(["--root", &state, "run", "--bundle"])
        .arg(&bundle)
        .arg(&elsewhere));
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
