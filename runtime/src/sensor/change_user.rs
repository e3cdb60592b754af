//! Sensor: users and groups changed.

use super::{Hook, Mechanism, Need, Program, Sensor, Way};

const BLIND_TO: &str = "";

const WAYS: &[Way] = &[
    Way {
        mechanism: Mechanism::Fexit,
        programs: &[
            Program::new("call_setuid", Hook::SystemCall("setuid")),
            Program::new("call_setgid", Hook::SystemCall("setgid")),
            Program::new("call_setreuid", Hook::SystemCall("setreuid")),
            Program::new("call_setregid", Hook::SystemCall("setregid")),
            Program::new("call_setresuid", Hook::SystemCall("setresuid")),
            Program::new("call_setresgid", Hook::SystemCall("setresgid")),
            Program::new("call_capset", Hook::SystemCall("capset")),
        ],
        blind_to: BLIND_TO,
    },
    Way {
        mechanism: Mechanism::SyscallTracepoint,
        programs: &[
            Program::new("exit_setuid", Hook::Tracepoint("sys_exit_setuid")),
            Program::new("exit_setgid", Hook::Tracepoint("sys_exit_setgid")),
            Program::new("exit_setreuid", Hook::Tracepoint("sys_exit_setreuid")),
            Program::new("exit_setregid", Hook::Tracepoint("sys_exit_setregid")),
            Program::new("exit_setresuid", Hook::Tracepoint("sys_exit_setresuid")),
            Program::new("exit_setresgid", Hook::Tracepoint("sys_exit_setresgid")),
            Program::new("exit_capset", Hook::Tracepoint("sys_exit_capset")),
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
