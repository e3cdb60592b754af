//! System calls by name: each is made once, by perl, and must be told with its arguments, its object and its result.

use std::{net::TcpListener, path::PathBuf, process::Command};

use plimsoll_model::{Call, CallObject, SystemCall};
use plimsoll_runtime::{
    raw::{RawEvent, RawKind},
    sensor::{ALL, Mechanism},
};

use crate::watch::{Watch, spawn};

/// The kernel side's numbers are the model's.
#[test]
fn programs_are_numbered_as_the_model_numbers_calls() {
    let source = include_str!("../../bpf/calls.h");
    let found: Vec<(usize, &str)> = source
        .lines()
        .filter_map(|line| {
            let (number, rest) = line.strip_prefix("CALL(")?.split_once(", ")?;
            Some((number.parse().ok()?, rest.split_once(',')?.0))
        })
        .collect();
    let all = SystemCall::ALL.iter().map(|call| call.as_str()).enumerate();
    let expected: Vec<(usize, &str)> = all.clone().filter(|(_, name)| *name != "recvfrom").collect();
    assert_eq!(found, expected);
    // What has no program of its own.
    let elsewhere = [include_str!("../../bpf/ring.h"), include_str!("../../bpf/receive.h")].concat();
    let named: Vec<(usize, String)> = elsewhere
        .lines()
        .filter_map(|line| {
            let line = line.trim();
            let line = line.strip_prefix("AS_").or(line.strip_prefix("#define CALL_"))?;
            let (name, number) = line.trim_end_matches(',').rsplit_once(' ')?;
            Some((number.parse().ok()?, name.trim_end_matches(" =").to_lowercase()))
        })
        .collect();
    assert_eq!(named.len(), 8, "{named:?}");
    for (number, name) in named {
        assert!(
            all.clone().any(|call| call == (number, &*name)),
            "{name} is not {number}"
        );
    }
}

#[test]
fn each_call_belongs_to_one_sensor() {
    for call in SystemCall::ALL {
        let sensors: Vec<_> = ALL
            .iter()
            .filter(|sensor| sensor.need().calls().contains(call))
            .map(|sensor| sensor.title())
            .collect();
        assert_eq!(sensors.len(), 1, "{}: {sensors:?}", call.as_str());
    }
}

/// Attaches what a rule on `name` wants, runs a perl program in a folder of its own, and gives the first such call.
fn call(name: &str, perl: &str) -> Option<(Call, PathBuf)> {
    let mut watch = Watch::for_rules(&[&format!("evt.type = {name}")])?;
    let wanted: Vec<_> = watch.plan().ways().map(|way| way.mechanism).collect();
    assert!(
        wanted
            .iter()
            .filter(|mechanism| **mechanism == Mechanism::SyscallTracepoint)
            .count()
            <= 4,
        "opens, libraries, local sockets and this call alone may need tracepoints: {wanted:?}"
    );
    let folder = tempfile::tempdir().unwrap();
    let path = std::fs::canonicalize(&folder).unwrap();
    // perl's own syscall() takes no constants for texts.
    let script = format!("sub at {{ -100 }} sub call {{ my @all = @_; syscall(shift(@all), @all) }} {perl}");
    let pid = spawn(Command::new("/usr/bin/perl").args(["-e", &script]).current_dir(&folder));
    let event = watch.wait_for(name, |event| match &event.kind {
        RawKind::Call(call) => event.task.pid.cast_unsigned() == pid && call.call.as_str() == name,
        _ => false,
    });
    let RawEvent {
        kind: RawKind::Call(call),
        task,
        ..
    } = event
    else {
        unreachable!()
    };
    assert_eq!(watch.lost(), 0);
    // Those of a process that has become another user are none.
    assert!(
        task.credentials.capabilities != Some(0) || task.credentials.euid != 0,
        "{name}: {task:?}"
    );
    Some((*call, path))
}

