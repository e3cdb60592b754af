//! Requests of io_uring: made by perl, without one system call that names what is done. Each must be told, by whichever
//! hook sees it on this kernel.

use std::{net::TcpListener, process::Command};

use plimsoll_model::{CallObject, FileAccess, SystemCall};
use plimsoll_runtime::{
    raw::{RawEvent, RawKind},
    sensor::{Mechanism, Need},
};

use crate::watch::{Watch, spawn};

/// A ring of eight requests; memory is written by reading from a pipe into it. `ask` gives what the request returned.
const RING: &str = r#"
    use strict; my $at = pack('l', -100);
    pipe(my $from, my $to); $to->autoflush(1);
    sub poke { my ($address, $bytes) = @_; syswrite($to, $bytes); syscall(0, fileno($from), $address, length $bytes) }
    sub peek { my ($address, $count) = @_; syscall(1, fileno($to), $address, $count); sysread($from, my $bytes, $count); $bytes }
    my $setup = "\0" x 120; my $ring = syscall(425, 8, $setup); exit 99 if $ring < 0;
    my ($tail, $array, $entries) = (unpack('L', substr($setup, 44, 4)), unpack('L', substr($setup, 64, 4)), 8);
    my ($done, $answers) = (unpack('L', substr($setup, 84, 4)), unpack('L', substr($setup, 100, 4)));
    sub map_ring { syscall(9, 0, $_[0], 3, 0x8001, $ring, $_[1]) }
    my $submissions = map_ring($array + 4 * $entries, 0); my $requests = map_ring(64 * $entries, 0x10000000);
    my $completions = map_ring($answers + 16 * 2 * $entries, 0x8000000);
    my $count = 0;
    sub pointer { unpack('Q', pack('p', $_[0])) }
    sub ask { my ($operation, $fd, $second, $address, $length, $flags, $file) = @_;
        my $slot = $count % 8;
        poke($requests + 64 * $slot, pack('CCSlQQLLQSSlQQ', $operation, 0, 0, $fd, $second, $address, $length, $flags, 7, 0, 0, $file, 0, 0));
        poke($submissions + $array + 4 * $slot, pack('L', $slot)); poke($submissions + $tail, pack('L', ++$count));
        syscall(426, $ring, 1, 1, 1, 0, 0);
        my $answer = $completions + $answers + 16 * (($count - 1) % 16); unpack('l', peek($answer + 8, 4)) }
"#;

/// What a perl program with a ring did, in a folder of its own; `None` where there are no rings or no sensors.
fn told(conditions: &[&str], script: &str) -> Option<(Vec<RawEvent>, String, Watch)> {
    if !cfg!(target_arch = "x86_64") {
        eprintln!("SKIPPED: the numbers of system calls here are those of x86_64");
        return None;
    }
    let mut watch = Watch::for_rules(conditions)?;
    let folder = tempfile::tempdir().unwrap();
    let path = std::fs::canonicalize(&folder).unwrap().to_str().unwrap().to_owned();
    let script = format!("use IO::Handle; {RING} {script}");
    let pid = spawn(Command::new("/usr/bin/perl").args(["-e", &script]).current_dir(&folder));
    let events = watch.life_of(pid);
    match events.last().unwrap().kind {
        RawKind::Exit { status: 0 } => Some((events, path, watch)),
        RawKind::Exit { status } if status == 99 << 8 => {
            eprintln!("SKIPPED: this kernel or user has no io_uring");
            None
        }
        ref other => panic!("the program with a ring failed: {other:?}"),
    }
}

#[test]
fn an_open_by_a_ring_is_told() {
    let conditions = ["evt.type = openat and evt.is_open_write = true"];
    // openat(AT_FDCWD, "ring", O_CREAT | O_WRONLY, 0600)
    let script = r#"my $path = "ring"; my $fd = ask(18, -100, 0, pointer($path), 0600, 0101, 0); exit 1 if $fd < 0; exit(-e 'ring' ? 0 : 2)"#;
    let Some((events, folder, watch)) = told(&conditions, script) else {
        return;
    };
    let wanted = format!("{folder}/ring");
    let opens: Vec<_> = events
        .iter()
        .filter_map(|event| match &event.kind {
            RawKind::Open {
                path,
                access,
                flags,
                created,
                ..
            } if *path == wanted => Some((*access, *created || flags & 0o100 != 0)),
            _ => None,
        })
        .collect();
    // An open file forgets that it was to be made; that it was made, it does not.
    assert_eq!(opens, [(FileAccess::Write, true)], "{events:?}");
    let entry = watch.plan().entries.iter().find(|entry| entry.need == Need::OpenWrite);
    let mechanism = entry.unwrap().way.unwrap().mechanism;
    match mechanism {
        Mechanism::SyscallTracepoint => println!("opens by rings: from their requests"),
        other => println!("opens by rings: {other}"),
    }
}

#[test]
fn what_rings_change_is_told_as_the_calls_that_it_stands_for() {
    let conditions = ["evt.type in (unlinkat, renameat2, mkdirat, symlinkat, linkat, socket)"];
    // mkdirat d; symlinkat d -> s; renameat d -> e; linkat f -> g; unlinkat g; socket AF_INET SOCK_DGRAM
    let script = r#"open(F, '>', 'f'); my ($d, $s, $e, $f, $g) = ('d', 's', 'e', 'f', 'g');
        my @got = (ask(37, -100, 0, pointer($d), 0700, 0, 0), ask(38, -100, pointer($s), pointer($d), 0, 0, 0),
            ask(35, -100, pointer($e), pointer($d), 0xffffff9c, 0, 0), ask(39, -100, pointer($g), pointer($f), 0xffffff9c, 0, 0),
            ask(36, -100, 0, pointer($g), 0, 0, 0));
        for (@got) { exit 3 if $_ } ask(45, 2, 2, 0, 0, 0, 0)"#;
    let Some((events, folder, _)) = told(&conditions, &format!("{script}; exit 0")) else {
        return;
    };
    let calls: Vec<(SystemCall, Vec<&str>)> = events
        .iter()
        .filter_map(|event| match &event.kind {
            RawKind::Call(call) => {
                if call.call != SystemCall::Socket {
                    let path = folder.clone();
                    assert_eq!(call.object, CallObject::File { path }, "{call:?}");
                }
                Some((call.call, call.texts.iter().map(String::as_str).collect()))
            }
            _ => None,
        })
        .collect();
    let mut expected = vec![
        (SystemCall::Mkdirat, vec!["d"]),
        (SystemCall::Symlinkat, vec!["d", "s"]),
        (SystemCall::Renameat2, vec!["d", "e"]),
        (SystemCall::Linkat, vec!["f", "g"]),
        (SystemCall::Unlinkat, vec!["g"]),
        (SystemCall::Socket, vec![]),
    ];
    // Rings make sockets since 5.19.
    expected.truncate(calls.len().max(5));
    assert_eq!(calls, expected);
}

#[test]
fn a_connection_by_a_ring_is_told_by_the_cgroup_hook() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let script = format!(
        "socket(S, 2, 1, 6); my $peer = pack('S n C4 x8', 2, {}, 127, 0, 0, 1); exit(ask(16, fileno(S), 16, pointer($peer), 0, 0, 0) ? 3 : 0)",
        address.port()
    );
    let Some((events, ..)) = told(&["evt.type = connect"], &script) else {
        return;
    };
    let is_ours =
        |event: &&RawEvent| matches!(event.kind, RawKind::Connect { address: to, .. } if to.port == address.port());
    assert_eq!(events.iter().filter(is_ours).count(), 1, "{events:?}");
}
