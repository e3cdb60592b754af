//! The demo's recorded run, replayed: the same alerts wherever there is no BPF, no container and no root.

use std::fs;

use plimsoll_model::{Alert, Phase};
use plimsoll_tests::{command, repository};

/// Image, phase and what was observed, in order: the demo's eight bad acts, and nothing of its normal work.
const EXPECTED: [(&str, Phase, &str); 8] = [
    ("redis", Phase::Serving, "load /acts/shell.so"),
    ("redis", Phase::Serving, "exec /usr/bin/dash"),
    ("redis", Phase::Session, "exec /usr/bin/dash"),
    ("postgres", Phase::Serving, "exec /usr/bin/dash"),
    ("postgres", Phase::Serving, "connect tcp 10.77.0.1:4444"),
    ("nginx", Phase::Serving, "create /usr/bin/implant"),
    ("redis", Phase::Serving, "load /acts/drop.so"),
    ("redis", Phase::Serving, "exec /tmp/kinsing"),
];

fn replay() -> Vec<Alert> {
    let recording = repository::root().join("scripts/demo/recording");
    let images = tempfile::tempdir().expect("a temporary folder can be made");
    for name in ["redis", "postgres", "nginx"] {
        let packed = fs::read(recording.join(format!("{name}.json.zst"))).expect("it is committed");
        let report = zstd::decode_all(packed.as_slice()).expect("it is whole");
        fs::write(images.path().join(format!("{name}.json")), report).expect("the folder is ours");
    }
    let events = recording.join("recording.plimsoll");
    let run = command::run([
        "agent",
        "--format",
        "json",
        "--images",
        &images.path().display().to_string(),
        "--replay",
        &events.display().to_string(),
    ]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let containers = fs::read_to_string(recording.join("containers")).expect("it is committed");
    run.stdout
        .lines()
        .map(|line| serde_json::from_str::<Alert>(line).expect("an alert is a JSON document"))
        // Whatever else ran on the machine that recorded it.
        .filter(|alert| containers.lines().any(|id| alert.container_id.as_deref() == Some(id)))
        .collect()
}

#[test]
fn a_replay_flags_the_bad_acts_once_each() {
    let alerts = replay();
    let seen: Vec<_> = alerts
        .iter()
        .map(|alert| (alert.phase, alert.observed.as_str()))
        .collect();
    assert_eq!(alerts.len(), EXPECTED.len(), "{seen:#?}");
    for (alert, (image, phase, observed)) in alerts.iter().zip(EXPECTED) {
        let reference = alert
            .image
            .as_ref()
            .map(|image| image.reference.as_str())
            .unwrap_or_default();
        assert!(reference.contains(&format!("/{image}")), "{alert:#?}");
        assert_eq!(alert.phase, Some(phase), "{alert:#?}");
        assert!(alert.observed.starts_with(observed), "{alert:#?}");
        assert!(alert.executable.is_some(), "{alert:#?}");
    }
}

#[test]
fn the_same_events_give_the_same_alerts() {
    assert_eq!(replay(), replay());
}
