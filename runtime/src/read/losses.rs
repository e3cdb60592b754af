//! What did not arrive: sums since the start in, events that tell of what is new in them out.

use plimsoll_model::LossReason;

use super::boot_time_ns;
use crate::{
    raw::{RawEvent, RawKind, RawTask},
    wire,
};

/// Events that did not arrive since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Losses {
    /// The ring buffer (or the kernel side's work area) was full; one number for each of [`wire::KINDS`].
    pub by_kernel: [u64; wire::KINDS.len()],
    /// A hook was entered again, on the same processor, before its program was done.
    pub missed: u64,
    /// They had arrived when the end came, and there was no time to read them.
    pub left: u64,
    /// Records that do not follow the layout: our own bug.
    pub undecodable: u64,
}

impl Losses {
    /// The sum of both.
    pub(crate) fn plus(mut self, other: Self) -> Self {
        for (sum, more) in self.by_kernel.iter_mut().zip(other.by_kernel) {
            *sum += more;
        }
        self.missed += other.missed;
        self.left += other.left;
        self.undecodable += other.undecodable;
        self
    }

    /// What the kernel side could not hand over, or not in time.
    fn unsent(&self) -> u64 {
        self.by_kernel.iter().sum::<u64>() + self.missed + self.left
    }

    /// All together.
    pub fn total(&self) -> u64 {
        self.unsent() + self.undecodable
    }
}

/// Losses, and how much of them has been told.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) sums: Losses,
    told: Losses,
}

impl Ledger {
    /// Tells what has been lost since it was last told.
    pub(super) fn tell(&mut self, out: &mut Vec<RawEvent>) {
        for (now, then, reason) in [
            (self.sums.unsent(), self.told.unsent(), LossReason::RingBuffer),
            (self.sums.undecodable, self.told.undecodable, LossReason::Decode),
        ] {
            if now > then {
                out.push(lost_event(now - then, reason));
            }
        }
        self.told = self.sums;
    }
}

fn lost_event(count: u64, reason: LossReason) -> RawEvent {
    RawEvent {
        time_ns: boot_time_ns(),
        cpu: 0,
        task: RawTask::nobody(),
        kind: RawKind::Lost { count, reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(ledger: &mut Ledger) -> Vec<(u64, LossReason)> {
        let mut out = Vec::new();
        ledger.tell(&mut out);
        out.into_iter()
            .map(|event| match event.kind {
                RawKind::Lost { count, reason } => (count, reason),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn each_loss_is_told_once_whatever_it_was_of() {
        let mut ledger = Ledger::default();
        assert_eq!(told(&mut ledger), []);
        let mut sum = 0;
        for kind in 0..wire::KINDS.len() {
            ledger.sums.by_kernel[kind] += kind as u64 + 1;
            sum += kind as u64 + 1;
            assert_eq!(told(&mut ledger), [(kind as u64 + 1, LossReason::RingBuffer)]);
        }
        ledger.sums.missed = 2;
        ledger.sums.left = 3;
        ledger.sums.undecodable = 1;
        assert_eq!(
            told(&mut ledger),
            [(5, LossReason::RingBuffer), (1, LossReason::Decode)]
        );
        assert_eq!(told(&mut ledger), []);
        assert_eq!(ledger.sums.total(), sum + 6);
    }
}
