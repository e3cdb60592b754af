//! Sensor: capabilities asked for and granted, of containers' processes.

use super::{Hook, Mechanism, Need, Program, Sensor, Way};

const WAYS: &[Way] = &[
    Way {
        mechanism: Mechanism::Lsm,
        programs: &[Program::new("on_capable", Hook::Lsm("capable"))],
        blind_to: "capabilities over a user namespace of one's own",
    },
    Way {
        mechanism: Mechanism::Fexit,
        programs: &[Program::new("on_capable_granted", Hook::Fexit("security_capable"))],
        blind_to: "capabilities over a user namespace of one's own",
    },
    Way {
        mechanism: Mechanism::BtfTracepoint,
        programs: &[Program::optional(
            "on_capable_asked",
            Hook::BtfTracepoint("cap_capable"),
        )],
        blind_to: "everything before Linux 6.14; of CAP_SYS_ADMIN all but mounts, namespaces, BPF and host names",
    },
];

/// Tells of capabilities that containers seldom need: once for each program of a process and capability.
pub(super) struct UseCapability;

impl Sensor for UseCapability {
    fn need(&self) -> Need {
        Need::UseCapability
    }

    fn title(&self) -> &'static str {
        "capabilities used"
    }

    fn ways(&self) -> &'static [Way] {
        WAYS
    }

    fn without_it(&self) -> &'static str {
        "what is done by right of a capability goes unnoticed, but for what rules ask for by name"
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_kernel_side_tells_what_the_policy_judges() {
        let header = include_str!("../../bpf/capability.h");
        let line = header
            .lines()
            .find(|line| line.starts_with("#define TOLD_CAPABILITIES "));
        let number = line.and_then(|line| line.split_whitespace().nth(2)).unwrap();
        let number = number.trim_start_matches("0x").trim_end_matches("ULL");
        let told = u64::from_str_radix(number, 16).unwrap();
        assert_eq!(told, plimsoll_policy::telling_capabilities());
    }
}
