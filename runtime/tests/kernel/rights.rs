//! Local sockets connected to and capabilities used: whose, how often, and what is nobody's business.

use std::{os::unix::net::UnixListener, process::Command};

use plimsoll_runtime::raw::{RawEvent, RawKind};

use crate::watch::{Watch, run};

fn in_a_container(script: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["-m", "/usr/bin/perl", "-MSocket", "-e", script]);
    command
}

#[test]
fn a_local_socket_is_told_by_the_name_that_its_server_gave_it_and_once() {
    let Some(mut watch) = Watch::containers() else { return };
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("engine.sock");
    let _listener = UnixListener::bind(&socket).unwrap();
    // The client knows it by another name; one that nobody serves is no connection.
    let script = r#"
        symlink("$ARGV[0]", "$ARGV[0].link");
        for my $name ("$ARGV[0].link", $ARGV[0], "$ARGV[0].none", "\0plimsoll-test") {
            socket(my $s, PF_UNIX, SOCK_STREAM, 0) or die;
            connect($s, pack_sockaddr_un($name));
        }
        socketpair(my $a, my $b, PF_UNIX, SOCK_STREAM, 0) or die"#;
    let address =
        <std::os::unix::net::SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name("plimsoll-test");
    let _hidden = UnixListener::bind_addr(&address.unwrap()).unwrap();
    run(in_a_container(script).arg(&socket));
    let is_ours = |event: &RawEvent| event.task.comm == "perl";
    let events = watch.collect_until("the exit", is_ours, |event| matches!(event.kind, RawKind::Exit { .. }));
    let told: Vec<&str> = events
        .iter()
        .filter_map(|event| match &event.kind {
            RawKind::ConnectLocal { path } => Some(path.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(told, [socket.to_str().unwrap(), "@plimsoll-test"]);
}

#[test]
fn a_capability_is_told_once_for_each_program_that_was_granted_it() {
    let Some(mut watch) = Watch::containers() else { return };
    // Raw sockets twice, a host name, a file's owner.
    let script = r#"
        for (1, 2) { socket(my $s, PF_INET, SOCK_RAW, 1) or die "socket: $!" }
        open(my $f, '>', "$ARGV[0]/x") or die; chown(1, 1, "$ARGV[0]/x") or die;
        exec("/bin/sh", "-c", "mount -t tmpfs none $ARGV[0]")"#;
    let folder = tempfile::tempdir().unwrap();
    run(in_a_container(script).arg(folder.path()));
    let is_use = |event: &RawEvent| matches!(event.kind, RawKind::UseCapability { .. });
    let is_mount =
        |event: &RawEvent| matches!(event.kind, RawKind::UseCapability { number: 21 } if event.task.comm == "mount");
    let events = watch.collect_until("the mount", is_use, is_mount);
    let told: Vec<(&str, u8)> = events
        .iter()
        .filter_map(|event| match event.kind {
            RawKind::UseCapability { number } => Some((event.task.comm.as_str(), number)),
            _ => None,
        })
        .filter(|(comm, _)| matches!(*comm, "perl" | "mount"))
        .collect();
    assert_eq!(told, [("perl", 13), ("mount", 21)]);
}
