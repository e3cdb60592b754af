//! Sensor: connections asked for.

use super::{Hook, Mechanism, Need, Program, Sensor, Way};

const WAYS: &[Way] = &[Way {
    mechanism: Mechanism::CgroupHook,
    programs: &[
        Program::new("on_connect4", Hook::CgroupSockAddr),
        Program::new("on_connect6", Hook::CgroupSockAddr),
        Program::new("on_sendmsg4", Hook::CgroupSockAddr),
        Program::new("on_sendmsg6", Hook::CgroupSockAddr),
    ],
    blind_to: "raw sockets",
}];

/// Tells of connections asked for.
pub(super) struct Connect;

impl Sensor for Connect {
    fn need(&self) -> Need {
        Need::Connect
    }

    fn title(&self) -> &'static str {
        "connections asked for"
    }

    fn ways(&self) -> &'static [Way] {
        WAYS
    }

    fn without_it(&self) -> &'static str {
        "outgoing connections go unnoticed"
    }
}
