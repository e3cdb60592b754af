//! Tables: one event, one profile, the judgement that DESIGN §4 asks for.

use std::sync::Arc;

use plimsoll_model::{Denial, ExeFile, Facet, FacetState, FileAccess, FileEntry, FileKind, Profile, Program, schema};
use plimsoll_rules::Priority;

use super::*;
use crate::program::tests::{child_of, process};

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

fn evidence(detail: &str) -> Vec<Evidence> {
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

fn files(paths: &[&str]) -> KnownFiles {
    let entries: Vec<FileEntry> = paths
        .iter()
        .map(|path| FileEntry {
            path: (*path).to_owned(),
            kind: FileKind::Regular,
            mode: 0o755,
            uid: 0,
            gid: 0,
            size_bytes: 1,
            digest: None,
            layer: 0,
            link_target: None,
            elf: None,
            shebang: None,
            has_capabilities: false,
            package: None,
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
    match judge(&CompiledProfile::new(profile), event, Context { files, entry }) {
        Judgement::Expected => "expected",
        Judgement::NotJudged => "open",
        Judgement::Deviates(deviations) => deviations[0].kind.as_str(),
    }
}

const REDIS: &str = "/usr/bin/redis-server";
const DASH: &str = "/usr/bin/dash";

#[test]
fn facts_win_over_denials_win_over_facets() {
    use Phase::{Entrypoint, Serving, Session};
    let dash = || Action::Exec(program(DASH));
    let known = files(&[REDIS, DASH]);
    let with_parent = Fact {
        parent: Some("/usr/bin/pg_ctl".to_owned()),
        ..fact(Some(REDIS), dash(), &[])
    };
    type Row = (Vec<Fact>, Vec<Denial>, Vec<Facet>, Phase, &'static str);
    let table: Vec<Row> = vec![
        (vec![], vec![], vec![], Serving, "open"),
        (
            vec![],
            vec![],
            vec![closed(Verb::Exec, Serving)],
            Serving,
            "unexpected-exec",
        ),
        (vec![], vec![], vec![closed(Verb::Exec, Serving)], Entrypoint, "open"),
        (
            vec![],
            vec![denial(REDIS, Verb::Exec, None, &[])],
            vec![],
            Serving,
            "unexpected-exec",
        ),
        (
            vec![],
            vec![denial(REDIS, Verb::Exec, None, &[Entrypoint])],
            vec![],
            Serving,
            "open",
        ),
        (
            vec![],
            vec![denial(REDIS, Verb::Connect, None, &[])],
            vec![],
            Serving,
            "open",
        ),
        (
            vec![],
            vec![denial(DASH, Verb::Exec, None, &[])],
            vec![],
            Serving,
            "open",
        ),
        (
            vec![],
            vec![denial(REDIS, Verb::Exec, Some("/usr/bin/d*"), &[])],
            vec![],
            Serving,
            "unexpected-exec",
        ),
        (
            vec![],
            vec![denial(REDIS, Verb::Exec, Some("/usr/bin/x*"), &[])],
            vec![],
            Serving,
            "open",
        ),
        (
            vec![fact(None, dash(), &[])],
            vec![denial(REDIS, Verb::Exec, None, &[])],
            vec![],
            Serving,
            "expected",
        ),
        (
            vec![fact(Some(REDIS), dash(), &[Entrypoint])],
            vec![],
            vec![closed(Verb::Exec, Serving)],
            Serving,
            "unexpected-exec",
        ),
        (
            vec![fact(Some(REDIS), dash(), &[Entrypoint])],
            vec![],
            vec![closed(Verb::Exec, Serving)],
            Entrypoint,
            "expected",
        ),
        (
            vec![fact(Some(DASH), dash(), &[])],
            vec![],
            vec![closed(Verb::Exec, Serving)],
            Serving,
            "unexpected-exec",
        ),
        // Facts without phases speak of every phase but sessions.
        (
            vec![fact(None, dash(), &[])],
            vec![],
            vec![closed(Verb::Exec, Session)],
            Session,
            "session",
        ),
        (
            vec![fact(None, dash(), &[Session])],
            vec![],
            vec![closed(Verb::Exec, Session)],
            Session,
            "expected",
        ),
        (
            vec![with_parent],
            vec![],
            vec![closed(Verb::Exec, Serving)],
            Serving,
            "unexpected-exec",
        ),
        (
            vec![],
            vec![],
            vec![closed(Verb::Exec, Phase::Init)],
            Phase::Init,
            "open",
        ),
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

fn socket(text: &str) -> SocketAddress {
    let address: std::net::SocketAddr = text.parse().unwrap();
    SocketAddress {
        ip: address.ip(),
        port: address.port(),
    }
}

#[test]
fn judges_peers_by_distance_and_port() {
    let to = |scope, port: Option<u16>| {
        Action::Connect(Peer {
            scope,
            port: port.map(|port| one_port(Transport::Tcp, port)),
        })
    };
    for (allowed, address, transport, expected) in [
        (
            to(PeerScope::Private, Some(5432)),
            "10.0.0.5:5432",
            Transport::Tcp,
            "expected",
        ),
        (
            to(PeerScope::Private, Some(5432)),
            "10.0.0.5:5432",
            Transport::Udp,
            "expected",
        ),
        (
            to(PeerScope::Private, Some(5432)),
            "10.0.0.5:5433",
            Transport::Tcp,
            "unexpected-connect",
        ),
        (
            to(PeerScope::Private, Some(5432)),
            "8.8.8.8:5432",
            Transport::Tcp,
            "unexpected-connect",
        ),
        (to(PeerScope::Any, None), "8.8.8.8:5432", Transport::Tcp, "expected"),
        (to(PeerScope::Loopback, None), "[::1]:1", Transport::Tcp, "expected"),
        (to(PeerScope::Loopback, None), "10.0.0.1:0", Transport::Udp, "open"),
        (to(PeerScope::Any, Some(1)), "[::]:5432", Transport::Udp, "open"),
        (
            to(PeerScope::Any, Some(1)),
            "[::]:5432",
            Transport::Tcp,
            "unexpected-connect",
        ),
    ] {
        let profile = Profile {
            facts: vec![fact(Some(REDIS), allowed, &[])],
            facets: vec![closed(Verb::Connect, Phase::Serving)],
            ..profile()
        };
        let kind = EventKind::Connect {
            address: socket(address),
            transport,
            error: 0,
        };
        let event = event(process(REDIS, &[REDIS]), Phase::Serving, kind);
        assert_eq!(
            verdict(profile, &KnownFiles::default(), &event, Entry::Inside),
            expected,
            "{address}"
        );
    }
}

#[test]
fn judges_ports_when_they_are_served() {
    let (tcp, udp) = (Transport::Tcp, Transport::Udp);
    let bind = |address, transport| EventKind::Bind {
        address: socket(address),
        transport,
    };
    let listen = |address, transport| EventKind::Listen {
        address: socket(address),
        transport,
    };
    for (kind, expected) in [
        (listen("0.0.0.0:6379", tcp), "expected"),
        (listen("[::]:6379", tcp), "expected"),
        (listen("0.0.0.0:4444", tcp), "unexpected-listen"),
        (bind("0.0.0.0:4444", tcp), "open"),
        (bind("0.0.0.0:6379", udp), "unexpected-listen"),
        (bind("0.0.0.0:0", udp), "open"),
    ] {
        let profile = Profile {
            facts: vec![fact(Some(REDIS), Action::Listen(one_port(tcp, 6379)), &[])],
            facets: vec![closed(Verb::Listen, Phase::Serving)],
            ..profile()
        };
        let event = event(process(REDIS, &[REDIS]), Phase::Serving, kind.clone());
        assert_eq!(
            verdict(profile, &KnownFiles::default(), &event, Entry::Inside),
            expected,
            "{kind:?}"
        );
    }
}

#[test]
fn judges_writes_by_path_and_guards_programs() {
    use Phase::{Entrypoint, Serving};
    let known = files(&[REDIS, "/opt/app/run"]);
    for (path, access, facet, phase, expected) in [
        ("/data/dump.rdb", FileAccess::Write, true, Serving, "expected"),
        ("/etc/cron.d/x", FileAccess::Write, true, Serving, "unexpected-write"),
        (
            "/etc/cron.d/x",
            FileAccess::ReadWrite,
            true,
            Serving,
            "unexpected-write",
        ),
        ("/etc/cron.d/x", FileAccess::Read, true, Serving, "open"),
        ("/etc/cron.d/x", FileAccess::Write, false, Serving, "open"),
        (
            "/usr/bin/evil",
            FileAccess::Write,
            false,
            Serving,
            "write-to-executable-path",
        ),
        (
            "/usr/bin/redis-server",
            FileAccess::Write,
            false,
            Serving,
            "write-to-executable-path",
        ),
        (
            "/opt/app/run",
            FileAccess::Write,
            false,
            Serving,
            "write-to-executable-path",
        ),
        ("/opt/app/data", FileAccess::Write, false, Serving, "open"),
        ("/usr/bin/made", FileAccess::Write, false, Entrypoint, "open"),
        ("/dev/null", FileAccess::Write, true, Serving, "open"),
        ("pipe:[123]", FileAccess::Write, true, Serving, "open"),
    ] {
        let profile = Profile {
            facts: vec![fact(Some(REDIS), Action::Write("/data/**".into()), &[])],
            facets: facet.then(|| closed(Verb::Write, Serving)).into_iter().collect(),
            ..profile()
        };
        let kind = EventKind::Open {
            path: path.to_owned(),
            flags: 0,
            access,
            created: false,
            inode: 0,
            error: 0,
        };
        let event = event(process(REDIS, &[REDIS]), phase, kind);
        assert_eq!(verdict(profile, &known, &event, Entry::Inside), expected, "{path}");
    }
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
