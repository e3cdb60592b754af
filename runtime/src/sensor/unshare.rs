//! Sensor: namespaces made.

use super::{Hook, Mechanism, Need, Program, Sensor, Way};

const BLIND_TO: &str = "";

/// Those that a process is made in; clone is far too frequent to be looked at as a call.
const AT_BIRTH: Program = Program::new("on_fork_namespaces", Hook::BtfTracepoint("sched_process_fork"));

const WAYS: &[Way] = &[
    Way {
        mechanism: Mechanism::Fexit,
        programs: &[Program::optional("call_unshare", Hook::SystemCall("unshare")), AT_BIRTH],
        blind_to: BLIND_TO,
    },
    Way {
        mechanism: Mechanism::SyscallTracepoint,
        programs: &[
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_unshare")),
            AT_BIRTH,
        ],
        blind_to: BLIND_TO,
    },
];

/// Tells of namespaces made.
pub(super) struct Unshare;

impl Sensor for Unshare {
    fn need(&self) -> Need {
        Need::Unshare
    }

    fn title(&self) -> &'static str {
        "namespaces made"
    }

    fn ways(&self) -> &'static [Way] {
        WAYS
    }

    fn without_it(&self) -> &'static str {
        "new namespaces are seen at the next event of the process only"
    }
}
