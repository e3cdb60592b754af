//! Sensor: connections that failed.

use super::{Hook, Mechanism, Need, Program, Sensor, Way};

const BLIND_TO: &str = "what becomes of a connection that its caller does not wait for";

const WAYS: &[Way] = &[
    Way {
        mechanism: Mechanism::Fexit,
        programs: &[
            Program::new("on_stream_connected", Hook::Fexit("inet_stream_connect")),
            Program::new("on_datagram_connected", Hook::Fexit("inet_dgram_connect")),
        ],
        blind_to: BLIND_TO,
    },
    Way {
        mechanism: Mechanism::SyscallTracepoint,
        programs: &[Program::new(
            "on_connect_returned",
            Hook::Tracepoint("sys_exit_connect"),
        )],
        blind_to: BLIND_TO,
    },
];

/// Tells of connections that were asked for and not made.
pub(super) struct ConnectFailed;

impl Sensor for ConnectFailed {
    fn need(&self) -> Need {
        Need::ConnectFailed
    }

    fn title(&self) -> &'static str {
        "connections that failed"
    }

    fn ways(&self) -> &'static [Way] {
        WAYS
    }

    fn without_it(&self) -> &'static str {
        "failed connections are not told from those that were made"
    }
}
