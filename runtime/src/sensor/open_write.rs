//! Sensor: files opened for writing.

use super::{Hook, Mechanism, Need, Program, Sensor, Way};

/// Opening is one event, whatever it is for: [`super::open_read`] uses the same programs.
pub(super) const WAYS: &[Way] = &[
    Way {
        mechanism: Mechanism::Lsm,
        programs: &[Program::new("on_file_open", Hook::Lsm("file_open"))],
        blind_to: "",
    },
    Way {
        mechanism: Mechanism::Fexit,
        programs: &[Program::new("on_file_opened", Hook::Fexit("do_filp_open"))],
        blind_to: "opens by open_by_handle_at; opens that preempt another one in this hook (counted as lost)",
    },
    Way {
        mechanism: Mechanism::SyscallTracepoint,
        programs: &[
            Program::new("on_open_returned", Hook::Tracepoint("sys_exit_openat")),
            Program::optional("on_open_returned", Hook::Tracepoint("sys_exit_openat2")),
            Program::optional("on_open_returned", Hook::Tracepoint("sys_exit_open")),
            Program::optional("on_open_returned", Hook::Tracepoint("sys_exit_creat")),
        ],
        blind_to: "opens by 32-bit programs and by open_by_handle_at; links in paths that io_uring opens",
    },
];

/// Tells of files opened for writing.
pub(super) struct OpenWrite;

impl Sensor for OpenWrite {
    fn need(&self) -> Need {
        Need::OpenWrite
    }

    fn title(&self) -> &'static str {
        "files opened for writing"
    }

    fn ways(&self) -> &'static [Way] {
        WAYS
    }

    fn without_it(&self) -> &'static str {
        "files written or dropped go unnoticed"
    }
}
