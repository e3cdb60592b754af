//! The thread that empties the kernel's ring buffer.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{SyncSender, TrySendError},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use plimsoll_model::LossReason;

use super::Input;
use crate::{
    raw::{RawEvent, RawKind, RawTask},
    read::{Eyes, Filter, boot_time_ns},
    sensor::{Plan, SensorError},
};

/// How long the kernel is waited for before `stop` is looked at again.
const PATIENCE: Duration = Duration::from_millis(20);

/// Attaches the sensors. Exec, fork and exit come from the host's processes in any case: engines are among them.
pub(super) fn open(plan: &Plan, filter: &Filter) -> Result<Eyes, SensorError> {
    Eyes::open(plan, filter)
}

/// Reads until `stop` is set, then what is left, and closes with an empty batch.
pub(super) fn start(mut eyes: Eyes, inputs: SyncSender<Input>, stop: Arc<AtomicBool>) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name("sensors".to_owned()).spawn(move || {
        let mut lost = 0;
        loop {
            let is_last = stop.load(Ordering::Relaxed);
            let mut batch = Vec::new();
            if let Err(error) = eyes.next_batch(PATIENCE, &mut batch) {
                let _ = inputs.send(Input::Failed(error));
                return;
            }
            let is_empty = batch.is_empty();
            if !is_empty {
                if lost > 0 {
                    batch.push(lost_in_queue(lost));
                }
                let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
                match inputs.try_send(Input::Batch(batch)) {
                    Ok(()) => lost = 0,
                    Err(TrySendError::Full(_)) => lost += count - u64::from(lost > 0),
                    Err(TrySendError::Disconnected(_)) => return,
                }
            }
            if is_last && is_empty {
                // The pipeline may have gone already; then nobody waits for this.
                if lost > 0 {
                    let _ = inputs.send(Input::Batch(vec![lost_in_queue(lost)]));
                }
                let _ = inputs.send(Input::Batch(Vec::new()));
                return;
            }
        }
    })
}

fn lost_in_queue(count: u64) -> RawEvent {
    RawEvent {
        time_ns: boot_time_ns(),
        cpu: 0,
        task: RawTask::nobody(),
        kind: RawKind::Lost {
            count,
            reason: LossReason::Queue,
        },
    }
}
