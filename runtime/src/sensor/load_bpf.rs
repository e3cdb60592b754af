//! Sensor: BPF used.

use super::{Hook, Mechanism, Need, Program, Sensor, Way};

const BLIND_TO: &str = "";

const WAYS: &[Way] = &[
    Way {
        mechanism: Mechanism::Fexit,
        programs: &[Program::optional("call_bpf", Hook::SystemCall("bpf"))],
        blind_to: BLIND_TO,
    },
    Way {
        mechanism: Mechanism::SyscallTracepoint,
        programs: &[Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_bpf"))],
        blind_to: BLIND_TO,
    },
];

/// Tells of BPF used.
pub(super) struct LoadBpf;

impl Sensor for LoadBpf {
    fn need(&self) -> Need {
        Need::LoadBpf
    }

    fn title(&self) -> &'static str {
        "BPF used"
    }

    fn ways(&self) -> &'static [Way] {
        WAYS
    }

    fn without_it(&self) -> &'static str {
        "loaded BPF programs go unnoticed"
    }
}
