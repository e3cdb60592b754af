//! Sensor: standard streams put onto sockets.

use super::{Hook, Mechanism, Need, Program, Sensor, Way};

const BLIND_TO: &str = "sockets of other families than IPv4 and IPv6; descriptors other than 0, 1 and 2";

const WAYS: &[Way] = &[
    Way {
        mechanism: Mechanism::Fexit,
        programs: &[
            Program::optional("call_dup3", Hook::SystemCall("dup3")),
            Program::optional("call_dup2", Hook::SystemCall("dup2")),
            Program::optional("call_dup", Hook::SystemCall("dup")),
        ],
        blind_to: BLIND_TO,
    },
    Way {
        mechanism: Mechanism::SyscallTracepoint,
        programs: &[
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_dup3")),
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_dup2")),
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_dup")),
        ],
        blind_to: BLIND_TO,
    },
];

/// Tells of standard streams put onto sockets.
pub(super) struct Redirect;

impl Sensor for Redirect {
    fn need(&self) -> Need {
        Need::Redirect
    }

    fn title(&self) -> &'static str {
        "standard streams put onto sockets"
    }

    fn ways(&self) -> &'static [Way] {
        WAYS
    }

    fn without_it(&self) -> &'static str {
        "reverse shells are seen by their programs and connections only"
    }
}
