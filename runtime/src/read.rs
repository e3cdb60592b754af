//! The ring buffer in, [`RawEvent`]s out, loss counted.

use std::time::Duration;

use crate::{
    raw::RawEvent,
    sensor::{Plan, SensorError},
};

/// What may leave the kernel; derived from loaded rules and profiles. Fork, exec and exit always may: the process tree
/// is built from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filter {
    /// Only containers' events leave the kernel (processes in another pid or mount namespace than the host's first
    /// process).
    pub containers_only: bool,
}

/// The attached sensors. Everything is detached when it is dropped.
pub struct Eyes;

/// Events that the kernel could not hand over since the start, by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Losses {
    /// All kinds together.
    pub total: u64,
}

impl Eyes {
    /// Loads and attaches what `plan` says. Fails when a planned program is refused.
    pub fn open(_plan: &Plan, _filter: &Filter) -> Result<Self, SensorError> {
        Ok(Self)
    }

    /// Waits up to `timeout` for events and appends what there is to `out`, in the order in which the kernel sent it.
    pub fn next_batch(&mut self, _timeout: Duration, _out: &mut Vec<RawEvent>) -> Result<(), SensorError> {
        Ok(())
    }

    /// What was lost since the start.
    pub fn lost(&self) -> Losses {
        Losses::default()
    }
}
