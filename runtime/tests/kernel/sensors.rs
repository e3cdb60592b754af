//! What every agent needs: processes, files written, sockets, loss.

use std::{
    fs,
    io::Write as _,
    net::{TcpListener, TcpStream, UdpSocket},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::Command,
};

use plimsoll_model::{FileAccess, LossReason, Transport};
use plimsoll_runtime::{
    raw::{RawEvent, RawKind},
    sensor::{Mechanism, Need},
};

use crate::watch::{Watch, is_exec_of, run, spawn};

fn scratch_folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn copy_of(program: &str, to: PathBuf) -> PathBuf {
    fs::copy(program, &to).unwrap();
    fs::set_permissions(&to, fs::Permissions::from_mode(0o755)).unwrap();
    to
}

#[test]
fn opens_come_from_the_best_hook_of_this_kernel() {
    let Some(watch) = Watch::everything() else { return };
    println!("{}", watch.plan());
    let entry = watch
        .plan()
        .entries
        .iter()
        .find(|entry| entry.need == Need::OpenWrite)
        .unwrap();
    let found = entry.way.unwrap().mechanism;
    let best = [Mechanism::Lsm, Mechanism::Fexit, Mechanism::SyscallTracepoint];
    let refused: Vec<_> = entry.refused.iter().map(|(mechanism, _)| *mechanism).collect();
    assert_eq!(
        refused,
        best[..refused.len()],
        "better hooks are given up in order, each with its reason"
    );
    assert_eq!(found, best[refused.len()]);
    // scripts/test-kernels.sh knows what its machines have.
    match std::env::var("PLIMSOLL_EXPECT_OPEN").as_deref() {
        Ok("lsm") => assert_eq!(found, Mechanism::Lsm),
        Ok("fexit") => assert_eq!(found, Mechanism::Fexit),
        Ok(other) => panic!("no mechanism is called {other}"),
        Err(_) => {}
    }
}

#[test]
fn exec_carries_file_arguments_and_folder() {
    let Some(mut watch) = Watch::everything() else { return };
    let folder = scratch_folder();
    let child = spawn(Command::new("/bin/echo").args(["a b", "", "ü"]).current_dir(&folder));
    let event = watch.wait_for("the exec", is_exec_of(child));
    let RawKind::Exec {
        filename,
        exe,
        args,
        cwd,
        exe_file,
    } = event.kind
    else {
        unreachable!()
    };
    let real = fs::canonicalize("/bin/echo").unwrap();
    assert_eq!(filename, "/bin/echo");
    assert_eq!(Path::new(&exe), real);
    assert_eq!(args, ["/bin/echo", "a b", "", "ü"]);
    assert_eq!(Path::new(&cwd), fs::canonicalize(&folder).unwrap());
    assert_eq!(exe_file.inode, fs::metadata(&real).unwrap().ino());
    assert!(
        !exe_file.is_deleted && !exe_file.is_memfd && !exe_file.is_upper_layer,
        "{exe_file:?}"
    );
    assert_eq!(event.task.comm, "echo");
    assert_eq!(event.task.parent_pid.cast_unsigned(), std::process::id());
    assert_eq!(event.task.credentials.euid, 0);
    assert_eq!(event.task.container_pid, event.task.pid);
    let credentials = event.task.credentials;
    assert!(credentials.permitted_capabilities.is_some_and(|bits| bits != 0));
    assert_eq!(credentials.permitted_capabilities, credentials.capabilities);
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let group: i32 = stat
        .rsplit(") ")
        .next()
        .unwrap()
        .split(' ')
        .nth(2)
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!((event.task.container_group_id, event.task.group_id), (group, group));
}

#[test]
fn fork_comes_first_and_exit_last_with_its_status() {
    let Some(mut watch) = Watch::everything() else { return };
    for (script, status) in [("exit 7", 7 << 8), ("kill -9 $$", 9), ("true", 0)] {
        let pid = spawn(Command::new("/bin/sh").args(["-c", script]));
        let is_about = |event: &RawEvent| match &event.kind {
            RawKind::Fork { child } => child.pid.cast_unsigned() == pid,
            _ => event.task.pid.cast_unsigned() == pid,
        };
        let life = watch.collect_until("the exit", is_about, |event| matches!(event.kind, RawKind::Exit { .. }));
        let RawKind::Fork { child } = &life[0].kind else {
            panic!("{script}: {:?} is no fork", life[0])
        };
        assert!(matches!(life[1].kind, RawKind::Exec { .. }), "{script}: {:?}", life[1]);
        let last = life.last().unwrap();
        assert!(
            matches!(last.kind, RawKind::Exit { status: found } if found == status),
            "{script}: {last:?}"
        );
        assert!(
            life[1..]
                .iter()
                .all(|event| event.task.start_time_ns == child.start_time_ns),
            "{script}"
        );
    }
}