#[test]
fn paths_come_with_the_folder_that_they_begin_at() {
    // x86 has all of these; other architectures lack the older ones.
    if !cfg!(target_arch = "x86_64") {
        eprintln!("SKIPPED: the numbers of system calls here are those of x86_64");
        return;
    }
    for (name, perl, texts) in [
        ("unlink", "open(F, '>', 'gone'); unlink('gone')", &["gone"][..]),
        ("unlinkat", "call(263, at, 'gone', 0)", &["gone"]),
        ("rmdir", "mkdir('d'); rmdir('d')", &["d"]),
        ("mkdir", "mkdir('d', 0700)", &["d"]),
        ("mkdirat", "call(258, at, 'd', 0700)", &["d"]),
        ("rename", "rename('a', 'b')", &["a", "b"]),
        ("renameat", "call(264, at, 'a', at, 'b')", &["a", "b"]),
        ("renameat2", "call(316, at, 'a', at, 'b', 0)", &["a", "b"]),
        ("link", "link('a', 'b')", &["a", "b"]),
        ("linkat", "call(265, at, 'a', at, 'b', 0)", &["a", "b"]),
        ("symlink", "symlink('/etc/shadow', 'l')", &["/etc/shadow", "l"]),
        ("symlinkat", "call(266, '/etc/shadow', at, 'l')", &["/etc/shadow", "l"]),
        ("chmod", "chmod(0755, 'a')", &["a"]),
        ("fchmodat", "call(268, at, 'a', 0755)", &["a"]),
        ("fchmodat2", "call(452, at, 'a', 0755, 0)", &["a"]),
        ("chown", "chown(1, 1, 'a')", &["a"]),
        ("lchown", "call(94, 'a', 1, 1)", &["a"]),
        ("fchownat", "call(260, at, 'a', 1, 1, 0)", &["a"]),
        ("move_mount", "call(429, at, 'a', at, 'b', 0)", &["a", "b"]),
        ("pivot_root", "call(155, 'a', 'b')", &["a", "b"]),
        (
            "mount",
            "call(165, 'none', 'nowhere', 'tmpfs', 0, 0)",
            &["none", "nowhere", "tmpfs"],
        ),
        ("umount2", "call(166, 'nowhere', 0)", &["nowhere"]),
        ("chroot", "chroot('nowhere')", &["nowhere"]),
    ] {
        if name == "fchmodat2" && !has_call(name) {
            eprintln!("SKIPPED {name}: this kernel is older");
            continue;
        }
        let Some((call, folder)) = call(name, perl) else { return };
        assert_eq!(call.texts, texts, "{name}");
        let path = folder.to_str().unwrap().to_owned();
        assert_eq!(call.object, CallObject::File { path }, "{name}");
    }
}

#[test]
fn numbers_and_results_are_the_kernels() {
    if !cfg!(target_arch = "x86_64") {
        eprintln!("SKIPPED: the numbers of system calls here are those of x86_64");
        return;
    }
    for (name, perl, first, result) in [
        ("setuid", "call(105, 1)", 1, 0),
        ("setgid", "call(106, 2)", 2, 0),
        ("setreuid", "call(113, 4, 4)", 4, 0),
        ("setregid", "call(114, 5, 5)", 5, 0),
        ("setresgid", "call(119, 6, 6, 6)", 6, 0),
        ("setresuid", "call(117, 3, 3, 3)", 3, 0),
        ("io_uring_setup", "call(425, 0, 0)", 0, i64::MIN),
        ("setns", "call(308, 77, 0)", 77, -9),
        ("unshare", "call(272, 0x20000)", 0x2_0000, 0),
        // clone, with a user namespace and a network of its own.
        ("unshare", "call(56, 0x50000011, 0, 0, 0, 0) or exit", 0x5000_0000, 0),
        ("ptrace", "call(101, 16, 0, 0, 0)", 16, -3),
        ("init_module", "call(175, '', 0, '')", u64::MAX, i64::MIN),
        ("finit_module", "call(313, 77, '', 0)", 77, i64::MIN),
        ("bpf", "call(321, 999, 0, 0)", 999, i64::MIN),
        ("memfd_create", "call(319, 'hidden', 0)", u64::MAX, i64::MIN),
        ("userfaultfd", "call(323, 0xffff)", 0xffff, i64::MIN),
        ("socket", "call(41, 17, 3, 0)", 17, i64::MIN),
        ("capset", "call(126, 0, 0)", 0, -14),
        ("process_vm_writev", "call(311, 0, 0, 0, 0, 0, 1)", 0, -22),
    ] {
        if name.ends_with("_module") && !std::path::Path::new("/proc/modules").exists() {
            eprintln!("SKIPPED {name}: this kernel has no modules");
            continue;
        }
        let Some((call, _)) = call(name, perl) else { return };
        // What differs between machines and rights is marked by the largest and smallest number.
        assert!(first == u64::MAX || call.arguments[0] == first, "{name}: {call:?}");
        assert!(result == i64::MIN || call.result == result, "{name}: {call:?}");
    }
}

