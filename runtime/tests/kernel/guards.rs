//! What the kernel decides by itself: expected writes are not told, and what must not be is refused, or its process is
//! killed before it goes on.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use plimsoll_model::ProcessKey;
use plimsoll_runtime::{
    enforce::{Mode, Paths, PeerRule, Policy, Tables, release},
    raw::{RawEvent, RawKind, Verdict},
};

use crate::watch::Watch;

/// A perl program that waits until it is told to go on.
struct Actor {
    child: Child,
    output: BufReader<ChildStdout>,
    key: ProcessKey,
    exec_id: u64,
}

impl Actor {
    fn start(watch: &mut Watch, folder: &Path, script: &str) -> Self {
        let script = format!("$| = 1; sub said {{ print join(' ', @_), \"\\n\" }} <STDIN>; {script}");
        let mut child = Command::new("/usr/bin/perl")
            .args(["-e", &script])
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let pid = child.id();
        let exec = watch.wait_for("the actor's exec", |event| {
            event.task.pid.cast_unsigned() == pid && matches!(event.kind, RawKind::Exec { .. })
        });
        Self {
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
            key: ProcessKey {
                pid: exec.task.pid,
                start_time_ns: exec.task.start_time_ns,
            },
            exec_id: exec.task.exec_id,
        }
    }

    fn go(&mut self) {
        self.child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    }

    /// What it prints in one line.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// What it printed, once it has ended.
    fn end(mut self) -> (String, std::process::ExitStatus) {
        let mut text = String::new();
        self.output.read_to_string(&mut text).unwrap();
        (text.trim_end().to_owned(), self.child.wait().unwrap())
    }
}

fn scratch() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = fs::canonicalize(&folder).unwrap();
    (folder, path)
}

fn below(folder: &Path) -> Paths {
    Paths::These(vec![format!("{}/**", folder.display()).as_str().into()])
}

fn enforcing() -> Policy {
    Policy {
        mode: Some(Mode::Enforce),
        ..Policy::default()
    }
}

/// Sets a policy, lets the actor act, and gives all that its family did and what it printed.
fn run(watch: &mut Watch, tables: &mut Tables, mut actor: Actor, policy: &Policy) -> (Vec<RawEvent>, String) {
    tables.set_process(actor.key, actor.exec_id, policy).unwrap();
    let pid = actor.key.pid;
    actor.go();
    let events = watch.collect_until(
        "the actor's exit",
        |event| event.task.pid == pid || event.task.parent_pid == pid,
        |event| event.task.pid == pid && matches!(event.kind, RawKind::Exit { .. }),
    );
    let (text, _) = actor.end();
    (events, text)
}

fn opened(events: &[RawEvent], folder: &Path) -> Vec<String> {
    let path = |kind: &RawKind| match kind {
        RawKind::Open { path, .. } => Path::new(path).strip_prefix(folder).ok()?.to_str().map(str::to_owned),
        _ => None,
    };
    events.iter().filter_map(|event| path(&event.kind)).collect()
}

fn verdicts(events: &[RawEvent]) -> Vec<(Verdict, &RawKind)> {
    let judged = events.iter().filter_map(|event| match &event.kind {
        RawKind::Judged { verdict, act } => Some((*verdict, &**act)),
        _ => None,
    });
    judged.collect()
}

#[test]
fn expected_writes_are_counted_and_not_told_and_no_trick_hides_another() {
    let Some((mut watch, mut tables)) = Watch::guarded(&[".ssh".to_owned()], false) else {
        return;
    };
    let (_keep, folder) = scratch();
    let script = r#"
        sub put { open(F, '>', $_[0]) or die $_[0]; close F }
        mkdir $_ for 'in', 'out', 'in/deep', 'in/.ssh', 'inner';
        put('in/1'); put('in/deep/2'); put('./in/./3'); put('out/../in/4');
        put('out/a'); put('in/../out/b'); put('inner/c'); put('in/.ssh/d');
        symlink('../out/target', 'in/link'); put('in/link');
        symlink('in', 'way'); put('way/5');
        link('out/a', 'in/hard'); put('in/hard');
        if (!fork()) { put('in/6'); put('out/child'); exit } wait;
        exec('/bin/sh', '-c', 'echo x > in/told; echo x > out/last')"#;
    let actor = Actor::start(&mut watch, &folder, script);
    let policy = Policy {
        expected_writes: below(&folder.join("in")),
        ..Policy::default()
    };
    let (events, _) = run(&mut watch, &mut tables, actor, &policy);
    // A hard link is the name by which it was opened; the exec ends what was expected of perl.
    let told = [
        "out/a",
        "out/b",
        "inner/c",
        "in/.ssh/d",
        "out/target",
        "out/child",
        "in/told",
        "out/last",
    ];
    assert_eq!(opened(&events, &folder), told);
    assert_eq!(tables.tallies().unwrap().expected_writes, 7);
    assert_eq!(watch.lost(), 0);
}

