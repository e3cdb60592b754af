//! Sensor: sockets bound to an address.

use super::{Hook, Mechanism, Need, Program, Sensor, Way};

const WAYS: &[Way] = &[Way {
    mechanism: Mechanism::CgroupHook,
    programs: &[
        Program::new("on_post_bind4", Hook::CgroupSock),
        Program::new("on_post_bind6", Hook::CgroupSock),
    ],
    blind_to: "raw sockets",
}];

/// Tells of sockets bound to an address.
pub(super) struct Bind;

impl Sensor for Bind {
    fn need(&self) -> Need {
        Need::Bind
    }

    fn title(&self) -> &'static str {
        "sockets bound to an address"
    }

    fn ways(&self) -> &'static [Way] {
        WAYS
    }

    fn without_it(&self) -> &'static str {
        "new UDP ports go unnoticed"
    }
}
