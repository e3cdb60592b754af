//! Sensor: hard links made.

use super::{Hook, Mechanism, Need, Program, Sensor, Way};

const BLIND_TO: &str = "paths as they were before the caller changed them: they are read when the call returns";

const WAYS: &[Way] = &[
    Way {
        mechanism: Mechanism::Fexit,
        programs: &[
            Program::optional("call_linkat", Hook::SystemCall("linkat")),
            Program::optional("call_link", Hook::SystemCall("link")),
        ],
        blind_to: BLIND_TO,
    },
    Way {
        mechanism: Mechanism::SyscallTracepoint,
        programs: &[
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_linkat")),
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_link")),
        ],
        blind_to: BLIND_TO,
    },
];

/// Tells of hard links made.
pub(super) struct Link;

impl Sensor for Link {
    fn need(&self) -> Need {
        Need::Link
    }

    fn title(&self) -> &'static str {
        "hard links made"
    }

    fn ways(&self) -> &'static [Way] {
        WAYS
    }

    fn without_it(&self) -> &'static str {
        "hard links to sensitive files go unnoticed"
    }
}