#[test]
fn threads_are_not_processes() {
    let Some(mut watch) = Watch::everything() else { return };
    let before = std::process::id().cast_signed();
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| std::hint::black_box(1));
        }
    });
    let child = spawn(&mut Command::new("/bin/true"));
    let ours = watch.collect_until(
        "the child's exit",
        |_| true,
        |event| event.task.pid.cast_unsigned() == child && matches!(event.kind, RawKind::Exit { .. }),
    );
    let exits = ours
        .iter()
        .filter(|event| event.task.pid == before && matches!(event.kind, RawKind::Exit { .. }));
    assert_eq!(exits.count(), 0, "a thread's end was taken for ours");
    let strange = |event: &&RawEvent| matches!(&event.kind, RawKind::Fork { child } if child.pid != child.tid);
    assert_eq!(ours.iter().filter(strange).count(), 0);
}

#[test]
fn an_executable_without_a_name_is_deleted() {
    let Some(mut watch) = Watch::everything() else { return };
    let folder = scratch_folder();
    let path = copy_of("/bin/true", folder.path().join("gone"));
    let script = r#"exec 3<"$1"; rm "$1"; exec /proc/self/fd/3"#;
    spawn(Command::new("/bin/sh").args(["-c", script, "sh"]).arg(&path));
    let event = watch.wait_for("the exec of the deleted file", |event| {
        matches!(&event.kind, RawKind::Exec { exe, .. } if Path::new(exe) == fs::canonicalize(&folder).unwrap().join("gone"))
    });
    let RawKind::Exec { exe_file, .. } = event.kind else {
        unreachable!()
    };
    assert!(exe_file.is_deleted && !exe_file.is_memfd, "{exe_file:?}");
}

#[test]
fn an_executable_in_memory_is_a_memfd() {
    let Some(mut watch) = Watch::everything() else { return };
    let number = if cfg!(target_arch = "x86_64") { 319 } else { 279 };
    let script = format!(
        r#"my $name = "hidden"; my $fd = syscall({number}, $name, 0);
           open(my $to, ">&=", $fd); open(my $from, "<:raw", "/bin/true"); local $/; print {{$to}} <$from>; $to->flush;
           exec {{"/proc/self/fd/$fd"}} "innocent", "argument""#
    );
    let child = spawn(Command::new("/usr/bin/perl").args(["-MIO::Handle", "-e", &script]));
    let event = watch.wait_for("the exec of the memfd", |event| {
        is_exec_of(child)(event) && matches!(&event.kind, RawKind::Exec { exe_file, .. } if exe_file.is_memfd)
    });
    let RawKind::Exec {
        exe, args, exe_file, ..
    } = event.kind
    else {
        unreachable!()
    };
    assert_eq!(exe, "memfd:hidden");
    assert_eq!(args, ["innocent", "argument"]);
    assert!(!exe_file.is_deleted, "it never had a name");
}

#[test]
fn long_arguments_are_cut_and_say_so() {
    let Some(mut watch) = Watch::everything() else { return };
    let child = spawn(Command::new("/bin/true").args(["short", &"x".repeat(10_000), "never seen"]));
    let event = watch.wait_for("the exec", is_exec_of(child));
    let RawKind::Exec { args, .. } = event.kind else {
        unreachable!()
    };
    assert_eq!(args[..2], ["/bin/true", "short"]);
    assert_eq!(args.len(), 3);
    assert_eq!(args[2], format!("{}…", "x".repeat(4096 - "/bin/true\0short\0".len())));
}

#[test]
fn a_hidden_depth_cuts_the_path_and_nothing_else() {
    let Some(mut watch) = Watch::everything() else { return };
    let folder = scratch_folder();
    let deep = "d".repeat(250);
    let script = format!(
        r#"chdir $ARGV[0]; for (1..40) {{ mkdir "{deep}"; chdir "{deep}" }}
           system("cp", "/bin/true", "tool"); exec "./tool", "x" x 5000"#
    );
    let child = spawn(Command::new("/usr/bin/perl").args(["-e", &script]).arg(folder.path()));
    let event = watch.wait_for("the exec in the depth", |event| {
        is_exec_of(child)(event) && matches!(&event.kind, RawKind::Exec { filename, .. } if filename == "./tool")
    });
    let RawKind::Exec { exe, args, cwd, .. } = event.kind else {
        unreachable!()
    };
    assert!(
        exe.starts_with(&format!("/…/{deep}/")) && exe.ends_with(&format!("/{deep}/tool")),
        "{exe}"
    );
    assert!(cwd.starts_with(&format!("/…/{deep}/")) && cwd.ends_with(&deep), "{cwd}");
    assert_eq!(
        args,
        ["./tool".to_owned(), format!("{}…", "x".repeat(4096 - "./tool\0".len()))]
    );
    assert_eq!(watch.lost(), 0);
}

