//! Sensor: folders made and removed.

use super::{Hook, Mechanism, Need, Program, Sensor, Way};

const BLIND_TO: &str = "paths as they were before the caller changed them: they are read when the call returns";

const WAYS: &[Way] = &[
    Way {
        mechanism: Mechanism::Fexit,
        programs: &[
            Program::optional("call_mkdirat", Hook::SystemCall("mkdirat")),
            Program::optional("call_mkdir", Hook::SystemCall("mkdir")),
            Program::optional("call_rmdir", Hook::SystemCall("rmdir")),
        ],
        blind_to: BLIND_TO,
    },
    Way {
        mechanism: Mechanism::SyscallTracepoint,
        programs: &[
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_mkdirat")),
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_mkdir")),
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_rmdir")),
        ],
        blind_to: BLIND_TO,
    },
];

/// Tells of folders made and removed.
pub(super) struct MakeFolder;

impl Sensor for MakeFolder {
    fn need(&self) -> Need {
        Need::MakeFolder
    }

    fn title(&self) -> &'static str {
        "folders made and removed"
    }

    fn ways(&self) -> &'static [Way] {
        WAYS
    }

    fn without_it(&self) -> &'static str {
        "new and removed folders go unnoticed"
    }
}