#[test]
fn a_policy_for_another_program_hides_nothing() {
    let Some((mut watch, mut tables)) = Watch::guarded(&[], false) else {
        return;
    };
    let (_keep, folder) = scratch();
    let mut actor = Actor::start(&mut watch, &folder, "open(F, '>', 'file')");
    actor.exec_id += 1;
    let policy = Policy {
        expected_writes: Paths::Everything,
        ..Policy::default()
    };
    let (events, _) = run(&mut watch, &mut tables, actor, &policy);
    assert_eq!(opened(&events, &folder), ["file"]);
}

#[test]
fn an_exec_that_must_not_be_does_nothing() {
    for mode in Mode::ALL {
        let Some((mut watch, mut tables)) = Watch::guarded(&[], false) else {
            return;
        };
        let (_keep, folder) = scratch();
        let script = r#"
            if (!fork()) { exec('/bin/sh', '-c', 'echo x > made'); said('errno', $! + 0); exit 3 }
            wait; said('status', $?);
            if (!fork()) { exec('/bin/true') } wait; said('allowed', $?)"#;
        let actor = Actor::start(&mut watch, &folder, script);
        let policy = Policy {
            mode: Some(mode),
            refused_execs: Paths::Everything,
            allowed_execs: Paths::These(vec!["/usr/bin/true".into(), "/bin/true".into()]),
            ..Policy::default()
        };
        let can_refuse = watch.plan().can_refuse;
        let (events, text) = run(&mut watch, &mut tables, actor, &policy);
        let said: Vec<(Verdict, String)> = verdicts(&events)
            .into_iter()
            .map(|(verdict, act)| match act {
                RawKind::Exec { exe, .. } => (verdict, exe.clone()),
                other => panic!("{other:?}"),
            })
            .collect();
        let shell = fs::canonicalize("/bin/sh").unwrap().to_str().unwrap().to_owned();
        let (expected, output) = match (mode, can_refuse) {
            (Mode::Observe, _) => (vec![], "status 0\nallowed 0"),
            (Mode::Alert, _) => (vec![(Verdict::WouldRefuse, shell)], "status 0\nallowed 0"),
            (Mode::Enforce, true) => (vec![(Verdict::Refused, shell)], "errno 1\nstatus 768\nallowed 0"),
            (Mode::Enforce, false) => (vec![(Verdict::Signalled, shell)], "status 9\nallowed 0"),
        };
        assert_eq!((said, text.as_str()), (expected, output), "{mode}");
        assert_eq!(folder.join("made").exists(), mode != Mode::Enforce, "{mode}");
        let tallies = tables.tallies().unwrap();
        let counted = (tallies.would_refuse, tallies.refused);
        assert_eq!(counted, if mode == Mode::Enforce { (0, 1) } else { (1, 0) }, "{mode}");
    }
}

#[test]
fn what_is_not_the_images_is_told_from_what_is() {
    let Some((mut watch, mut tables)) = Watch::guarded(&[], false) else {
        return;
    };
    let (_keep, folder) = scratch();
    // Deleted before it runs, as a dropper does.
    let script = r#"
        system('/bin/cp', '/bin/true', 'dropped'); open(F, '<', 'dropped'); unlink('dropped');
        if (!fork()) { exec('/proc/self/fd/' . fileno(F)); exit 3 } wait; said($? == 0 ? 'ran' : 'did not run');
        said(system('/bin/true'))"#;
    let script = format!("$^F = 99; {script}");
    let actor = Actor::start(&mut watch, &folder, &script);
    let policy = Policy {
        drift: Some(Paths::Nothing),
        ..enforcing()
    };
    let (events, text) = run(&mut watch, &mut tables, actor, &policy);
    assert_eq!(text, "did not run\n0");
    assert_eq!(verdicts(&events).len(), 1);
}