#[test]
fn overlay_tells_the_image_from_what_was_written() {
    let Some(mut watch) = Watch::everything() else { return };
    let folder = scratch_folder();
    let script = r#"
        set -e; cd "$1"; mount -t tmpfs none .; cd "$1"; mkdir lower upper work merged
        cp /bin/true lower/image
        mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged
        merged/image; cp merged/image merged/dropped; merged/dropped"#;
    spawn(
        Command::new("unshare")
            .args(["-m", "/bin/sh", "-c", script, "sh"])
            .arg(folder.path()),
    );
    for (name, expected) in [("image", false), ("dropped", true)] {
        let event = watch.wait_for(
            name,
            |event| matches!(&event.kind, RawKind::Exec { filename, .. } if filename == &format!("merged/{name}")),
        );
        let RawKind::Exec { exe, exe_file, .. } = event.kind else {
            unreachable!()
        };
        assert_eq!(exe_file.is_upper_layer, expected, "{exe}");
        assert!(exe.ends_with(&format!("/merged/{name}")), "{exe}");
    }
}

#[test]
fn sockets_are_seen_with_their_addresses() {
    let Some(mut watch) = Watch::everything() else { return };
    for host in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(listener) = TcpListener::bind(host) else {
            eprintln!("SKIPPED {host}: not on this machine");
            continue;
        };
        let local = listener.local_addr().unwrap();
        let stream = TcpStream::connect(local).unwrap();
        let udp = UdpSocket::bind(host).unwrap();
        let udp_local = udp.local_addr().unwrap();
        udp.send_to(b"to ourselves", udp_local).unwrap();
        for (kind, address, transport) in [
            ("bind", local, Transport::Tcp),
            ("listen", local, Transport::Tcp),
            ("connect", local, Transport::Tcp),
            ("bind", udp_local, Transport::Udp),
            ("connect", udp_local, Transport::Udp),
        ] {
            let event = watch.wait_for(&format!("{kind} {address}"), |event| {
                let (found, at, by) = match event.kind {
                    RawKind::Bind { address, transport } => ("bind", address, transport),
                    RawKind::Listen { address, transport } => ("listen", address, transport),
                    RawKind::Connect { address, transport } => ("connect", address, transport),
                    _ => return false,
                };
                found == kind && (at.ip, at.port, by) == (address.ip(), address.port(), transport)
            });
            assert_eq!(event.task.pid.cast_unsigned(), std::process::id());
        }
        drop(stream);
    }
}

#[test]
fn only_a_containers_writes_leave_the_kernel() {
    let Some(mut watch) = Watch::containers() else { return };
    let folder = scratch_folder();
    let path = |name: &str| fs::canonicalize(&folder).unwrap().join(name);
    fs::write(path("read"), "x").unwrap();
    fs::File::create(path("by the host")).unwrap().write_all(b"x").unwrap();
    let script = r#"
        cd "$1"; cat read > /dev/null; echo x > new; echo x >> read; mv new renamed; : <> both; echo x > last"#;
    run(Command::new("unshare")
        .args(["-pfm", "--mount-proc", "/bin/sh", "-c", script, "sh"])
        .arg(folder.path()));
    let is_ours = |event: &RawEvent| match &event.kind {
        RawKind::Open { path, .. } => Path::new(path).starts_with(fs::canonicalize(&folder).unwrap()),
        _ => false,
    };
    let opens = watch.collect_until(
        "the last open",
        is_ours,
        |event| matches!(&event.kind, RawKind::Open { path, .. } if path.ends_with("/last")),
    );
    let found: Vec<_> = opens
        .iter()
        .map(|event| match &event.kind {
            RawKind::Open {
                path, access, created, ..
            } => (PathBuf::from(path), *access, *created),
            _ => unreachable!(),
        })
        .collect();
    assert_eq!(
        found,
        [
            (path("new"), FileAccess::Write, true),
            (path("read"), FileAccess::Write, false),
            (path("both"), FileAccess::ReadWrite, true),
            (path("last"), FileAccess::Write, true),
        ]
    );
    for event in &opens {
        assert_eq!(
            event.task.container_pid, 1,
            "the shell is the first process of its namespace"
        );
        assert_ne!(event.task.container_pid, event.task.pid);
    }
    let RawKind::Open { inode, .. } = opens[3].kind else {
        unreachable!()
    };
    assert_eq!(inode, fs::metadata(path("last")).unwrap().ino());
}

