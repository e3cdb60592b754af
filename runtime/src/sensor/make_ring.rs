//! Sensor: rings of io_uring made.

use super::{Hook, Mechanism, Need, Program, Sensor, Way};

const WAYS: &[Way] = &[
    Way {
        mechanism: Mechanism::Fexit,
        programs: &[Program::optional(
            "call_io_uring_setup",
            Hook::SystemCall("io_uring_setup"),
        )],
        blind_to: "",
    },
    Way {
        mechanism: Mechanism::SyscallTracepoint,
        programs: &[Program::optional(
            "on_call_returned",
            Hook::Tracepoint("sys_exit_io_uring_setup"),
        )],
        blind_to: "",
    },
];

/// Tells of rings made.
pub(super) struct MakeRing;

impl Sensor for MakeRing {
    fn need(&self) -> Need {
        Need::MakeRing
    }

    fn title(&self) -> &'static str {
        "rings of io_uring made"
    }

    fn ways(&self) -> &'static [Way] {
        WAYS
    }

    fn without_it(&self) -> &'static str {
        "that somebody uses io_uring goes unnoticed"
    }
}
