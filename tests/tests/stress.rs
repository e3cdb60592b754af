//! A real agent under storms: what was done is what it tells and what it says that it lost. Nothing hangs, and its memory
//! stays bounded.
//!
//! `PLIMSOLL_STRESS=full` takes 500,000 opens, a deeper fork bomb and 1,000 containers instead of a tenth of that.

#![allow(clippy::unwrap_used)]

use std::{
    collections::HashMap,
    fs,
    path::Path,
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
};

use plimsoll_model::Alert;
use plimsoll_tests::{agent::Agent, engine, stage::Stage};

/// A stressed agent may not need more memory than this.
const MAX_PEAK_KIB: u64 = 400 << 10;

fn is_full() -> bool {
    std::env::var_os("PLIMSOLL_STRESS").is_some_and(|size| size == "full")
}

/// Every agent sees every storm: one at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// A stage that has the machine to itself; `None` where this machine allows no such test.
fn alone(test: &str, tools: &[&str]) -> Option<(Stage, MutexGuard<'static, ()>)> {
    let stage = Stage::new(test, tools)?;
    // Another test's failure is its own.
    Some((stage, ALONE.lock().unwrap_or_else(PoisonError::into_inner)))
}

/// An agent with one rule, `storm`.
fn start_agent(stage: &Stage, condition: &str) -> Agent {
    let rules = stage.path().join("rules.yaml");
    let text = format!(
        "- rule: storm\n  desc: d\n  condition: {condition}\n  output: \"%proc.cmdline\"\n  priority: WARNING\n"
    );
    fs::write(&rules, text).unwrap();
    Agent::with_rules(stage, &rules, &["--updates"]).unwrap()
}

/// A static program that does nothing, under a name of this test.
fn mark(stage: &Stage) -> String {
    let path = stage.path().join("bin/mark");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    stage.static_program(&path);
    path.display().to_string()
}

/// What an agent said until its end.
#[derive(Debug, Default)]
struct End {
    /// Events that alerts of `storm` stand for. What others do on this machine meanwhile is no part of it.
    told: u64,
    containers: u64,
    unidentified: u64,
    /// Events lost anywhere.
    lost: u64,
    notices_of_loss: usize,
}

impl End {
    fn of(alerts: &[Alert], talk: &[String]) -> Self {
        let storm = alerts.iter().filter(|alert| alert.rule == "storm");
        // An alert that changed is written again: what was written last counts.
        let counts: HashMap<_, u64> = storm.map(|alert| (&alert.id, alert.count)).collect();
        let mut end = Self {
            told: counts.values().sum(),
            ..Self::default()
        };
        for line in talk {
            end.notices_of_loss += usize::from(line.starts_with("notice:") && line.contains("events were lost"));
            let Some(done) = line.strip_prefix("done: ") else {
                continue;
            };
            let numbers: Vec<u64> = done
                .split(|letter: char| !letter.is_ascii_digit())
                .filter_map(|digits| digits.parse().ok())
                .collect();
            match done {
                _ if done.contains("more events belong") => end.containers = numbers[3],
                _ if done.contains("events lost") || done.contains("not decoded") => end.lost += numbers[0],
                _ if done.contains("not identified") => end.unidentified = numbers[0],
                _ => {}
            }
        }
        end
    }

    /// Each of `count` events was told or counted as lost, and no loss was silent.
    fn must_account_for(&self, count: u64) {
        println!("{count} events happened: {self:?}");
        assert!(self.told <= count, "more was told than happened: {self:?}");
        assert!(self.told + self.lost >= count, "lost silently: {self:?}");
        assert_eq!(self.lost > 0, self.notices_of_loss > 0, "{self:?}");
    }
}

/// Two processes open files for writing as fast as they can.
fn open_files(folder: &Path, count: u64) {
    let script = "my $n = shift; for my $p (1..2) { next if fork();
        for my $i (1..$n/2) { open(F, '>', \"$p-\" . $i % 100); close(F) } exit } wait(); wait()";
    fs::create_dir_all(folder).unwrap();
    engine::run(
        Command::new("perl")
            .args(["-e", script, &count.to_string()])
            .current_dir(folder),
    )
    .unwrap();
}

#[test]
fn opens_are_told_or_counted() {
    let Some((stage, _alone)) = alone("opens", &["perl"]) else {
        return;
    };
    let files = stage.path().join("files");
    let agent = start_agent(
        &stage,
        &format!("evt.is_open_write=true and fd.name startswith {}/", files.display()),
    );
    let count = if is_full() { 500_000 } else { 50_000 };
    let since = std::time::Instant::now();
    open_files(&files, count);
    println!("{count} opens in {:?}", since.elapsed());
    let peak = agent.peak_kib().unwrap();
    let (alerts, talk) = agent.stop().unwrap();
    End::of(&alerts, &talk).must_account_for(count);
    assert!(peak < MAX_PEAK_KIB, "{peak} KiB");
}

#[test]
fn a_fork_bomb_is_told_or_counted() {
    let Some((stage, _alone)) = alone("fork bomb", &["gcc", "perl", "unshare"]) else {
        return;
    };
    let mark = mark(&stage);
    let agent = start_agent(&stage, &format!("evt.type=execve and proc.exepath={mark}"));
    let depth = if is_full() { 12 } else { 9 };
    // In a pid namespace of its own: it ends with its first process. Each process makes two more, then runs the mark.
    let script = "sub bomb { my $depth = shift; if ($depth) { for (1..2) { my $pid = fork(); die unless defined $pid;
        bomb($depth - 1) unless $pid } } while (wait() > 0) {} exec($ARGV[0]) } bomb($ARGV[1])";
    engine::run(
        Command::new("unshare")
            .args([
                "--pid",
                "--fork",
                "--mount-proc",
                "--kill-child",
                "perl",
                "-e",
                script,
                &mark,
            ])
            .arg(depth.to_string()),
    )
    .unwrap();
    let peak = agent.peak_kib().unwrap();
    let (alerts, talk) = agent.stop().unwrap();
    // 2^(depth+1) - 1 processes.
    End::of(&alerts, &talk).must_account_for((2 << depth) - 1);
    assert!(peak < MAX_PEAK_KIB, "{peak} KiB");
}

