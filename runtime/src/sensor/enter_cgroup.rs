//! Sensor: processes put into cgroups.

use super::{Hook, Mechanism, Need, Program, Sensor, Way};

const WAYS: &[Way] = &[Way {
    mechanism: Mechanism::BtfTracepoint,
    programs: &[Program::new(
        "on_cgroup_attach",
        Hook::BtfTracepoint("cgroup_attach_task"),
    )],
    blind_to: "",
}];

/// Tells of processes that are put into a cgroup of the v2 hierarchy.
pub(super) struct EnterCgroup;

impl Sensor for EnterCgroup {
    fn need(&self) -> Need {
        Need::EnterCgroup
    }

    fn title(&self) -> &'static str {
        "processes put into cgroups"
    }

    fn ways(&self) -> &'static [Way] {
        WAYS
    }

    fn without_it(&self) -> &'static str {
        "that a process changed its cgroup is seen at its next act"
    }
}
