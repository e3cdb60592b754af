//! Sensor: namespaces entered.

use super::{Hook, Mechanism, Need, Program, Sensor, Way};

const BLIND_TO: &str = "";

const WAYS: &[Way] = &[
    Way {
        mechanism: Mechanism::Fexit,
        programs: &[Program::optional("call_setns", Hook::SystemCall("setns"))],
        blind_to: BLIND_TO,
    },
    Way {
        mechanism: Mechanism::SyscallTracepoint,
        programs: &[Program::optional(
            "on_call_returned",
            Hook::Tracepoint("sys_exit_setns"),
        )],
        blind_to: BLIND_TO,
    },
];

/// Tells of namespaces entered.
pub(super) struct EnterNamespace;

impl Sensor for EnterNamespace {
    fn need(&self) -> Need {
        Need::EnterNamespace
    }

    fn title(&self) -> &'static str {
        "namespaces entered"
    }

    fn ways(&self) -> &'static [Way] {
        WAYS
    }

    fn without_it(&self) -> &'static str {
        "entering a namespace goes unnoticed"
    }
}
