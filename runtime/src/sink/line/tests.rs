//! What people read.

use plimsoll_model::{
    Action, AlertImage, Confidence, ContainerRuntime, ExpectedFact, Fact, Phase, ProcessSummary, Program, Subject, Verb,
};

use super::*;

fn evidence_of(detail: &str) -> Vec<Evidence> {
    vec![Evidence {
        source: EvidenceSource::Pack,
        detail: detail.to_owned(),
    }]
}

fn alert() -> Alert {
    let process = |exe: &str| ProcessSummary {
        pid: 7,
        exe: exe.to_owned(),
        command_line: String::new(),
        euid: 999,
    };
    Alert {
        schema: "plimsoll.alert/v1".to_owned(),
        id: "a1".to_owned(),
        time_ns: 1_700_000_000_123_000_000,
        priority: "critical".to_owned(),
        rule: "unexpected-exec".to_owned(),
        summary: "redis-server started /usr/bin/dash (sh -c id) while serving".to_owned(),
        reasons: vec![Reason::Deviation {
            kind: "unexpected-exec".to_owned(),
            verb: Verb::Exec,
            explanation: "It did. Its profile rules that out.".to_owned(),
            evidence: evidence_of("starts nothing"),
            confidence: Confidence::A,
        }],
        node: "node".to_owned(),
        container_id: Some("c".to_owned()),
        container_name: Some("victim".to_owned()),
        runtime: Some(ContainerRuntime::Podman),
        image: Some(AlertImage {
            reference: "redis:1".to_owned(),
            manifest_digest: None,
            config_digest: None,
        }),
        pod: None,
        phase: Some(Phase::Serving),
        process: Some(process("/usr/bin/dash")),
        ancestry: vec![process("/usr/bin/redis-server"), process("/usr/bin/conmon")],
        observed: "exec /usr/bin/dash -c id".to_owned(),
        expected: vec![ExpectedFact {
            text: "redis-server starts nothing while serving".to_owned(),
            evidence: evidence_of("starts nothing"),
            confidence: Confidence::A,
        }],
        executable: Some(ExecutableOrigin {
            path: "/usr/bin/dash".to_owned(),
            is_in_image: true,
            is_modified: false,
            digest: None,
            package: Some("dash 0.5.12-2".to_owned()),
            layer_diff_id: None,
            layer_created_by: None,
            vulnerabilities: Vec::new(),
            vulnerability_count: 0,
            known_exploited: false,
        }),
        techniques: vec!["T1059".to_owned()],
        lost_events: 0,
        allow: Some(Fact {
            subject: Subject::Any,
            action: Action::Exec(Program {
                path: "/usr/bin/dash".into(),
                applet: None,
            }),
            phases: vec![Phase::Serving],
            parent: None,
            evidence: evidence_of("x"),
            confidence: Confidence::B,
        }),
        follow_ups: Vec::new(),
        count: 1,
    }
}

fn written(explain: bool, alert: &Alert) -> String {
    let mut sink = Text {
        output: Vec::new(),
        explain,
        updates: true,
    };
    sink.alert(alert).unwrap();
    String::from_utf8(sink.output).unwrap()
}

#[test]
fn one_alert_is_one_line() {
    assert_eq!(
        written(false, &alert()),
        "22:13:20.123Z CRITICAL unexpected-exec victim (redis:1): redis-server started /usr/bin/dash (sh -c id) while \
         serving | expected: redis-server starts nothing while serving | dash 0.5.12-2 | a1\n"
    );
}

#[test]
fn explained_it_says_why_and_how_to_allow_it() {
    let text = written(true, &alert());
    for expected in [
        "    process    /usr/bin/dash (pid 7, uid 999) ← /usr/bin/redis-server ← /usr/bin/conmon\n",
        "    expected   redis-server starts nothing while serving (pack: starts nothing)\n",
        "    because    It did. Its profile rules that out. [unexpected-exec, confidence A; pack: starts nothing]\n",
        "    file       /usr/bin/dash from the image, package dash 0.5.12-2\n",
        "    ATT&CK     T1059\n",
    ] {
        assert!(text.contains(expected), "{expected:?} in {text}");
    }
    let json = text
        .lines()
        .find_map(|line| line.strip_prefix("    to allow   "))
        .unwrap();
    assert_eq!(serde_json::from_str::<Fact>(json).unwrap(), alert().allow.unwrap());
}

#[test]
fn hostile_names_cannot_make_lines_or_steer_the_terminal() {
    let mut hostile = alert();
    hostile.container_name = Some("a\nFAKE CRITICAL\u{1b}[2J".to_owned());
    hostile.summary = "x\r\ny\u{202e}".to_owned();
    hostile.observed = "exec \u{7}\n".to_owned();
    hostile.lost_events = 3;
    let text = written(false, &hostile);
    assert_eq!(text.lines().count(), 1);
    assert!(!text.contains(['\u{1b}', '\r', '\u{202e}']));
    assert!(text.contains("3 events lost"));
    let lines = written(true, &hostile);
    assert!(lines.lines().skip(1).all(|line| line.starts_with("    ")), "{lines}");
}
