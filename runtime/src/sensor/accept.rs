//! Sensor: connections accepted.

use super::{Hook, Mechanism, Need, Program, Sensor, Way};

const BLIND_TO: &str = "who connected, when io_uring accepts";

const WAYS: &[Way] = &[
    Way {
        mechanism: Mechanism::Fexit,
        programs: &[
            Program::optional("call_accept4", Hook::SystemCall("accept4")),
            Program::optional("call_accept", Hook::SystemCall("accept")),
        ],
        blind_to: BLIND_TO,
    },
    Way {
        mechanism: Mechanism::SyscallTracepoint,
        programs: &[
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_accept4")),
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_accept")),
        ],
        blind_to: BLIND_TO,
    },
];

/// Tells of connections accepted.
pub(super) struct Accept;

impl Sensor for Accept {
    fn need(&self) -> Need {
        Need::Accept
    }

    fn title(&self) -> &'static str {
        "connections accepted"
    }

    fn ways(&self) -> &'static [Way] {
        WAYS
    }

    fn without_it(&self) -> &'static str {
        "incoming connections go unnoticed"
    }
}
