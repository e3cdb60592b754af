//! Sensor: files renamed.

use super::{Hook, Mechanism, Need, Program, Sensor, Way};

const BLIND_TO: &str = "paths as they were before the caller changed them: they are read when the call returns";

const WAYS: &[Way] = &[
    Way {
        mechanism: Mechanism::Fexit,
        programs: &[
            Program::optional("call_renameat2", Hook::SystemCall("renameat2")),
            Program::optional("call_renameat", Hook::SystemCall("renameat")),
            Program::optional("call_rename", Hook::SystemCall("rename")),
        ],
        blind_to: BLIND_TO,
    },
    Way {
        mechanism: Mechanism::SyscallTracepoint,
        programs: &[
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_renameat2")),
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_renameat")),
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_rename")),
        ],
        blind_to: BLIND_TO,
    },
];

/// Tells of files renamed.
pub(super) struct Rename;

impl Sensor for Rename {
    fn need(&self) -> Need {
        Need::Rename
    }

    fn title(&self) -> &'static str {
        "files renamed"
    }

    fn ways(&self) -> &'static [Way] {
        WAYS
    }

    fn without_it(&self) -> &'static str {
        "renamed files go unnoticed"
    }
}
