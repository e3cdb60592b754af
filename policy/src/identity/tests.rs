//! Tables: who a process was, who it is now, what is made of it.

use std::sync::Arc;

use plimsoll_model::{Facet, FacetState, Profile, Program, Subject};
use plimsoll_rules::Priority;

use super::*;
use crate::{
    CompiledProfile, Context, KnownFiles,
    judge::{judge, tests::profile},
    program::tests::process,
};

const SUDO: &str = "/usr/bin/sudo";
const SERVER: &str = "/usr/bin/server";
const ALL: u64 = (1 << 41) - 1;
const BIND: u64 = 1 << 10;

fn credentials(uid: u32, euid: u32, permitted: u64) -> Credentials {
    Credentials {
        uid,
        euid,
        permitted_capabilities: Some(permitted),
        ..Credentials::default()
    }
}

fn closed(verb: Verb, phase: Phase) -> Facet {
    Facet {
        verb,
        phase,
        state: FacetState::Closed,
        reason: "the server changes nothing".to_owned(),
    }
}

fn fact(subject: &str, action: Action) -> Fact {
    Fact {
        subject: Subject::Program(program(subject)),
        action,
        phases: vec![Phase::Serving, Phase::Session],
        parent: None,
        evidence: Vec::new(),
        confidence: Confidence::A,
    }
}

fn program(path: &str) -> Program {
    Program {
        path: path.into(),
        applet: None,
    }
}

fn event(exe: &str, now: Credentials, phase: Phase, kind: EventKind) -> Event {
    Event {
        sequence: 1,
        time_ns: 1,
        cpu: 0,
        process: Arc::new(Process {
            credentials: now,
            ..process(exe, &[exe])
        }),
        container: None,
        phase: Some(phase),
        kind,
    }
}

fn exec() -> EventKind {
    EventKind::Exec {
        previous: Arc::new(process(SERVER, &[SERVER])),
        filename: SUDO.to_owned(),
    }
}

fn judged(profile: Profile, event: &Event, before: Credentials, entry: Entry) -> Judgement {
    let context = Context {
        files: &KnownFiles::default(),
        entry,
        before: Some(before),
    };
    judge(&CompiledProfile::new(profile), event, context)
}

/// Kind, priority and confidence of all deviations.
fn found(judgement: &Judgement) -> Vec<(&'static str, Priority, Confidence)> {
    match judgement {
        Judgement::Deviates(deviations) => deviations
            .iter()
            .map(|one| (one.kind.as_str(), one.priority, one.confidence))
            .collect(),
        _ => Vec::new(),
    }
}

#[test]
fn what_is_given_up_is_nobodys_business_and_what_is_gained_without_a_program_is_an_exploit() {
    let exploit = vec![("identity-change", Priority::Critical, Confidence::A)];
    for (before, now, expected) in [
        (credentials(0, 0, ALL), credentials(999, 999, 0), vec![]),
        // A server that goes back to root for a moment.
        (credentials(0, 33, ALL), credentials(0, 0, ALL), vec![]),
        // It may become anybody.
        (
            credentials(1000, 1000, CAP_SETUID),
            credentials(0, 0, CAP_SETUID | BIND),
            vec![],
        ),
        // A saved user.
        (credentials(1000, 8, 0), credentials(1000, 9, 0), vec![]),
        (credentials(1000, 8, 0), credentials(1000, 1000, 0), vec![]),
        // A user namespace of its own.
        (credentials(1000, 1000, 0), credentials(1000, 1000, ALL), vec![]),
        (credentials(1000, 1000, 0), credentials(0, 0, ALL), exploit.clone()),
        (credentials(1000, 1000, 0), credentials(0, 0, BIND), exploit.clone()),
    ] {
        for phase in [Phase::Entrypoint, Phase::Serving, Phase::Session] {
            let event = event(SERVER, now, phase, EventKind::Exit { status: 0 });
            let judgement = judged(profile(), &event, before, Entry::Inside);
            assert_eq!(found(&judgement), expected, "{before:?} {now:?}");
        }
    }
    // Captures of before say nothing of permitted capabilities.
    let unknown = Credentials {
        permitted_capabilities: None,
        ..credentials(1000, 1000, 0)
    };
    let event = event(
        SERVER,
        credentials(0, 0, ALL),
        Phase::Serving,
        EventKind::Exit { status: 0 },
    );
    assert_eq!(judged(profile(), &event, unknown, Entry::Inside), Judgement::NotJudged);
}

