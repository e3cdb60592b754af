//! Sensor: permissions of files changed.

use super::{Hook, Mechanism, Need, Program, Sensor, Way};

const BLIND_TO: &str = "paths as they were before the caller changed them: they are read when the call returns";

const WAYS: &[Way] = &[
    Way {
        mechanism: Mechanism::Fexit,
        programs: &[
            Program::optional("call_fchmodat", Hook::SystemCall("fchmodat")),
            Program::optional("call_fchmodat2", Hook::SystemCall("fchmodat2")),
            Program::optional("call_fchmod", Hook::SystemCall("fchmod")),
            Program::optional("call_chmod", Hook::SystemCall("chmod")),
        ],
        blind_to: BLIND_TO,
    },
    Way {
        mechanism: Mechanism::SyscallTracepoint,
        programs: &[
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_fchmodat")),
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_fchmodat2")),
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_fchmod")),
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_chmod")),
        ],
        blind_to: BLIND_TO,
    },
];

/// Tells of permissions of files changed.
pub(super) struct ChangeMode;

impl Sensor for ChangeMode {
    fn need(&self) -> Need {
        Need::ChangeMode
    }

    fn title(&self) -> &'static str {
        "permissions of files changed"
    }

    fn ways(&self) -> &'static [Way] {
        WAYS
    }

    fn without_it(&self) -> &'static str {
        "files made executable or setuid go unnoticed"
    }
}
