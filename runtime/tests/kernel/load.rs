//! Under load nothing is lost silently: what was done is what arrived and what was counted as lost.

use std::process::Command;

use plimsoll_model::LossReason;
use plimsoll_runtime::raw::{RawEvent, RawKind};

use crate::watch::Watch;

fn lost(events: &[RawEvent]) -> u64 {
    let counts = events.iter().filter_map(|event| match event.kind {
        RawKind::Lost { count, reason } => {
            assert_ne!(reason, LossReason::Decode, "our own layout");
            Some(count)
        }
        _ => None,
    });
    counts.sum()
}

/// Runs a command while events are read, and gives those that `keep` accepts and losses, up to the command's exit or the
/// report of its loss.
fn collect(watch: &mut Watch, command: &mut Command, keep: impl Fn(&RawEvent) -> bool) -> Vec<RawEvent> {
    let mut child = command.stdout(std::process::Stdio::null()).spawn().unwrap();
    let mut events = Vec::new();
    while child.try_wait().unwrap().is_none() {
        watch.drain(&mut events, |event| {
            keep(event) || matches!(event.kind, RawKind::Lost { .. })
        });
    }
    watch.settle(&mut events, |event| {
        keep(event) || matches!(event.kind, RawKind::Lost { .. })
    });
    events
}

#[test]
fn a_hundred_thousand_opens_are_told_or_counted() {
    let Some(mut watch) = Watch::everything() else { return };
    let folder = tempfile::tempdir().unwrap();
    let script = "my $n = shift; for my $i (1..$n) { open(F, '>', 'file' . $i % 100); close(F) }";
    let wanted = 100_000;
    let path = std::fs::canonicalize(&folder).unwrap().to_str().unwrap().to_owned();
    let events = collect(
        &mut watch,
        Command::new("/usr/bin/perl")
            .args(["-e", script, &wanted.to_string()])
            .current_dir(&folder),
        |event| matches!(&event.kind, RawKind::Open { path: opened, .. } if opened.starts_with(&path)),
    );
    let lost = lost(&events);
    let told = events
        .iter()
        .filter(|event| matches!(event.kind, RawKind::Open { .. }))
        .count() as u64;
    println!("{told} opens told, {lost} events lost");
    assert!(
        told <= wanted && told + lost >= wanted,
        "{told} told and {lost} lost of {wanted}"
    );
    assert_eq!(lost, watch.lost(), "each loss is an event");
}

#[test]
fn a_fork_bomb_is_told_or_counted() {
    let Some(mut watch) = Watch::everything() else { return };
    // Every process makes two more, eleven deep: 2^12 - 2 forks.
    let script = "sub bomb { my $depth = shift; return if $depth > 11; for (1..2) { my $pid = fork();
        die unless defined $pid; if (!$pid) { bomb($depth + 1); exit } } while (wait() > 0) {} } bomb(1)";
    let events = collect(
        &mut watch,
        Command::new("/usr/bin/perl").args(["-e", script, "bomb"]),
        |event| event.task.comm == "perl",
    );
    let lost = lost(&events);
    let forks = events
        .iter()
        .filter(|event| matches!(event.kind, RawKind::Fork { .. }))
        .count() as u64;
    let exits = events
        .iter()
        .filter(|event| matches!(event.kind, RawKind::Exit { .. }))
        .count() as u64;
    println!("{forks} forks and {exits} exits told, {lost} events lost");
    assert!(forks + lost >= 4_094, "{forks} forks told, {lost} lost");
    assert!(exits + lost >= 4_095, "{exits} exits told, {lost} lost");
    assert_eq!(lost, watch.lost());
}

#[test]
fn five_hundred_short_namespaces_are_told_or_counted() {
    let Some(mut watch) = Watch::containers() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = std::fs::canonicalize(&folder).unwrap().to_str().unwrap().to_owned();
    let script = "i=0; while [ $i -lt 500 ]; do unshare -pfm /bin/sh -c \"echo x > $1/$i\"; i=$((i+1)); done";
    let events = collect(
        &mut watch,
        Command::new("/bin/sh").args(["-c", script, "sh", &path]),
        |event| matches!(&event.kind, RawKind::Open { path: opened, .. } if opened.starts_with(&path)),
    );
    let lost = lost(&events);
    let mut namespaces: Vec<u32> = Vec::new();
    for event in events.iter().filter(|event| matches!(event.kind, RawKind::Open { .. })) {
        namespaces.push(event.task.pid_namespace);
        assert_eq!(event.task.container_pid, 1);
    }
    println!("{} writes told, {lost} events lost", namespaces.len());
    assert!(namespaces.len() as u64 + lost >= 500);
}