#[test]
fn a_write_that_must_not_be_is_refused_whatever_its_way() {
    let Some((mut watch, mut tables)) = Watch::guarded(&[], false) else {
        return;
    };
    let (_keep, folder) = scratch();
    for name in ["bin", "data"] {
        fs::create_dir(folder.join(name)).unwrap();
    }
    fs::write(folder.join("bin/tool"), "old").unwrap();
    fs::write(folder.join("data/evil"), "evil").unwrap();
    let can_refuse = watch.plan().can_refuse;
    let script = r#"
        sub try { my ($what, $do) = @_; my $pid = fork();
            if (!$pid) { exit($do->() ? 0 : $! + 0) } waitpid($pid, 0); said($what, $?) }
        try('data', sub { open(F, '>', 'data/x') });
        try('open', sub { open(F, '>>', 'bin/tool') });
        try('dots', sub { open(F, '+<', 'data/../bin/tool') });
        symlink('../bin/tool', 'data/link'); try('link', sub { open(F, '>', 'data/link') });
        try('read', sub { open(F, '<', 'bin/tool') });
        if ($ENV{LSM}) {
            try('truncate', sub { truncate('bin/tool', 0) });
            try('unlink', sub { unlink('bin/tool') });
            try('over', sub { rename('data/evil', 'bin/tool') });
            try('beside', sub { rename('data/evil', 'bin/new') });
            try('hard', sub { link('data/evil', 'bin/hard') });
            try('soft', sub { symlink('../data/evil', 'bin/soft') });
        }"#;
    let script = format!("$ENV{{LSM}} = {}; {script}", u8::from(can_refuse));
    let actor = Actor::start(&mut watch, &folder, &script);
    let policy = Policy {
        refused_writes: below(&folder.join("bin")),
        ..enforcing()
    };
    let (events, text) = run(&mut watch, &mut tables, actor, &policy);
    let refused = if can_refuse { 256 } else { 9 };
    let mut expected = format!("data 0\nopen {refused}\ndots {refused}\nlink {refused}\nread 0");
    if can_refuse {
        for way in ["truncate", "unlink", "over", "beside", "hard", "soft"] {
            expected.push_str(&format!("\n{way} {refused}"));
        }
    }
    assert_eq!(text, expected);
    let content = fs::read_to_string(folder.join("bin/tool")).unwrap();
    // Without a hook that refuses, the file has been emptied before the process dies; nothing is written.
    assert_eq!(content, if can_refuse { "old" } else { "" });
    let verdict = if can_refuse {
        Verdict::Refused
    } else {
        Verdict::Signalled
    };
    let told = verdicts(&events);
    assert!(
        told.iter()
            .all(|(said, act)| *said == verdict && matches!(act, RawKind::Open { .. })),
        "{told:?}"
    );
    assert_eq!(told.len(), if can_refuse { 9 } else { 3 });
}

#[test]
fn a_connection_to_others_is_refused() {
    let Some((mut watch, mut tables)) = Watch::guarded(&[], false) else {
        return;
    };
    let allowed = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let ports = [&allowed, &other].map(|listener| listener.local_addr().unwrap().port());
    let script = format!(
        "for my $port ({}, {}) {{ socket(S, 2, 1, 6); said(connect(S, pack('S n C4 x8', 2, $port, 127, 0, 0, 1)) ? 0 : $! + 0) }}
         socket(U, 2, 2, 17); said(send(U, 'x', 0, pack('S n C4 x8', 2, 53, 192, 0, 2, 1)) ? 0 : $! + 0)",
        ports[0], ports[1]
    );
    let (_keep, folder) = scratch();
    let actor = Actor::start(&mut watch, &folder, &script);
    let policy = Policy {
        peers: Some(vec![PeerRule {
            scopes: 1,
            transports: 3,
            first: ports[0],
            last: ports[0],
        }]),
        ..enforcing()
    };
    let (events, text) = run(&mut watch, &mut tables, actor, &policy);
    assert_eq!(text, "0\n1\n1");
    let told = verdicts(&events);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told.iter()
            .all(|(verdict, act)| *verdict == Verdict::Refused && matches!(act, RawKind::Connect { .. })),
        "{told:?}"
    );
}

#[test]
fn refusals_outlive_the_sensors_when_asked_and_only_then() {
    let script = "do { said(system('/bin/true') == 0 ? 'ran' : 'refused') } while (<STDIN>)";
    for outlives in [false, true] {
        let Some((mut watch, mut tables)) = Watch::guarded(&[], false) else {
            return;
        };
        if !watch.plan().can_refuse {
            eprintln!("SKIPPED: without BPF LSM nothing is refused");
            return;
        }
        drop((watch, tables));
        (watch, tables) = Watch::guarded(&[], outlives).unwrap();
        let (_keep, folder) = scratch();
        let mut actor = Actor::start(&mut watch, &folder, script);
        let policy = Policy {
            refused_execs: Paths::Everything,
            ..enforcing()
        };
        tables.set_process(actor.key, actor.exec_id, &policy).unwrap();
        actor.go();
        assert_eq!(actor.line(), "refused");
        drop((watch, tables));
        actor.go();
        assert_eq!(
            actor.line(),
            if outlives { "refused" } else { "ran" },
            "outlives: {outlives}"
        );
        assert_eq!(release() > 0, outlives);
        // The kernel takes a link off some time after its file is gone.
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            actor.go();
            if actor.line() == "ran" {
                break;
            }
            assert!(Instant::now() < deadline, "still refused");
        }
        drop(actor.child.stdin.take());
        assert!(actor.end().1.success());
    }
}
