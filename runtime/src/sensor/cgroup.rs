//! Sensor: cgroups made.

use super::{Hook, Mechanism, Need, Program, Sensor, Way};

const WAYS: &[Way] = &[Way {
    mechanism: Mechanism::BtfTracepoint,
    programs: &[Program::new("on_cgroup_mkdir", Hook::BtfTracepoint("cgroup_mkdir"))],
    blind_to: "",
}];

/// Tells of cgroups made.
pub(super) struct CgroupMade;

impl Sensor for CgroupMade {
    fn need(&self) -> Need {
        Need::CgroupMade
    }

    fn title(&self) -> &'static str {
        "cgroups made"
    }

    fn ways(&self) -> &'static [Way] {
        WAYS
    }

    fn without_it(&self) -> &'static str {
        "a container is looked up at its first event instead of before it"
    }
}
