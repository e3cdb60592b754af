//! Sensor: sockets made.

use super::{Hook, Mechanism, Need, Program, Sensor, Way};

const BLIND_TO: &str = "";

const WAYS: &[Way] = &[
    Way {
        mechanism: Mechanism::Fexit,
        programs: &[Program::optional("call_socket", Hook::SystemCall("socket"))],
        blind_to: BLIND_TO,
    },
    Way {
        mechanism: Mechanism::SyscallTracepoint,
        programs: &[Program::optional(
            "on_call_returned",
            Hook::Tracepoint("sys_exit_socket"),
        )],
        blind_to: BLIND_TO,
    },
];

/// Tells of sockets made.
pub(super) struct MakeSocket;

impl Sensor for MakeSocket {
    fn need(&self) -> Need {
        Need::MakeSocket
    }

    fn title(&self) -> &'static str {
        "sockets made"
    }

    fn ways(&self) -> &'static [Way] {
        WAYS
    }

    fn without_it(&self) -> &'static str {
        "raw and packet sockets go unnoticed"
    }
}
