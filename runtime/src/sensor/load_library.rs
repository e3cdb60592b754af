//! Sensor: files mapped to be executed, of containers' processes.

use super::{Hook, Mechanism, Need, Program, Sensor, Way};

const WAYS: &[Way] = &[
    Way {
        mechanism: Mechanism::Lsm,
        programs: &[
            Program::new("on_mmap_file", Hook::Lsm("mmap_file")),
            Program::new("on_file_mprotect", Hook::Lsm("file_mprotect")),
        ],
        blind_to: "",
    },
    Way {
        mechanism: Mechanism::Fexit,
        programs: &[
            Program::new("on_mmap_asked", Hook::Fexit("security_mmap_file")),
            Program::new("on_mprotect_asked", Hook::Fexit("security_file_mprotect")),
        ],
        blind_to: "",
    },
    Way {
        mechanism: Mechanism::SyscallTracepoint,
        programs: &[Program::new("on_mmap_returned", Hook::Tracepoint("sys_exit_mmap"))],
        blind_to: "files made executable after they were mapped (mprotect); 32-bit programs",
    },
];

/// Tells of libraries loaded: once for each program of a container, and of what was written since, for each process.
pub(super) struct LoadLibrary;

impl Sensor for LoadLibrary {
    fn need(&self) -> Need {
        Need::LoadLibrary
    }

    fn title(&self) -> &'static str {
        "libraries loaded"
    }

    fn ways(&self) -> &'static [Way] {
        WAYS
    }

    fn without_it(&self) -> &'static str {
        "libraries that the image does not hold go unnoticed"
    }
}