#[test]
fn an_open_on_an_overlay_is_told_once() {
    let Some(mut watch) = Watch::containers() else { return };
    let folder = scratch_folder();
    let script = r#"
        set -e; mount -t tmpfs none "$1"; cd "$1"; mkdir lower upper work merged; echo old > lower/image
        mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged
        cd merged; echo x >> image; echo x > new; cat image new > /dev/null; echo x > last"#;
    run(Command::new("unshare")
        .args(["-m", "/bin/sh", "-c", script, "sh"])
        .arg(folder.path()));
    let below = fs::canonicalize(&folder).unwrap();
    let events = watch.collect_until(
        "the last open",
        |event| matches!(&event.kind, RawKind::Open { .. }),
        |event| matches!(&event.kind, RawKind::Open { path, .. } if path.ends_with("/merged/last")),
    );
    let ours = events.last().unwrap().task.mount_namespace;
    let opens: Vec<_> = events
        .iter()
        .filter(|event| event.task.mount_namespace == ours)
        .filter_map(|event| match &event.kind {
            // The kernel's own copying opens files with other paths: a container never asked for them.
            RawKind::Open { path, created, .. } if !path.starts_with("/proc") => Some((PathBuf::from(path), *created)),
            _ => None,
        })
        .collect();
    let merged = |name: &str| below.join("merged").join(name);
    let expected = [
        (below.join("lower/image"), true),
        (merged("image"), false),
        (merged("new"), true),
        (merged("last"), true),
    ];
    assert_eq!(opens, expected);
}

#[test]
fn paths_are_those_that_the_container_sees() {
    let Some(mut watch) = Watch::containers() else { return };
    let folder = scratch_folder();
    let script = r#"
        mount --rbind / "$1" && mount -t tmpfs none "$1/tmp" &&
        exec chroot "$1" /bin/sh -c 'mkdir -p /tmp/a/b; cd /tmp/a/b; echo x > file'"#;
    run(Command::new("unshare")
        .args(["-m", "/bin/sh", "-c", script, "sh"])
        .arg(folder.path()));
    watch.wait_for(
        "the write in the changed root",
        |event| matches!(&event.kind, RawKind::Open { path, .. } if path == "/tmp/a/b/file"),
    );
}

#[test]
fn a_thousand_forks_arrive_one_by_one() {
    let Some(mut watch) = Watch::everything() else { return };
    let script = "i=0; while [ $i -lt 1000 ]; do ( : ); i=$((i+1)); done";
    let shell = spawn(Command::new("/bin/sh").args(["-c", script]));
    let events = watch.collect_until(
        "the shell's exit",
        |event| event.task.pid.cast_unsigned() == shell || event.task.parent_pid.cast_unsigned() == shell,
        |event| event.task.pid.cast_unsigned() == shell && matches!(event.kind, RawKind::Exit { .. }),
    );
    let count = |test: fn(&RawKind) -> bool| events.iter().filter(|event| test(&event.kind)).count();
    assert_eq!(count(|kind| matches!(kind, RawKind::Fork { .. })), 1000);
    assert_eq!(count(|kind| matches!(kind, RawKind::Exit { .. })), 1001);
    assert_eq!(watch.lost(), 0);
}

#[test]
fn an_overflow_is_counted_to_the_last_event() {
    let Some(mut watch) = Watch::with_ring(4096) else {
        return;
    };
    let script = "i=0; while [ $i -lt 500 ]; do ( : ); i=$((i+1)); done";
    let shell = spawn(Command::new("/bin/sh").args(["-c", script]));
    let events = watch.take_all_until_lost();
    let lost: u64 = events
        .iter()
        .filter_map(|event| match event.kind {
            RawKind::Lost {
                count,
                reason: LossReason::RingBuffer,
            } => Some(count),
            _ => None,
        })
        .sum();
    let is_ours = |event: &&RawEvent| [event.task.pid, event.task.parent_pid].contains(&shell.cast_signed());
    let kept = events.iter().filter(is_ours).count() as u64;
    assert_eq!(lost, watch.lost());
    assert!(kept < 100, "{kept} of our events cannot fit into a page");
    // 500 forks and exits, the shell's own exec and exit; its fork is its parent's event.
    assert!(kept + lost >= 1002, "{kept} kept and {lost} lost of at least 1002");
}
