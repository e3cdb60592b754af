//! Connections to sockets in the file system: whose socket, and does anybody expect that?

use plimsoll_model::{Action, Confidence, Evidence, EvidenceSource, Fact, PathPattern, Verb};
use plimsoll_rules::Priority;

use crate::{
    DeviationKind, Judgement,
    judge::{Against, Case},
    text::escape,
};

/// Sockets of container engines, by the name that the engine gave them: whoever may speak to one is root on the node.
const ENGINES: &[(&str, &str)] = &[
    ("docker.sock", "Docker"),
    ("containerd.sock", "containerd"),
    ("podman.sock", "Podman"),
    ("crio.sock", "CRI-O"),
    ("cri-dockerd.sock", "cri-dockerd"),
    ("buildkitd.sock", "BuildKit"),
    ("kubelet.sock", "the kubelet"),
];
/// containerd's shims once listened where every container of the host's network reaches them (CVE-2020-15257).
const SHIM: &str = "@/containerd-shim/";

/// Whose socket it is, when it is a container engine's.
pub fn engine_of(path: &str) -> Option<&'static str> {
    if path.starts_with(SHIM) {
        return Some("containerd's shim");
    }
    let name = path.rsplit('/').next().unwrap_or(path);
    let found = ENGINES.iter().find(|(socket, _)| *socket == name);
    found.map(|(_, engine)| *engine)
}

/// Only engines' sockets are judged: others are as many as there are databases and loggers.
pub(crate) fn judge(case: &Case<'_>, path: &str) -> Judgement {
    let Some(engine) = engine_of(path) else {
        return Judgement::NotJudged;
    };
    // To connect to a socket is to write to it (unix(7)). What holds for any program's files in /run is not about it.
    let is_expected = |fact: &Fact| {
        matches!(&fact.action, Action::Write(pattern) if pattern.matches(path))
            && fact.evidence.iter().any(|one| one.source != EvidenceSource::Image)
    };
    if case
        .profile
        .find_fact(Verb::Write, case.subject, case.phase, is_expected)
        .is_some()
    {
        return Judgement::Expected;
    }
    let detail = format!(
        "{} is the socket of {engine}, and whoever commands that commands the node",
        escape(path)
    );
    let against = Against {
        confidence: Confidence::B,
        because: format!("No fact of its profile expects that: {detail}."),
        evidence: vec![Evidence {
            source: EvidenceSource::Image,
            detail,
        }],
    };
    let act = format!("connected to {}", escape(path));
    let mut deviation = case.deviation(DeviationKind::UnexpectedConnect, Verb::Connect, &act, against);
    deviation.priority = Priority::Error;
    deviation.allow = Some(case.allow(Action::Write(PathPattern(path.to_owned()))));
    Judgement::Deviates(vec![deviation])
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use plimsoll_model::{Event, EventKind, Phase, Profile, Subject};

    use super::*;
    use crate::{
        CompiledProfile, Context, Entry, KnownFiles,
        judge::{judge, tests::profile},
        program::tests::process,
    };

    fn judged(path: &str, facts: Vec<Fact>) -> Judgement {
        let event = Event {
            sequence: 1,
            time_ns: 1,
            cpu: 0,
            process: Arc::new(process("/usr/bin/app", &["app"])),
            container: None,
            phase: Some(Phase::Serving),
            kind: EventKind::ConnectLocal { path: path.to_owned() },
        };
        let context = Context {
            files: &KnownFiles::default(),
            entry: Entry::Inside,
            before: None,
        };
        judge(&CompiledProfile::new(Profile { facts, ..profile() }), &event, context)
    }

    #[test]
    fn an_engines_socket_is_flagged_until_somebody_allows_it() {
        for (path, expected) in [
            ("/var/run/docker.sock", true),
            ("/run/k3s/containerd/containerd.sock", true),
            ("@/containerd-shim/moby/x/shim.sock@", true),
            ("/run/mysqld/mysqld.sock", false),
            ("@/tmp/.X11-unix/X0", false),
        ] {
            assert_eq!(
                matches!(judged(path, vec![]), Judgement::Deviates(_)),
                expected,
                "{path}"
            );
        }
        let anybody = Fact {
            subject: Subject::Any,
            action: Action::Write("/run/**".into()),
            phases: vec![],
            parent: None,
            evidence: vec![Evidence {
                source: EvidenceSource::Image,
                detail: "any program: sockets".to_owned(),
            }],
            confidence: Confidence::B,
        };
        let Judgement::Deviates(deviations) = judged("/run/docker.sock", vec![anybody]) else {
            panic!("what holds for any program is no permission")
        };
        assert_eq!(
            (deviations[0].kind, deviations[0].priority),
            (DeviationKind::UnexpectedConnect, Priority::Error)
        );
        assert_eq!(
            deviations[0].explanation,
            "app connected to /run/docker.sock while serving. No fact of its profile expects that: /run/docker.sock is the \
             socket of Docker, and whoever commands that commands the node."
        );
        let allow = deviations[0].allow.clone().unwrap();
        assert_eq!(judged("/run/docker.sock", vec![allow]), Judgement::Expected);
    }
}
