//! Sensor: sockets that listen.

use super::{Hook, Mechanism, Need, Program, Sensor, Way};

const WAYS: &[Way] = &[Way {
    mechanism: Mechanism::BtfTracepoint,
    programs: &[Program::new(
        "on_sock_state",
        Hook::BtfTracepoint("inet_sock_set_state"),
    )],
    blind_to: "",
}];

/// Tells of sockets that listen.
pub(super) struct Listen;

impl Sensor for Listen {
    fn need(&self) -> Need {
        Need::Listen
    }

    fn title(&self) -> &'static str {
        "sockets that listen"
    }

    fn ways(&self) -> &'static [Way] {
        WAYS
    }

    fn without_it(&self) -> &'static str {
        "new listening ports go unnoticed; binds are still seen"
    }
}
