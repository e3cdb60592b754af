//! Acts of containers in, what is learned of them, and when, out.

use std::sync::Arc;

use plimsoll_model::{Container, ContainerRuntime, FileAccess, FileEntry};

use super::*;
use crate::{judge::tests::profile, program::tests::process};

const HOUR_NS: u64 = 3_600_000_000_000;

fn wrote(container: &str, path: &str, time_ns: u64) -> Event {
    Event {
        sequence: 1,
        time_ns,
        cpu: 0,
        process: Arc::new(process("/usr/bin/server", &["server"])),
        container: Some(Arc::new(Container {
            id: container.to_owned(),
            name: container.to_owned(),
            runtime: ContainerRuntime::Podman,
            image: None,
            cgroup_id: 1,
            cgroup_path: String::new(),
            init_pid: 1,
            privileged: None,
            pod: None,
            details: plimsoll_model::ContainerDetails::default(),
        })),
        phase: Some(Phase::Serving),
        kind: EventKind::Open {
            path: path.to_owned(),
            flags: 1,
            access: FileAccess::Write,
            created: true,
            inode: 1,
            asked: None,
            error: 0,
        },
    }
}

fn files() -> KnownFiles {
    let file = serde_json::json!([{ "path": "/usr/bin/server", "kind": "regular", "mode": 0o755, "uid": 0, "gid": 0,
        "size_bytes": 1, "layer": 0 }]);
    KnownFiles::new(&serde_json::from_value::<Vec<FileEntry>>(file).unwrap())
}

#[test]
fn learns_what_enough_containers_did_for_long_enough() {
    let mut ledger = Ledger::default();
    for container in ["a", "b"] {
        ledger.note(&wrote(container, "/data/x", 1), &Judgement::NotJudged);
        ledger.note(&wrote(container, "/usr/bin/x", 1), &Judgement::NotJudged);
        ledger.note(&wrote(container, "/data/known", HOUR_NS), &Judgement::Expected);
    }
    ledger.note(&wrote("a", "/data/once", 2), &Judgement::NotJudged);
    let mut profile = profile();
    profile.denials.clear();
    let count = |containers, hours| {
        let learned = ledger.learned(&profile, &files(), Thresholds { containers, hours });
        (learned.facts.len(), learned.waiting.len(), learned.refused.len())
    };
    assert_eq!(count(1, 0.5), (2, 0, 1));
    assert_eq!(count(2, 1.9), (1, 1, 1));
    assert_eq!(count(2, 3.0), (0, 2, 1));
    let learned = ledger.learned(
        &profile,
        &files(),
        Thresholds {
            containers: 2,
            hours: 1.0,
        },
    );
    assert!(
        learned.facts[0].evidence[0]
            .detail
            .starts_with("2 times in 2 containers over 2.0 h, first 1970-01-01T")
    );
}

#[test]
fn a_container_teaches_nothing_while_its_alert_is_open() {
    let wrong = crate::Deviation {
        kind: crate::DeviationKind::UnexpectedWrite,
        verb: plimsoll_model::Verb::Write,
        summary: "server wrote".to_owned(),
        explanation: String::new(),
        evidence: Vec::new(),
        confidence: Confidence::B,
        priority: plimsoll_rules::Priority::Warning,
        expected: Vec::new(),
        allow: None,
    };
    let mut ledger = Ledger::default();
    ledger.note(&wrote("a", "/etc/cron.d/x", 1), &Judgement::Deviates(vec![wrong]));
    ledger.note(&wrote("a", "/data/dropped", 2), &Judgement::NotJudged);
    ledger.note(&wrote("b", "/data/other", 2), &Judgement::NotJudged);
    ledger.note(&wrote("a", "/data/later", 2 * LEARNING_PAUSE_NS), &Judgement::NotJudged);
    let mut profile = profile();
    profile.denials.clear();
    let learned = ledger.learned(
        &profile,
        &files(),
        Thresholds {
            containers: 1,
            hours: 0.0,
        },
    );
    let paths: Vec<String> = learned.facts.iter().map(|fact| format!("{:?}", fact.action)).collect();
    assert!(
        paths.len() == 2 && !paths.iter().any(|path| path.contains("dropped")),
        "{paths:?}"
    );
    assert_eq!(learned.suggested, [("server wrote".to_owned(), 1, None)]);
}

#[test]
fn what_was_learned_and_is_done_no_more_is_told() {
    let learned_once = |path: &str| Fact {
        evidence: vec![Evidence {
            source: EvidenceSource::Observed,
            detail: "9 times".to_owned(),
        }],
        ..fact_of(&wrote("a", path, 1)).unwrap()
    };
    let mut profile = profile();
    profile.facts = vec![
        learned_once("/data/kept"),
        learned_once("/data/gone"),
        learned_once("/data/old"),
    ];
    let mut ledger = Ledger::of(&profile);
    for container in ["a", "b"] {
        ledger.note(&wrote(container, "/data/old", 1), &Judgement::Expected);
        ledger.note(&wrote(container, "/data/other", 2), &Judgement::Expected);
        ledger.note(&wrote(container, "/data/kept", 2 * HOUR_NS), &Judgement::Expected);
    }
    let unused = |hours| {
        let thresholds = Thresholds { containers: 2, hours };
        let learned = ledger.learned(&profile, &files(), thresholds);
        let words = |(fact, why): (Fact, String)| format!("{:?} {why}", fact.action);
        learned.unused.into_iter().map(words).collect::<Vec<_>>()
    };
    assert_eq!(
        unused(3.9),
        [
            "Write(PathPattern(\"/data/gone\")) never seen; 2 containers did without it for 4.0 h",
            "Write(PathPattern(\"/data/old\")) last seen 1970-01-01T00:00:00Z; 2 containers did without it for 4.0 h",
        ]
    );
    assert_eq!(unused(4.1), Vec::<String>::new());
    assert_eq!(ledger.acts.len(), 2, "what the image expects is not noted");
}

#[test]
fn what_was_written_down_and_read_again_says_the_same() {
    let report = crate::reach::tests::report();
    let mut ledger = Ledger::default();
    ledger.note(&wrote("a", "/data/x", 1), &Judgement::NotJudged);
    ledger.trouble("a", 5);
    ledger.note(&wrote("a", "/data/y", 6), &Judgement::NotJudged);
    let seen = ledger.observations(&report);
    let json = serde_json::to_string(&seen).unwrap();
    let mut again = Ledger::default();
    again.add(serde_json::from_str(&json).unwrap());
    assert_eq!(again.observations(&report), seen);
    assert_eq!((seen.acts.len(), seen.containers[0].wrong_ns), (1, Some(5)));
    again.add(seen);
    assert_eq!(again.observations(&report).acts[0].count, 2);
}
