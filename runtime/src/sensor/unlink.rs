//! Sensor: files removed.

use super::{Hook, Mechanism, Need, Program, Sensor, Way};

const BLIND_TO: &str = "paths as they were before the caller changed them: they are read when the call returns";

const WAYS: &[Way] = &[
    Way {
        mechanism: Mechanism::Fexit,
        programs: &[
            Program::optional("call_unlinkat", Hook::SystemCall("unlinkat")),
            Program::optional("call_unlink", Hook::SystemCall("unlink")),
        ],
        blind_to: BLIND_TO,
    },
    Way {
        mechanism: Mechanism::SyscallTracepoint,
        programs: &[
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_unlinkat")),
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_unlink")),
        ],
        blind_to: BLIND_TO,
    },
];

/// Tells of files removed.
pub(super) struct Unlink;

impl Sensor for Unlink {
    fn need(&self) -> Need {
        Need::Unlink
    }

    fn title(&self) -> &'static str {
        "files removed"
    }

    fn ways(&self) -> &'static [Way] {
        WAYS
    }

    fn without_it(&self) -> &'static str {
        "removed files go unnoticed"
    }
}
