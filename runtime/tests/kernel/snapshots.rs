//! What was there before the sensors: processes of a snapshot, and their sockets.

use std::{
    fs,
    io::Read as _,
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::OwnedFd,
    process::{Child, Command, Stdio},
};

use plimsoll_model::{CallObject, SystemCall, Transport};
use plimsoll_runtime::raw::RawKind;

use crate::watch::{Watch, is_exec_of};

#[test]
fn a_snapshot_names_processes_as_events_do() {
    let Some(mut watch) = Watch::everything() else { return };
    let mut child = Command::new("/bin/sleep")
        .args(["60"])
        .current_dir("/usr")
        .spawn()
        .unwrap();
    let event = watch.wait_for("the exec", is_exec_of(child.id()));
    let processes = watch.snapshot();
    child.kill().unwrap();
    child.wait().unwrap();
    let found = processes
        .iter()
        .find(|process| process.task.pid.cast_unsigned() == child.id())
        .unwrap();
    let RawKind::Exec {
        exe,
        args,
        cwd,
        exe_file,
        ..
    } = event.kind
    else {
        unreachable!()
    };
    assert_eq!(
        (&found.exe, &found.args, &found.cwd, found.exe_file),
        (&exe, &args, &cwd, exe_file)
    );
    assert_eq!(found.task, event.task);
    assert!(processes.is_sorted_by_key(|process| process.task.start_time_ns));
    assert!(
        processes
            .iter()
            .any(|process| process.task.pid.cast_unsigned() == std::process::id())
    );
}

/// A process in a mount namespace of its own, as containers have, with these for its standard input and output.
fn contained(input: OwnedFd, output: OwnedFd) -> Child {
    let mut child = Command::new("unshare")
        .args(["-m", "/bin/sh", "-c", "echo >&2; exec /bin/sleep 60 2>/dev/null"])
        .stdin(input)
        .stdout(output)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It is where it should be when it says something.
    let mut said = [0];
    child.stderr.take().unwrap().read_exact(&mut said).unwrap();
    child
}

fn end(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// What is told of a process up to and with its end, which it has not told before.
fn told_of(watch: &mut Watch, child: Child) -> Vec<RawKind> {
    let pid = child.id();
    end(child);
    let kinds = watch.life_of(pid).into_iter().map(|event| event.kind);
    kinds
        .filter(|kind| matches!(kind, RawKind::Listen { .. } | RawKind::Call(_)))
        .collect()
}

fn ends_of(kind: &RawKind) -> (SystemCall, i64, (SocketAddr, SocketAddr)) {
    let RawKind::Call(call) = kind else { panic!("{kind:?}") };
    let CallObject::Socket {
        local,
        remote,
        transport: Transport::Tcp,
    } = call.object
    else {
        panic!("{call:?}")
    };
    let ends = ((local.ip, local.port).into(), (remote.ip, remote.port).into());
    assert_eq!(call.arguments[1], call.result.cast_unsigned());
    (call.call, call.result, ends)
}

#[test]
fn sockets_from_before_the_sensors_are_told_as_when_they_were_made() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let peer = TcpStream::connect(address).unwrap();
    let ours = peer.local_addr().unwrap();
    let child = contained(peer.into(), listener.try_clone().unwrap().into());
    // Another that holds the same: it has them from the first, as a worker from its master.
    let other = contained(
        fs::File::open("/dev/null").unwrap().into(),
        listener.try_clone().unwrap().into(),
    );
    let rule = "container.id != host and evt.type in (dup, dup2, dup3)";
    let Some(mut watch) = Watch::for_rules(&[rule]) else {
        end(child);
        end(other);
        return;
    };
    watch.snapshot();
    let told = told_of(&mut watch, child);
    let (listens, streams): (Vec<_>, Vec<_>) = told.iter().partition(|kind| matches!(kind, RawKind::Listen { .. }));
    let [RawKind::Listen { address: at, transport }] = listens[..] else {
        panic!("{told:?}")
    };
    assert_eq!(((at.ip, at.port).into(), *transport), (address, Transport::Tcp));
    let nobody: SocketAddr = "0.0.0.0:0".parse().unwrap();
    assert_eq!(
        streams.into_iter().map(ends_of).collect::<Vec<_>>(),
        [
            (SystemCall::Dup2, 0, (ours, address)),
            (SystemCall::Dup2, 1, (address, nobody))
        ]
    );
    assert_eq!(told_of(&mut watch, other), []);
}

#[test]
fn standard_streams_that_are_no_sockets_or_that_nobody_asks_for_are_not_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    let piped = contained(reader.into(), writer.into());
    let connected = contained(peer.try_clone().unwrap().into(), peer.into());
    let Some(mut watch) = Watch::for_rules(&["container.id != host and evt.type = dup"]) else {
        end(piped);
        end(connected);
        return;
    };
    watch.snapshot();
    assert_eq!(told_of(&mut watch, piped), []);
    // The host's processes hold sockets too: these rules ask for containers'.
    drop(watch);
    let Some(mut watch) = Watch::containers() else { return };
    watch.snapshot();
    assert_eq!(told_of(&mut watch, connected), []);
}
