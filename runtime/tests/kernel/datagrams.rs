//! What comes of connections, and what is received.

use std::{
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    process::Command,
};

use plimsoll_model::{CallObject, SystemCall, Transport};
use plimsoll_runtime::{
    raw::{RawEvent, RawKind},
    sensor::{Mechanism, Need},
};

use crate::watch::{Watch, spawn};

fn is_by_us(event: &RawEvent) -> bool {
    event.task.pid.cast_unsigned() == std::process::id()
}

/// Senders of what we received, up to the end of a program that was started afterwards.
fn senders(watch: &mut Watch, at: SocketAddr) -> Vec<u16> {
    let marker = spawn(&mut Command::new("/bin/true"));
    let events = watch.collect_until(
        "the marker",
        |event| is_by_us(event) || event.task.pid.cast_unsigned() == marker,
        |event| event.task.pid.cast_unsigned() == marker && matches!(event.kind, RawKind::Exit { .. }),
    );
    let sender = |event: &RawEvent| match &event.kind {
        RawKind::Call(call) if call.call == SystemCall::Recvfrom => match call.object {
            CallObject::Socket {
                local,
                remote,
                transport: Transport::Udp,
            } if local.port == at.port() => {
                assert!(remote.port == 0 || remote.ip == at.ip(), "{call:?}");
                Some(remote.port)
            }
            _ => None,
        },
        _ => None,
    };
    events.iter().filter_map(sender).collect()
}

#[test]
fn a_datagram_is_told_once_for_each_socket_and_sender() {
    for host in ["127.0.0.1:0", "[::1]:0"] {
        let Some(mut watch) = Watch::for_rules(&["evt.type in (recvfrom, recvmsg)"]) else {
            return;
        };
        let Ok(receiver) = UdpSocket::bind(host) else {
            eprintln!("SKIPPED {host}: not on this machine");
            continue;
        };
        let at = receiver.local_addr().unwrap();
        let sockets = [(); 2].map(|()| UdpSocket::bind(host).unwrap());
        let mut expected = Vec::new();
        for sender in &sockets {
            expected.push(sender.local_addr().unwrap().port());
            for _ in 0..3 {
                sender.send_to(b"x", at).unwrap();
                receiver.recv_from(&mut [0; 8]).unwrap();
            }
        }
        assert_eq!(senders(&mut watch, at), expected, "{host}");
    }
}

#[test]
fn who_does_not_ask_for_the_sender_is_seen_by_trampolines_only() {
    let Some(mut watch) = Watch::for_rules(&["evt.type = recvfrom"]) else {
        return;
    };
    let entry = watch.plan().entries.iter().find(|entry| entry.need == Need::Receive);
    let is_fexit = entry.unwrap().way.unwrap().mechanism == Mechanism::Fexit;
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    let at = receiver.local_addr().unwrap();
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"x", at).unwrap();
    receiver.recv(&mut [0; 8]).unwrap();
    let expected: &[u16] = if is_fexit { &[0] } else { &[] };
    assert_eq!(senders(&mut watch, at), expected);
}

#[test]
fn a_connection_that_failed_is_told_after_it_was_asked_for() {
    let Some(mut watch) = Watch::for_rules(&["evt.type = connect and evt.failed = true"]) else {
        return;
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let open = listener.local_addr().unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    TcpStream::connect(open).unwrap();
    TcpStream::connect(closed).unwrap_err();
    let events = watch.collect_until("the failure", is_by_us, |event| {
        matches!(event.kind, RawKind::ConnectFailed { .. })
    });
    let outcomes: Vec<(u16, i32)> = events
        .iter()
        .filter_map(|event| match event.kind {
            RawKind::Connect { address, .. } => Some((address.port, 0)),
            RawKind::ConnectFailed {
                address,
                transport: Transport::Tcp,
                error,
            } => Some((address.port, error)),
            _ => None,
        })
        .filter(|(port, _)| [open.port(), closed.port()].contains(port))
        .collect();
    assert_eq!(
        outcomes,
        [
            (open.port(), 0),
            (closed.port(), 0),
            (closed.port(), -libc::ECONNREFUSED)
        ]
    );
}

#[test]
fn a_connection_in_progress_has_not_failed() {
    let Some(mut watch) = Watch::for_rules(&["evt.type = connect and evt.failed = true"]) else {
        return;
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // Without waiting: EINPROGRESS, or done at once; then again on the same socket: EISCONN.
    let script = format!(
        "socket(S, 2, 1 | 2048, 6); my $peer = pack('S n C4 x8', 2, {}, 127, 0, 0, 1); connect(S, $peer); select(undef, my $ready = '', undef, 0); connect(S, $peer)",
        listener.local_addr().unwrap().port()
    );
    let pid = spawn(Command::new("/usr/bin/perl").args(["-e", &script]));
    let events = watch.life_of(pid);
    let failed = events
        .iter()
        .filter(|event| matches!(event.kind, RawKind::ConnectFailed { .. }));
    assert_eq!(failed.count(), 0, "{events:?}");
}
