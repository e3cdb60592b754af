//! Sensor: processes ended.

use super::{Hook, Mechanism, Need, Program, Sensor, Way};

const WAYS: &[Way] = &[Way {
    mechanism: Mechanism::BtfTracepoint,
    programs: &[Program::new("on_exit", Hook::BtfTracepoint("sched_process_exit"))],
    blind_to: "",
}];

/// Tells of processes ended.
pub(super) struct Exit;

impl Sensor for Exit {
    fn need(&self) -> Need {
        Need::Exit
    }

    fn title(&self) -> &'static str {
        "processes ended"
    }

    fn ways(&self) -> &'static [Way] {
        WAYS
    }

    fn without_it(&self) -> &'static str {
        "the process tree only grows"
    }
}