#[test]
fn descriptors_are_told_by_their_files() {
    for (name, perl) in [
        ("fchmod", "open(F, '>', 'file'); chmod(0755, *F)"),
        ("fchown", "open(F, '>', 'file'); chown(1, 1, *F)"),
    ] {
        let Some((call, folder)) = call(name, perl) else { return };
        let path = folder.join("file").to_str().unwrap().to_owned();
        assert_eq!((call.result, call.object), (0, CallObject::File { path }), "{name}");
    }
}

/// Whether the kernel has a function for it.
fn has_call(name: &str) -> bool {
    let symbols = std::fs::read_to_string("/proc/kallsyms").unwrap();
    symbols.lines().any(|line| line.ends_with(&format!("_sys_{name}")))
}

#[test]
fn a_socket_put_onto_a_standard_stream_is_told_with_both_ends() {
    for (name, perl) in [
        ("dup2", "call(33, fileno(S), 0)"),
        ("dup3", "call(292, fileno(S), 1, 0)"),
        ("dup", "close(STDIN); call(32, fileno(S))"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let script = format!(
            "socket(S, 2, 1, 6); connect(S, pack('S n C4 x8', 2, {}, 127, 0, 0, 1)) or die; {perl}",
            address.port()
        );
        let Some((call, _)) = call(name, &script) else { return };
        let CallObject::Socket { local, remote, .. } = call.object else {
            panic!("{name}: {call:?}")
        };
        assert_eq!((remote.ip, remote.port), (address.ip(), address.port()), "{name}");
        assert_eq!(local.ip, address.ip(), "{name}");
        assert!(local.port != 0 && call.result <= 2, "{name}: {call:?}");
    }
}

#[test]
fn files_put_onto_standard_streams_are_nobodys_business() {
    let Some(mut watch) = Watch::for_rules(&["evt.type in (dup, dup2, dup3)"]) else {
        return;
    };
    let script =
        "open(F, '<', '/etc/passwd'); syscall(33, fileno(F), 0); socket(U, 1, 1, 0); syscall(33, fileno(U), 1)";
    let pid = spawn(Command::new("/usr/bin/perl").args(["-e", script]));
    let events = watch.life_of(pid);
    let calls = events.iter().filter(|event| matches!(event.kind, RawKind::Call(_)));
    assert_eq!(calls.count(), 0);
}

#[test]
fn the_result_of_accept_is_a_socket_with_its_peer() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let script = format!(
        "socket(L, 2, 1, 6); setsockopt(L, 1, 2, 1); bind(L, pack('S n C4 x8', 2, {port}, 127, 0, 0, 1)) or die; listen(L, 1);
         socket(S, 2, 1, 6); connect(S, pack('S n C4 x8', 2, {port}, 127, 0, 0, 1)) or die; call(288, fileno(L), 0, 0, 0)"
    );
    let Some((call, _)) = call("accept4", &script) else {
        return;
    };
    let CallObject::Socket { local, remote, .. } = call.object else {
        panic!("{call:?}")
    };
    assert_eq!(local.port, port);
    assert!(remote.port != 0 && remote.ip == local.ip, "{call:?}");
}