#[test]
fn an_agent_that_stood_still_says_what_it_missed() {
    let Some((stage, _alone)) = alone("standing still", &["perl", "gcc"]) else {
        return;
    };
    let (files, mark) = (stage.path().join("files"), mark(&stage));
    let agent = start_agent(
        &stage,
        &format!(
            "(evt.is_open_write=true and fd.name startswith {}/) or (evt.type=execve and proc.exepath={mark})",
            files.display()
        ),
    );
    agent.signal("STOP").unwrap();
    open_files(&files, 100_000);
    agent.signal("CONT").unwrap();
    agent
        .wait_for_talk("events were lost in the kernel's ring buffer")
        .unwrap();
    engine::run(&mut Command::new(&mark)).unwrap();
    let is_mark = |alert: &Alert| alert.process.as_ref().is_some_and(|process| process.exe == mark);
    let mut alerts = agent.alerts_until(is_mark).unwrap();
    let alert = alerts.last().unwrap().clone();
    let (rest, talk) = agent.stop().unwrap();
    alerts.extend(rest);
    let end = End::of(&alerts, &talk);
    assert!(end.lost > 0, "the ring buffer holds no 100,000 events: {end:?}");
    assert!(
        alert.lost_events > 0 && alert.lost_events <= end.lost,
        "{} of {}",
        alert.lost_events,
        end.lost
    );
    // The first notice was read above.
    assert!(
        end.told <= 100_001 && end.told + end.lost >= 100_001,
        "lost silently: {end:?}"
    );
}

#[test]
fn short_containers_are_told_or_counted() {
    let Some((stage, _alone)) = alone("short containers", &["runc", "gcc"]) else {
        return;
    };
    let bundle = stage.bundle("mark", &serde_json::json!({}));
    let agent = start_agent(
        &stage,
        "evt.type=execve and proc.exepath=/bin/mark and container.id != host",
    );
    let count = if is_full() { 1_000 } else { 30 };
    let prefix = format!("plimsoll-stress-{}", std::process::id());
    for number in 0..count {
        engine::run(
            Command::new("runc")
                .args(["run", &format!("{prefix}-{number}")])
                .current_dir(&bundle),
        )
        .unwrap();
    }
    let peak = agent.peak_kib().unwrap();
    let (alerts, talk) = agent.stop().unwrap();
    let end = End::of(&alerts, &talk);
    end.must_account_for(count);
    let ours = |alert: &&Alert| alert.container_id.as_deref().is_some_and(|id| id.starts_with(&prefix));
    let mut names: Vec<_> = alerts
        .iter()
        .filter(ours)
        .filter_map(|alert| alert.container_id.clone())
        .collect();
    names.sort_unstable();
    names.dedup();
    println!(
        "{} containers by name, {} not identified",
        names.len(),
        end.unidentified
    );
    assert!(names.len() as u64 + end.lost >= count, "{end:?}");
    assert!(
        end.unidentified <= end.lost,
        "what was told by name was identified: {end:?}"
    );
    assert!(end.containers + end.lost >= count, "{end:?}");
    assert!(peak < MAX_PEAK_KIB, "{peak} KiB");
}

#[test]
fn a_pid_that_is_used_again_is_another_process() {
    let Some((stage, _alone)) = alone("pid reuse", &["gcc", "sh"]) else {
        return;
    };
    let mark = mark(&stage);
    let agent = start_agent(&stage, &format!("evt.type=execve and proc.exepath={mark}"));
    let first = Command::new(&mark).arg("first").spawn().and_then(|mut child| {
        child.wait()?;
        Ok(child.id())
    });
    let pid = first.unwrap();
    // The kernel is told which number to give next; on a busy machine somebody else may get it.
    let script = "[ $$ = $1 ] && exec $2 second; exit 0";
    let reused = (0..2_000).any(|_| {
        fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string()).unwrap();
        let mut child = Command::new("sh")
            .args(["-c", script, "sh", &pid.to_string(), &mark])
            .spawn()
            .unwrap();
        child.wait().unwrap();
        child.id() == pid
    });
    assert!(reused, "pid {pid} was never given again");
    let (alerts, talk) = agent.stop().unwrap();
    let mut told: Vec<(u32, String)> = Vec::new();
    for alert in &alerts {
        let process = alert.process.as_ref().unwrap();
        told.push((process.pid.cast_unsigned(), process.command_line.clone()));
    }
    let expected = ["first", "second"].map(|word| (pid, format!("{mark} {word}")));
    assert_eq!(told, expected, "{talk:?}");
    let second = alerts.last().unwrap();
    assert_eq!(
        second.ancestry[0].exe,
        std::env::current_exe().unwrap().display().to_string(),
        "{second:?}"
    );
    assert_ne!(alerts[0].id, second.id);
}
