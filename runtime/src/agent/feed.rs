//! The way from the sensors' thread to the pipeline's: events in order, never waited for, and each that finds no room counted.

use std::{
    collections::BTreeMap,
    sync::mpsc::{SyncSender, TrySendError},
};

use plimsoll_model::LossReason;

use super::{Input, reload::NewRules};
use crate::{
    limits::BATCH_EVENTS,
    output::SharedVitals,
    raw::{RawEvent, RawKind, RawTask},
    read::boot_time_ns,
    sensor::SensorError,
};

/// The sensors' end of it.
pub(super) struct Feed {
    inputs: SyncSender<Input>,
    /// What found no room yet, in order; little more than one batch.
    waiting: Vec<RawEvent>,
    vitals: SharedVitals,
}

impl Feed {
    pub(super) fn new(inputs: SyncSender<Input>, vitals: SharedVitals) -> Self {
        Self {
            inputs,
            waiting: Vec::new(),
            vitals,
        }
    }

    pub(super) fn vitals(&self) -> &SharedVitals {
        &self.vitals
    }

    /// Nobody waits for the pipeline: what finds no room goes with the next batch, and what is more than a batch then is lost,
    /// and counted. False: nobody listens any more.
    pub(super) fn send(&mut self, mut batch: Vec<RawEvent>) -> bool {
        if !self.waiting.is_empty() {
            self.waiting.append(&mut batch);
            batch = std::mem::take(&mut self.waiting);
        }
        if batch.is_empty() {
            return true;
        }
        match self.inputs.try_send(Input::Batch(batch)) {
            Ok(()) => self.vitals.depths().batches.enter(),
            Err(TrySendError::Full(Input::Batch(batch))) => self.waiting = shortened(batch),
            Err(_) => return false,
        }
        true
    }

    /// Other rules judge what is sent from now on, and only that: this waits for room. False: nobody listens any more.
    pub(super) fn change_rules(&mut self, new: NewRules) -> bool {
        self.send_waiting() && self.inputs.send(Input::Rules(Box::new(new))).is_ok()
    }

    /// The end, by a fault. The pipeline may have gone already; then nobody waits for this.
    pub(super) fn fail(&mut self, error: SensorError) {
        let _ = self.send_waiting() && self.inputs.send(Input::Failed(error)).is_ok();
    }

    /// The end. The pipeline may have gone already; then nobody waits for this.
    pub(super) fn close(&mut self) {
        let _ = self.send_waiting() && self.inputs.send(Input::Batch(Vec::new())).is_ok();
    }

    fn send_waiting(&mut self) -> bool {
        let waiting = std::mem::take(&mut self.waiting);
        if waiting.is_empty() {
            return true;
        }
        self.vitals.depths().batches.enter();
        self.inputs.send(Input::Batch(waiting)).is_ok()
    }
}

/// The first events of a batch that has become too long, and how many more there were. A loss that was told among them stays told.
fn shortened(mut batch: Vec<RawEvent>) -> Vec<RawEvent> {
    if batch.len() <= BATCH_EVENTS {
        return batch;
    }
    let mut lost = BTreeMap::new();
    for event in batch.split_off(BATCH_EVENTS) {
        let (count, reason) = match event.kind {
            RawKind::Lost { count, reason } => (count, reason),
            _ => (1, LossReason::Queue),
        };
        *lost.entry(reason).or_insert(0) += count;
    }
    let time_ns = boot_time_ns();
    batch.extend(lost.into_iter().map(|(reason, count)| RawEvent {
        time_ns,
        cpu: 0,
        task: RawTask::nobody(),
        kind: RawKind::Lost { count, reason },
    }));
    batch
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, sync_channel};

    use super::*;

    fn event(kind: RawKind) -> RawEvent {
        RawEvent {
            time_ns: 1,
            cpu: 0,
            task: RawTask::nobody(),
            kind,
        }
    }

    fn exits(count: usize) -> Vec<RawEvent> {
        let status = |number| i32::try_from(number).unwrap();
        (0..count)
            .map(|number| event(RawKind::Exit { status: status(number) }))
            .collect()
    }

    fn kernel_loss(count: u64) -> RawEvent {
        event(RawKind::Lost {
            count,
            reason: LossReason::RingBuffer,
        })
    }

    /// Events that arrived, and what was told as lost: in the kernel, and in the queue.
    fn received(inputs: &Receiver<Input>) -> (u64, u64, u64) {
        let (mut events, mut kernel, mut queue) = (0, 0, 0);
        while let Ok(Input::Batch(batch)) = inputs.try_recv() {
            for event in batch {
                match event.kind {
                    RawKind::Lost {
                        count,
                        reason: LossReason::Queue,
                    } => queue += count,
                    RawKind::Lost { count, .. } => kernel += count,
                    _ => events += 1,
                }
            }
        }
        (events, kernel, queue)
    }

    #[test]
    fn small_batches_wait_in_order_while_there_is_no_room() {
        let (sender, inputs) = sync_channel(1);
        let mut feed = Feed::new(sender, SharedVitals::default());
        for event in exits(100) {
            assert!(feed.send(vec![event]));
        }
        let Ok(Input::Batch(first)) = inputs.try_recv() else {
            panic!("the first batch found room");
        };
        assert!(feed.send(Vec::new()));
        let Ok(Input::Batch(rest)) = inputs.try_recv() else {
            panic!("the others are sent once there is room");
        };
        let all: Vec<RawEvent> = first.into_iter().chain(rest).collect();
        assert_eq!(all, exits(100));
    }

    #[test]
    fn what_finds_no_room_is_counted_with_the_losses_among_it() {
        let (sender, inputs) = sync_channel(1);
        let mut feed = Feed::new(sender, SharedVitals::default());
        let (batches, size) = (5, BATCH_EVENTS / 2);
        for _ in 0..batches {
            let mut batch = exits(size);
            batch.push(kernel_loss(1_000));
            assert!(feed.send(batch));
        }
        let first = received(&inputs);
        assert!(feed.send(Vec::new()));
        let rest = received(&inputs);
        let (events, kernel, queue) = (first.0 + rest.0, first.1 + rest.1, first.2 + rest.2);
        assert_eq!(kernel, batches * 1_000);
        assert!(queue > 0, "two batches are all that is kept");
        assert_eq!(events + queue, batches * size as u64);
    }

    #[test]
    fn what_waits_is_told_before_the_end() {
        let (sender, inputs) = sync_channel(1);
        let mut feed = Feed::new(sender, SharedVitals::default());
        assert!(feed.send(exits(1)) && feed.send(vec![kernel_loss(7)]));
        let end = std::thread::spawn(move || feed.close());
        let mut batches = Vec::new();
        while let Ok(Input::Batch(batch)) = inputs.recv() {
            batches.push(batch);
        }
        end.join().unwrap();
        assert_eq!(batches, [exits(1), vec![kernel_loss(7)], Vec::new()]);
    }
}
