//! Sensor: symbolic links made.

use super::{Hook, Mechanism, Need, Program, Sensor, Way};

const BLIND_TO: &str = "paths as they were before the caller changed them: they are read when the call returns";

const WAYS: &[Way] = &[
    Way {
        mechanism: Mechanism::Fexit,
        programs: &[
            Program::optional("call_symlinkat", Hook::SystemCall("symlinkat")),
            Program::optional("call_symlink", Hook::SystemCall("symlink")),
        ],
        blind_to: BLIND_TO,
    },
    Way {
        mechanism: Mechanism::SyscallTracepoint,
        programs: &[
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_symlinkat")),
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_symlink")),
        ],
        blind_to: BLIND_TO,
    },
];

/// Tells of symbolic links made.
pub(super) struct Symlink;

impl Sensor for Symlink {
    fn need(&self) -> Need {
        Need::Symlink
    }

    fn title(&self) -> &'static str {
        "symbolic links made"
    }

    fn ways(&self) -> &'static [Way] {
        WAYS
    }

    fn without_it(&self) -> &'static str {
        "symbolic links to sensitive files go unnoticed"
    }
}
