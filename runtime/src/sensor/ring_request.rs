//! Sensor: requests made by io_uring.

use super::{Hook, Mechanism, Need, Program, Sensor, Way};

// The tracepoint had another name until 6.2; kernels without io_uring have neither.
const WAYS: &[Way] = &[Way {
    mechanism: Mechanism::BtfTracepoint,
    programs: &[
        Program::optional("on_ring_request", Hook::BtfTracepoint("io_uring_submit_req")),
        Program::optional("on_ring_request_61", Hook::BtfTracepoint("io_uring_submit_sqe")),
    ],
    blind_to: "kernels before 6.0; results, since requests are told when they are made; links in paths",
}];

/// Tells of what io_uring is asked to do where nothing else sees it.
pub(super) struct RingRequest;

impl Sensor for RingRequest {
    fn need(&self) -> Need {
        Need::RingRequest
    }

    fn title(&self) -> &'static str {
        "requests made by io_uring"
    }

    fn ways(&self) -> &'static [Way] {
        WAYS
    }

    fn without_it(&self) -> &'static str {
        "what io_uring is asked to do goes unnoticed where system calls are looked at"
    }
}