#[test]
fn a_program_that_gives_rights_is_as_right_as_its_start() {
    let (before, root) = (credentials(1000, 1000, 0), credentials(1000, 0, ALL));
    let exec_facet = || vec![closed(Verb::Exec, Phase::Serving)];
    let become_facet = || vec![closed(Verb::Become, Phase::Serving)];
    let starts_it = || fact(SERVER, Action::Exec(program(SUDO)));
    let becomes = || fact(SUDO, Action::Become(Identity { uid: 0, name: None }));
    let error = |kind| (kind, Priority::Error, Confidence::B);
    for (facts, facets, now, expected) in [
        (vec![starts_it()], exec_facet(), root, vec![]),
        (
            vec![],
            exec_facet(),
            root,
            vec![error("identity-change"), error("unexpected-exec")],
        ),
        (vec![becomes()], exec_facet(), root, vec![error("unexpected-exec")]),
        (vec![], become_facet(), root, vec![error("identity-change")]),
        (
            vec![],
            become_facet(),
            credentials(1000, 1000, BIND),
            vec![error("identity-change")],
        ),
        // Nobody knows what it starts: worth a rank, not an alert.
        (
            vec![],
            vec![],
            root,
            vec![("identity-change", Priority::Notice, Confidence::C)],
        ),
    ] {
        let profile = Profile {
            facts,
            facets,
            ..profile()
        };
        let event = event(SUDO, now, Phase::Serving, exec());
        let judgement = judged(profile, &event, before, Entry::Inside);
        assert_eq!(found(&judgement), expected, "{now:?}");
    }
    let event = event(SUDO, root, Phase::Session, exec());
    assert_eq!(judged(profile(), &event, before, Entry::Outside), Judgement::NotJudged);
}

#[test]
fn an_allowed_change_is_expected_the_next_time() {
    let facets = vec![closed(Verb::Become, Phase::Serving)];
    let first = Profile {
        facets: facets.clone(),
        ..profile()
    };
    let (before, now) = (credentials(1000, 1000, 0), credentials(1000, 0, ALL));
    let event = event(SUDO, now, Phase::Serving, exec());
    let Judgement::Deviates(deviations) = judged(first, &event, before, Entry::Inside) else {
        panic!("must deviate")
    };
    assert_eq!(
        deviations[0].explanation,
        "sudo became user 0 (was 1000) while serving. No fact of its profile expects that: /usr/bin/sudo has a setuid bit."
    );
    let allowed = Profile {
        facets,
        facts: vec![deviations[0].allow.clone().unwrap()],
        ..profile()
    };
    assert_eq!(judged(allowed, &event, before, Entry::Inside), Judgement::NotJudged);
}

#[test]
fn telling_capabilities_are_judged_of_programs_that_are_known() {
    let used = |number, phase, facets| {
        let kind = EventKind::UseCapability { number };
        let now = credentials(0, 0, ALL);
        let profile = Profile { facets, ..profile() };
        judged(profile, &event(SERVER, now, phase, kind), now, Entry::Inside)
    };
    let facets = || vec![closed(Verb::Become, Phase::Serving)];
    let judgement = used(21, Phase::Serving, facets());
    assert_eq!(found(&judgement), [("capability-use", Priority::Error, Confidence::B)]);
    let Judgement::Deviates(deviations) = judgement else {
        unreachable!()
    };
    assert_eq!(
        deviations[0].explanation,
        "server used CAP_SYS_ADMIN while serving. No fact of its profile expects that: CAP_SYS_ADMIN is no part of serving; \
         the server changes nothing."
    );
    // CAP_CHOWN; a program of which nothing is known; an entry script that mounts something.
    assert_eq!(used(0, Phase::Serving, facets()), Judgement::NotJudged);
    assert_eq!(used(21, Phase::Serving, vec![]), Judgement::NotJudged);
    assert_eq!(used(21, Phase::Entrypoint, facets()), Judgement::NotJudged);
    // Somebody who came in mounts something; the runtime that brings him in does so too.
    let sessions = || vec![closed(Verb::Exec, Phase::Session), closed(Verb::Become, Phase::Probe)];
    let judgement = used(21, Phase::Session, sessions());
    assert_eq!(found(&judgement), [("capability-use", Priority::Error, Confidence::B)]);
    assert_eq!(used(21, Phase::Init, sessions()), Judgement::NotJudged);
    assert_eq!(used(21, Phase::Probe, sessions()), Judgement::NotJudged);
    assert_eq!(telling_capabilities() & 1, 0);
    assert_ne!(telling_capabilities() & (1 << 21), 0);
}
