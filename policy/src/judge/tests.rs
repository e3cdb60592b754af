//! Tables: one event, one profile, the judgement that DESIGN §4 asks for.

use std::sync::Arc;

use plimsoll_model::{Denial, ExeFile, Facet, FacetState, FileAccess, FileEntry, FileKind, Profile, Program, schema};
use plimsoll_rules::Priority;

use super::*;
use crate::program::tests::{child_of, process};

mod objects;

/// A profile that expects nothing and judges nothing.
pub(crate) fn profile() -> Profile {
    Profile {
        schema: schema::PROFILE.to_owned(),
        image: "redis:1".to_owned(),
        config_digest: "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
            .parse()
            .unwrap(),
        manifest_digest: None,
        main: Some(program("/usr/bin/redis-server")),
        entrypoint: Vec::new(),
        health_check: None,
        probes: Vec::new(),
        packs: Vec::new(),
        facts: Vec::new(),
        denials: Vec::new(),
        facets: Vec::new(),
    }
}

fn program(path: &str) -> Program {
    Program {
        path: path.into(),
        applet: None,
    }
}

pub(crate) fn evidence(detail: &str) -> Vec<Evidence> {
    vec![Evidence {
        source: EvidenceSource::Image,
        detail: detail.to_owned(),
    }]
}

fn fact(subject: Option<&str>, action: Action, phases: &[Phase]) -> Fact {
    Fact {
        subject: subject.map_or(Subject::Any, |path| Subject::Program(program(path))),
        action,
        phases: phases.to_vec(),
        parent: None,
        evidence: evidence("line 3 of the script"),
        confidence: Confidence::A,
    }
}

fn closed(verb: Verb, phase: Phase) -> Facet {
    Facet {
        verb,
        phase,
        state: FacetState::Closed,
        reason: "the pack lists all of it".to_owned(),
    }
}

fn denial(subject: &str, verb: Verb, object: Option<&str>, phases: &[Phase]) -> Denial {
    Denial {
        subject: Subject::Program(program(subject)),
        verb,
        object: object.map(PathPattern::from),
        phases: phases.to_vec(),
        evidence: evidence("imports no exec function"),
        confidence: Confidence::A,
    }
}

pub(crate) fn files(paths: &[&str]) -> KnownFiles {
    let entries: Vec<FileEntry> = paths
        .iter()
        .map(|path| FileEntry {
            size_bytes: 1,
            ..FileEntry::new(*path, FileKind::Regular, 0o755)
        })
        .collect();
    KnownFiles::new(&entries)
}

fn event(process: Process, phase: Phase, kind: EventKind) -> Event {
    Event {
        sequence: 1,
        time_ns: 1,
        cpu: 0,
        process: Arc::new(process),
        container: None,
        phase: Some(phase),
        kind,
    }
}

fn exec(from: &str, to: Process, phase: Phase) -> Event {
    let previous = Arc::new(process(from, &[from]));
    let filename = to.exe.clone();
    event(to, phase, EventKind::Exec { previous, filename })
}

/// Kind of the first deviation, `expected` or `open`.
fn verdict(profile: Profile, files: &KnownFiles, event: &Event, entry: Entry) -> &'static str {
    match judge(
        &CompiledProfile::new(profile),
        event,
        Context {
            files,
            entry,
            before: None,
        },
    ) {
        Judgement::Expected => "expected",
        Judgement::NotJudged => "open",
        Judgement::Deviates(deviations) => deviations[0].kind.as_str(),
    }
}

