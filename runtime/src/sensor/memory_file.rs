//! Sensor: files made in memory.

use super::{Hook, Mechanism, Need, Program, Sensor, Way};

const BLIND_TO: &str = "";

const WAYS: &[Way] = &[
    Way {
        mechanism: Mechanism::Fexit,
        programs: &[
            Program::optional("call_memfd_create", Hook::SystemCall("memfd_create")),
            Program::optional("call_userfaultfd", Hook::SystemCall("userfaultfd")),
        ],
        blind_to: BLIND_TO,
    },
    Way {
        mechanism: Mechanism::SyscallTracepoint,
        programs: &[
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_memfd_create")),
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_userfaultfd")),
        ],
        blind_to: BLIND_TO,
    },
];

/// Tells of files made in memory.
pub(super) struct MemoryFile;

impl Sensor for MemoryFile {
    fn need(&self) -> Need {
        Need::MemoryFile
    }

    fn title(&self) -> &'static str {
        "files made in memory"
    }

    fn ways(&self) -> &'static [Way] {
        WAYS
    }

    fn without_it(&self) -> &'static str {
        "files in memory are seen when they are executed only"
    }
}
