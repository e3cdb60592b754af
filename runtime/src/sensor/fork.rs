//! Sensor: processes made.

use super::{Hook, Mechanism, Need, Program, Sensor, Way};

const WAYS: &[Way] = &[Way {
    mechanism: Mechanism::BtfTracepoint,
    programs: &[Program::new("on_fork", Hook::BtfTracepoint("sched_process_fork"))],
    blind_to: "",
}];

/// Tells of processes made.
pub(super) struct Fork;

impl Sensor for Fork {
    fn need(&self) -> Need {
        Need::Fork
    }

    fn title(&self) -> &'static str {
        "processes made"
    }

    fn ways(&self) -> &'static [Way] {
        WAYS
    }

    fn without_it(&self) -> &'static str {
        "parents and phases are unknown"
    }
}
