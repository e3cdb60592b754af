//! Sensor: datagrams received.

use super::{Hook, Mechanism, Need, Program, Sensor, Way};

const WAYS: &[Way] = &[
    Way {
        mechanism: Mechanism::Fexit,
        programs: &[
            Program::new("on_udp_received", Hook::Fexit("udp_recvmsg")),
            Program::optional("on_udp6_received", Hook::Fexit("udpv6_recvmsg")),
            Program::optional("on_raw_received", Hook::Fexit("raw_recvmsg")),
            Program::optional("on_raw6_received", Hook::Fexit("rawv6_recvmsg")),
        ],
        blind_to: "packet sockets",
    },
    Way {
        mechanism: Mechanism::CgroupHook,
        programs: &[
            Program::new("on_recvmsg4", Hook::CgroupSockAddr),
            Program::new("on_recvmsg6", Hook::CgroupSockAddr),
        ],
        blind_to: "raw and packet sockets; receivers that do not ask for the sender (recv, read)",
    },
];

/// Tells of datagrams received: once for each socket and sender.
pub(super) struct Receive;

impl Sensor for Receive {
    fn need(&self) -> Need {
        Need::Receive
    }

    fn title(&self) -> &'static str {
        "datagrams received"
    }

    fn ways(&self) -> &'static [Way] {
        WAYS
    }

    fn without_it(&self) -> &'static str {
        "received datagrams go unnoticed"
    }
}
