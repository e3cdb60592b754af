//! Sensor: kernel modules loaded.

use super::{Hook, Mechanism, Need, Program, Sensor, Way};

const BLIND_TO: &str = "";

const WAYS: &[Way] = &[
    Way {
        mechanism: Mechanism::Fexit,
        programs: &[
            Program::optional("call_init_module", Hook::SystemCall("init_module")),
            Program::optional("call_finit_module", Hook::SystemCall("finit_module")),
        ],
        blind_to: BLIND_TO,
    },
    Way {
        mechanism: Mechanism::SyscallTracepoint,
        programs: &[
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_init_module")),
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_finit_module")),
        ],
        blind_to: BLIND_TO,
    },
];

/// Tells of kernel modules loaded.
pub(super) struct LoadModule;

impl Sensor for LoadModule {
    fn need(&self) -> Need {
        Need::LoadModule
    }

    fn title(&self) -> &'static str {
        "kernel modules loaded"
    }

    fn ways(&self) -> &'static [Way] {
        WAYS
    }

    fn without_it(&self) -> &'static str {
        "loaded kernel modules go unnoticed"
    }
}
