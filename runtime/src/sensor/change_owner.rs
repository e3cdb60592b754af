//! Sensor: owners of files changed.

use super::{Hook, Mechanism, Need, Program, Sensor, Way};

const BLIND_TO: &str = "paths as they were before the caller changed them: they are read when the call returns";

const WAYS: &[Way] = &[
    Way {
        mechanism: Mechanism::Fexit,
        programs: &[
            Program::optional("call_fchownat", Hook::SystemCall("fchownat")),
            Program::optional("call_fchown", Hook::SystemCall("fchown")),
            Program::optional("call_chown", Hook::SystemCall("chown")),
            Program::optional("call_lchown", Hook::SystemCall("lchown")),
        ],
        blind_to: BLIND_TO,
    },
    Way {
        mechanism: Mechanism::SyscallTracepoint,
        programs: &[
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_fchownat")),
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_fchown")),
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_chown")),
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_lchown")),
        ],
        blind_to: BLIND_TO,
    },
];

/// Tells of owners of files changed.
pub(super) struct ChangeOwner;

impl Sensor for ChangeOwner {
    fn need(&self) -> Need {
        Need::ChangeOwner
    }

    fn title(&self) -> &'static str {
        "owners of files changed"
    }

    fn ways(&self) -> &'static [Way] {
        WAYS
    }

    fn without_it(&self) -> &'static str {
        "changed owners of files go unnoticed"
    }
}
