//! Sensor: connections to local sockets that have a name, of containers' processes.

use super::{Hook, Mechanism, Need, Program, Sensor, Way};

const WAYS: &[Way] = &[
    Way {
        mechanism: Mechanism::Lsm,
        programs: &[Program::new("on_local_asked", Hook::Lsm("unix_stream_connect"))],
        blind_to: "datagrams to local sockets",
    },
    Way {
        mechanism: Mechanism::Fexit,
        programs: &[Program::new(
            "on_local_allowed",
            Hook::Fexit("security_unix_stream_connect"),
        )],
        blind_to: "datagrams to local sockets",
    },
    Way {
        mechanism: Mechanism::SyscallTracepoint,
        programs: &[Program::new("on_local_connected", Hook::Tracepoint("sys_exit_connect"))],
        blind_to: "connections that a caller closed before they were made; requests of io_uring",
    },
];

/// Tells of local sockets connected to: once for each program of a container and socket.
pub(super) struct ConnectLocal;

impl Sensor for ConnectLocal {
    fn need(&self) -> Need {
        Need::ConnectLocal
    }

    fn title(&self) -> &'static str {
        "local sockets connected to"
    }

    fn ways(&self) -> &'static [Way] {
        WAYS
    }

    fn without_it(&self) -> &'static str {
        "who commands a container engine by its socket goes unnoticed"
    }
}
