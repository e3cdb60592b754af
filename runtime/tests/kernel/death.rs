//! An agent that is killed: what it refused stays refused when that was asked for, and only then.

use std::{
    io::{BufRead, BufReader, Read as _, Write as _},
    net::TcpListener,
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use plimsoll_model::ProcessKey;
use plimsoll_runtime::{
    enforce::{Mode, Policy, release},
    raw::{RawKind, Verdict},
};

use crate::watch::{Watch, run};

/// Whom the process that holds the sensors is to refuse connections, and whether that stays: `PID true`.
const HOLD: &str = "PLIMSOLL_TEST_HOLD";

/// Set in a test run that has a BPF file system of its own.
const MOUNTED: &str = "PLIMSOLL_TEST_BPF_MOUNTED";

/// Where nobody mounted a BPF file system, what would be pinned there has no place: then the test is run again, below a
/// private mount. Whether that was done.
fn runs_below_a_private_mount(test: &str) -> bool {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    if mounts.lines().any(|line| line.split(' ').nth(1) == Some("/sys/fs/bpf")) || std::env::var_os(MOUNTED).is_some() {
        return false;
    }
    let script = r#"mount -t bpf none /sys/fs/bpf && exec "$0" --exact "$1" --nocapture"#;
    run(Command::new("unshare")
        .args(["-m", "/bin/sh", "-c", script])
        .arg(std::env::current_exe().unwrap())
        .arg(test)
        .env(MOUNTED, "1"));
    true
}

/// A process that does one thing for each line that it is given, and answers in one line.
struct Asked {
    child: Child,
    answers: BufReader<ChildStdout>,
}

impl Asked {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self { child, answers }
    }

    fn ask(&mut self) -> String {
        self.child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
        self.answer()
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Reads on until a line ends in `word`; `false` when there is none.
    fn says(&mut self, word: &str) -> bool {
        let lines = self.answers.by_ref().lines().map_while(Result::ok);
        lines.take(1_000).any(|line| line.ends_with(word))
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// No test of its own: the process that the next test kills.
#[test]
fn holds_what_it_was_told_to() {
    let Ok(told) = std::env::var(HOLD) else { return };
    let (pid, outlives) = told.split_once(' ').unwrap();
    let pid: i32 = pid.parse().unwrap();
    let Some((mut watch, mut tables)) = Watch::guarded(&[], outlives == "true") else {
        println!("skipped");
        return;
    };
    let task = watch.snapshot().into_iter().find(|process| process.task.pid == pid);
    let task = task.unwrap().task;
    let key = ProcessKey {
        pid,
        start_time_ns: task.start_time_ns,
    };
    let policy = Policy {
        mode: Some(Mode::Enforce),
        peers: Some(Vec::new()),
        ..Policy::default()
    };
    tables.set_process(key, task.exec_id, &policy).unwrap();
    println!("holding");
    watch.wait_for("the refusal", |event| {
        event.task.pid == pid
            && matches!(&event.kind, RawKind::Judged { verdict: Verdict::Refused, act } if matches!(**act, RawKind::Connect { .. }))
    });
    println!("told");
    // Its input ends when the test does, if that does not kill it before.
    let _ = std::io::stdin().read(&mut [0; 1]);
}

#[test]
fn refusals_outlive_a_killed_agent_when_asked_and_only_then() {
    if runs_below_a_private_mount("death::refusals_outlive_a_killed_agent_when_asked_and_only_then") {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let script = format!(
        "$| = 1; while (<STDIN>) {{ socket(S, 2, 1, 6);
         print connect(S, pack('S n C4 x8', 2, {}, 127, 0, 0, 1)) ? 'made' : 'refused', \"\\n\"; close S }}",
        listener.local_addr().unwrap().port()
    );
    for outlives in [false, true] {
        let mut actor = Asked::start(Command::new("/usr/bin/perl").args(["-e", &script]));
        assert_eq!(actor.ask(), "made");
        let mut holder = Asked::start(
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "death::holds_what_it_was_told_to", "--nocapture"])
                .env(HOLD, format!("{} {outlives}", actor.child.id())),
        );
        if !holder.says("holding") {
            let is_required = std::env::var_os("PLIMSOLL_REQUIRE_SENSORS").is_some();
            assert!(!is_required, "nothing was refused where the test run requires it");
            eprintln!("SKIPPED: refusals cannot be kept on this machine (outlives: {outlives})");
            return;
        }
        assert_eq!(actor.ask(), "refused");
        assert!(holder.says("told"), "the refusal was not told");
        // SIGKILL: nothing of it runs any more.
        holder.child.kill().unwrap();
        holder.child.wait().unwrap();
        if outlives {
            for _ in 0..20 {
                assert_eq!(actor.ask(), "refused");
            }
            assert!(release() > 0);
        }
        // The kernel takes a link off some time after the last that held it is gone.
        let deadline = Instant::now() + Duration::from_secs(20);
        while actor.ask() != "made" {
            assert!(Instant::now() < deadline, "still refused (outlives: {outlives})");
        }
    }
}
