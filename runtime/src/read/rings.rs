//! What of io_uring's requests leaves the kernel: a plan in, the calls that somebody asks for in a map out.

use aya::{Ebpf, maps::Array};

use crate::{
    load::{refused, take},
    sensor::{Mechanism, Need, Plan, SensorError},
};

/// Whether opens come from system calls, which rings do not make.
pub(super) fn hide_opens(plan: &Plan) -> bool {
    let ways = plan
        .entries
        .iter()
        .filter(|entry| matches!(entry.need, Need::OpenWrite | Need::OpenRead))
        .filter_map(|entry| entry.way);
    ways.into_iter()
        .any(|way| way.mechanism == Mechanism::SyscallTracepoint)
}

/// Tells the kernel side which calls are asked for: one bit each, by their numbers.
pub(super) fn fill(object: &mut Ebpf, plan: &Plan) -> Result<(), SensorError> {
    let mut map: Array<_, u64> = Array::try_from(take(object, "asked_calls")?).map_err(refused("asked_calls"))?;
    let asked = plan.entries.iter().filter(|entry| entry.way.is_some());
    let calls = asked.flat_map(|entry| entry.need.calls());
    let bits = calls.fold(0u64, |bits, call| bits | 1 << *call as u32);
    map.set(0, bits, 0).map_err(refused("asked_calls"))
}