type Row = (Vec<Fact>, Vec<Denial>, Vec<Facet>, Phase, &'static str);

const REDIS: &str = "/usr/bin/redis-server";
const DASH: &str = "/usr/bin/dash";

#[test]
fn facts_win_over_denials_win_over_facets() {
    use Phase::{Entrypoint, Serving, Session};
    let known = files(&[REDIS, DASH]);
    let dash = |subject, phases: &[Phase]| vec![fact(subject, Action::Exec(program(DASH)), phases)];
    let deny = |subject, object, phases: &[Phase]| vec![denial(subject, Verb::Exec, object, phases)];
    let close = |phase| vec![closed(Verb::Exec, phase)];
    let no_connect = vec![denial(REDIS, Verb::Connect, None, &[])];
    let (f, d, c) = (Vec::new, Vec::new, Vec::new);
    let table: Vec<Row> = vec![
        (f(), d(), c(), Serving, "open"),
        (f(), d(), close(Serving), Serving, "unexpected-exec"),
        (f(), d(), close(Serving), Entrypoint, "open"),
        (f(), deny(REDIS, None, &[]), c(), Serving, "unexpected-exec"),
        (f(), deny(REDIS, None, &[Entrypoint]), c(), Serving, "open"),
        (f(), no_connect, c(), Serving, "open"),
        (f(), deny(DASH, None, &[]), c(), Serving, "open"),
        (
            f(),
            deny(REDIS, Some("/usr/bin/d*"), &[]),
            c(),
            Serving,
            "unexpected-exec",
        ),
        (f(), deny(REDIS, Some("/usr/bin/x*"), &[]), c(), Serving, "open"),
        (dash(None, &[]), deny(REDIS, None, &[]), c(), Serving, "expected"),
        (
            dash(Some(REDIS), &[Entrypoint]),
            d(),
            close(Serving),
            Serving,
            "unexpected-exec",
        ),
        (
            dash(Some(REDIS), &[Entrypoint]),
            d(),
            close(Serving),
            Entrypoint,
            "expected",
        ),
        (dash(Some(DASH), &[]), d(), close(Serving), Serving, "unexpected-exec"),
        // Facts without phases speak of every phase but sessions.
        (dash(None, &[]), d(), close(Session), Session, "session"),
        (dash(None, &[Session]), d(), close(Session), Session, "expected"),
        (f(), d(), close(Phase::Init), Phase::Init, "open"),
    ];
    for (row, (facts, denials, facets, phase, expected)) in table.into_iter().enumerate() {
        let profile = Profile {
            facts,
            denials,
            facets,
            ..profile()
        };
        let event = exec(REDIS, process(DASH, &["sh", "-c", "id"]), phase);
        assert_eq!(verdict(profile, &known, &event, Entry::Inside), expected, "row {row}");
    }
}

#[test]
fn a_fact_can_ask_who_started_its_subject() {
    let rule = Fact {
        parent: Some("/usr/bin/pg_ctl".to_owned()),
        ..fact(Some(DASH), Action::Exec(program("/usr/bin/postgres")), &[])
    };
    let judged = |parent: &str| {
        let parent = Arc::new(process(parent, &[parent]));
        let shell = Arc::new(child_of(&parent, DASH, &["sh", "-c", "postgres"]));
        let profile = Profile {
            facts: vec![rule.clone()],
            facets: vec![closed(Verb::Exec, Phase::Entrypoint)],
            ..profile()
        };
        let started = event(
            child_of(&parent, "/usr/bin/postgres", &["postgres"]),
            Phase::Entrypoint,
            EventKind::Exec {
                previous: shell,
                filename: "/usr/bin/postgres".to_owned(),
            },
        );
        verdict(profile, &KnownFiles::default(), &started, Entry::Inside)
    };
    assert_eq!(judged("/usr/bin/pg_ctl"), "expected");
    assert_eq!(judged("/usr/bin/bash"), "unexpected-exec");
}

#[test]
fn a_file_that_is_not_the_images_is_a_deviation_even_where_the_facet_is_open() {
    let known = files(&[REDIS, DASH, "/usr/local/bin/entry.sh"]);
    let upper = ExeFile {
        is_upper_layer: true,
        ..ExeFile::default()
    };
    let memory = ExeFile {
        is_memfd: true,
        ..ExeFile::default()
    };
    let deleted = ExeFile {
        is_deleted: true,
        ..ExeFile::default()
    };
    for (exe, args, filename, file, expected) in [
        (DASH, &["sh"][..], DASH, ExeFile::default(), "open"),
        ("/bin/dash", &["sh"], "/bin/sh", ExeFile::default(), "open"),
        (DASH, &["sh"], DASH, upper, "exec-modified"),
        ("/tmp/evil", &["evil"], "/tmp/evil", upper, "exec-not-in-image"),
        (
            "/mnt/tool",
            &["tool"],
            "/mnt/tool",
            ExeFile::default(),
            "exec-not-in-image",
        ),
        ("/memfd:x", &["x"], "/proc/self/fd/3", memory, "exec-fileless"),
        ("/tmp/gone", &["gone"], "/proc/self/fd/3", deleted, "exec-fileless"),
        (
            DASH,
            &["sh", "/usr/local/bin/entry.sh"],
            "/usr/local/bin/entry.sh",
            ExeFile::default(),
            "open",
        ),
        (
            DASH,
            &["sh", "/tmp/x.sh"],
            "/tmp/x.sh",
            ExeFile::default(),
            "script-not-in-image",
        ),
        // Told to an interpreter by name: a file without a first line is in no list of scripts.
        (DASH, &["sh", "/tmp/x.sh"], DASH, ExeFile::default(), "open"),
    ] {
        let started = Process {
            exe_file: file,
            ..process(exe, args)
        };
        let previous = Arc::new(process(REDIS, &[REDIS]));
        let event = event(
            started,
            Phase::Serving,
            EventKind::Exec {
                previous,
                filename: filename.to_owned(),
            },
        );
        assert_eq!(
            verdict(profile(), &known, &event, Entry::Inside),
            expected,
            "{exe} {args:?}"
        );
    }
}

#[test]
fn only_a_persons_word_lets_a_foreign_file_run() {
    let started = || Process {
        exe_file: ExeFile {
            is_upper_layer: true,
            ..ExeFile::default()
        },
        ..process("/data/plugin", &["plugin"])
    };
    for (source, expected) in [
        (EvidenceSource::User, "expected"),
        (EvidenceSource::Pod, "expected"),
        (EvidenceSource::Image, "exec-not-in-image"),
        (EvidenceSource::Observed, "exec-not-in-image"),
    ] {
        let mut allowed = fact(None, Action::Exec(program("/data/plugin")), &[]);
        allowed.evidence[0].source = source;
        let profile = Profile {
            facts: vec![allowed],
            ..profile()
        };
        let event = exec(REDIS, started(), Phase::Serving);
        assert_eq!(
            verdict(profile, &files(&[REDIS]), &event, Entry::Inside),
            expected,
            "{source:?}"
        );
    }
}

#[test]
fn a_command_that_is_not_the_images_own_is_not_held_against_its_entrypoint() {
    const ENTRY: &str = "/entry.sh";
    let first = |exe: &str, args: &[&str]| {
        Arc::new(Process {
            container_pid: 1,
            ..process(exe, args)
        })
    };
    let judged = |subject: &Arc<Process>, to: Process| {
        let entry = Program {
            path: DASH.into(),
            applet: Some(Applet::Script(ENTRY.to_owned())),
        };
        let profile = Profile {
            entrypoint: vec![entry],
            facets: vec![closed(Verb::Exec, Phase::Entrypoint)],
            ..profile()
        };
        let kind = EventKind::Exec {
            previous: Arc::clone(subject),
            filename: to.exe.clone(),
        };
        let known = files(&[DASH, REDIS, "/usr/bin/id"]);
        verdict(profile, &known, &event(to, Phase::Entrypoint, kind), Entry::Inside)
    };
    // The entry script hands the command on; so does a program that waits for its child.
    let script = first(DASH, &["/bin/sh", ENTRY, "sh", "-c", "id"]);
    assert_eq!(judged(&script, process(DASH, &["sh", "-c", "id"])), "open");
    let given = Arc::new(child_of(&script, DASH, &["sh", "-c", "id"]));
    assert_eq!(judged(&given, child_of(&given, "/usr/bin/id", &["id"])), "open");
    // The script runs something of its own accord.
    assert_eq!(
        judged(&script, child_of(&script, DASH, &["sh", "-c", "curl"])),
        "unexpected-exec"
    );
    let other = Arc::new(child_of(&script, DASH, &["sh", "-c", "curl"]));
    assert_eq!(
        judged(&other, child_of(&other, "/usr/bin/id", &["id"])),
        "unexpected-exec"
    );
    // The entrypoint was replaced.
    let replaced = first(DASH, &["sh", "-c", "id"]);
    assert_eq!(judged(&replaced, child_of(&replaced, "/usr/bin/id", &["id"])), "open");
    // What the image does not hold is told all the same, and so is what the main program starts.
    assert_eq!(
        judged(&replaced, child_of(&replaced, "/tmp/x", &["/tmp/x"])),
        "exec-not-in-image"
    );
    let server = first(REDIS, &["redis-server"]);
    assert_eq!(judged(&server, child_of(&server, DASH, &["sh"])), "unexpected-exec");
}

#[test]
fn coming_in_from_outside_is_a_session_unless_it_is_the_health_check() {
    let known = files(&[DASH]);
    let judged = |phase, entry| {
        let facets = vec![
            closed(Verb::Exec, Phase::Session),
            closed(Verb::Exec, Phase::Probe),
            closed(Verb::Exec, Phase::Entrypoint),
        ];
        let event = exec("/usr/bin/runc", process(DASH, &["sh"]), phase);
        verdict(Profile { facets, ..profile() }, &known, &event, entry)
    };
    assert_eq!(judged(Phase::Session, Entry::Outside), "session");
    assert_eq!(judged(Phase::Session, Entry::Inside), "session");
    assert_eq!(judged(Phase::Probe, Entry::Outside), "expected");
    assert_eq!(judged(Phase::Probe, Entry::Inside), "unexpected-exec");
    assert_eq!(judged(Phase::Entrypoint, Entry::First), "open");
}

#[test]
fn a_deviation_names_phase_subject_expectation_and_evidence() {
    let profile = Profile {
        denials: vec![denial(REDIS, Verb::Exec, None, &[Phase::Serving])],
        ..profile()
    };
    let event = exec(REDIS, process(DASH, &["sh", "-c", "id"]), Phase::Serving);
    let context = Context {
        files: &files(&[REDIS, DASH]),
        entry: Entry::Inside,
        before: None,
    };
    let Judgement::Deviates(deviations) = judge(&CompiledProfile::new(profile), &event, context) else {
        panic!("must deviate");
    };
    let [deviation] = &deviations[..] else {
        panic!("one cause, one deviation")
    };
    assert_eq!(
        deviation.explanation,
        "redis-server started /usr/bin/dash (sh -c id) while serving. Its profile rules that out: imports no exec function."
    );
    assert_eq!(deviation.expected[0].text, "redis-server starts nothing while serving");
    assert_eq!(deviation.expected[0].evidence, evidence("imports no exec function"));
    assert_eq!(
        (deviation.priority, deviation.confidence),
        (Priority::Critical, Confidence::A)
    );
    let allow = deviation.allow.clone().unwrap();
    assert_eq!(allow.phases, [Phase::Serving]);
    // What it suggests does allow it.
    let profile = Profile {
        denials: vec![denial(REDIS, Verb::Exec, None, &[Phase::Serving])],
        facts: vec![allow],
        ..super::tests::profile()
    };
    assert_eq!(
        verdict(profile, &files(&[REDIS, DASH]), &event, Entry::Inside),
        "expected"
    );
}
