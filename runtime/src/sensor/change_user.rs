//! Sensor: users and groups changed.

use super::{Hook, Mechanism, Need, Program, Sensor, Way};

const BLIND_TO: &str = "";

const WAYS: &[Way] = &[
    Way {
        mechanism: Mechanism::Fexit,
        programs: &[
            Program::optional("call_setuid", Hook::SystemCall("setuid")),
            Program::optional("call_setgid", Hook::SystemCall("setgid")),
            Program::optional("call_setreuid", Hook::SystemCall("setreuid")),
            Program::optional("call_setregid", Hook::SystemCall("setregid")),
            Program::optional("call_setresuid", Hook::SystemCall("setresuid")),
            Program::optional("call_setresgid", Hook::SystemCall("setresgid")),
            Program::optional("call_capset", Hook::SystemCall("capset")),
        ],
        blind_to: BLIND_TO,
    },
    Way {
        mechanism: Mechanism::SyscallTracepoint,
        programs: &[
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_setuid")),
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_setgid")),
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_setreuid")),
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_setregid")),
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_setresuid")),
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_setresgid")),
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_capset")),
        ],
        blind_to: BLIND_TO,
    },
];

/// Tells of users and groups changed.
pub(super) struct ChangeUser;

impl Sensor for ChangeUser {
    fn need(&self) -> Need {
        Need::ChangeUser
    }

    fn title(&self) -> &'static str {
        "users and groups changed"
    }

    fn ways(&self) -> &'static [Way] {
        WAYS
    }

    fn without_it(&self) -> &'static str {
        "changes of user are seen at the next event of the process only"
    }
}
