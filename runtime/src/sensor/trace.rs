//! Sensor: processes traced or written to.

use super::{Hook, Mechanism, Need, Program, Sensor, Way};

const BLIND_TO: &str = "";

const WAYS: &[Way] = &[
    Way {
        mechanism: Mechanism::Fexit,
        programs: &[
            Program::optional("call_ptrace", Hook::SystemCall("ptrace")),
            Program::optional("call_process_vm_writev", Hook::SystemCall("process_vm_writev")),
        ],
        blind_to: BLIND_TO,
    },
    Way {
        mechanism: Mechanism::SyscallTracepoint,
        programs: &[
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_ptrace")),
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_process_vm_writev")),
        ],
        blind_to: BLIND_TO,
    },
];

/// Tells of processes traced or written to.
pub(super) struct Trace;

impl Sensor for Trace {
    fn need(&self) -> Need {
        Need::Trace
    }

    fn title(&self) -> &'static str {
        "processes traced or written to"
    }

    fn ways(&self) -> &'static [Way] {
        WAYS
    }

    fn without_it(&self) -> &'static str {
        "injection of code into other processes goes unnoticed"
    }
}
