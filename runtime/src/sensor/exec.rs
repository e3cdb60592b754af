//! Sensor: programs executed.

use super::{Hook, Mechanism, Need, Program, Sensor, Way};

const WAYS: &[Way] = &[Way {
    mechanism: Mechanism::BtfTracepoint,
    programs: &[Program::new("on_exec", Hook::BtfTracepoint("sched_process_exec"))],
    blind_to: "",
}];

/// Tells of programs executed.
pub(super) struct Exec;

impl Sensor for Exec {
    fn need(&self) -> Need {
        Need::Exec
    }

    fn title(&self) -> &'static str {
        "programs executed"
    }

    fn ways(&self) -> &'static [Way] {
        WAYS
    }

    fn without_it(&self) -> &'static str {
        "nothing about processes can be said"
    }
}
