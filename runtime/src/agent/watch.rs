//! The thread that empties the kernel's ring buffer.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use plimsoll_model::LossReason;

use super::{Input, handover::Handover, reload::NewRules};
use crate::{
    output::SharedVitals,
    raw::{RawEvent, RawKind, RawTask},
    read::{Eyes, Filter, Losses, boot_time_ns},
    sensor::{Plan, SensorError},
};

/// How long the kernel is waited for before `stop` is looked at again.
const PATIENCE: Duration = Duration::from_millis(20);
/// The same while two ring buffers are to be emptied.
const SHORT_PATIENCE: Duration = Duration::from_millis(1);

/// What happened before the end is read for this long at most.
const LAST_READ_NS: u64 = 3_000_000_000;

/// Batches that are read before rules change: many times what the ring buffer holds.
const MAX_TURN_BATCHES: usize = 64;

/// Attaches the sensors. Exec, fork and exit come from the host's processes in any case: engines are among them.
pub(super) fn open(plan: &Plan, filter: &Filter) -> Result<Eyes, SensorError> {
    Eyes::open(plan, filter)
}

/// Reads until `stop` is set, then what is left, and closes with an empty batch. Rules that are given meanwhile are passed on
/// between what happened before and after that moment; sensors that come with them take the place of those before.
pub(super) fn start(
    eyes: Eyes,
    given: Receiver<NewRules>,
    inputs: SyncSender<Input>,
    stop: Arc<AtomicBool>,
    vitals: SharedVitals,
) -> io::Result<JoinHandle<()>> {
    let mut sight = Sight {
        eyes,
        next: None,
        before: Losses::default(),
        said: Losses::default(),
    };
    let mut feed = Feed {
        inputs,
        lost: 0,
        vitals,
    };
    thread::Builder::new().name("sensors".to_owned()).spawn(move || {
        if let Err(error) = sight.watch(&given, &mut feed, &stop) {
            let _ = feed.inputs.send(Input::Failed(error));
        }
    })
}

/// The way to the pipeline.
struct Feed {
    inputs: SyncSender<Input>,
    /// Events that found no room since that was last said.
    lost: u64,
    vitals: SharedVitals,
}

impl Feed {
    /// Nobody waits for the pipeline: what finds no room is lost, and counted. False: nobody listens any more.
    fn send(&mut self, mut batch: Vec<RawEvent>) -> bool {
        if batch.is_empty() {
            return true;
        }
        if self.lost > 0 {
            batch.push(lost_in_queue(self.lost));
        }
        let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        match self.inputs.try_send(Input::Batch(batch)) {
            Ok(()) => {
                self.lost = 0;
                self.vitals.depths().batches.enter();
            }
            Err(TrySendError::Full(_)) => self.lost += count - u64::from(self.lost > 0),
            Err(TrySendError::Disconnected(_)) => return false,
        }
        true
    }

    /// The pipeline may have gone already; then nobody waits for this.
    fn close(&mut self) {
        if self.lost > 0 {
            self.vitals.depths().batches.enter();
            let _ = self.inputs.send(Input::Batch(vec![lost_in_queue(self.lost)]));
        }
        let _ = self.inputs.send(Input::Batch(Vec::new()));
    }
}

/// The sensors that count, and during a hand-over those that will.
struct Sight {
    eyes: Eyes,
    next: Option<(Eyes, Handover)>,
    /// What sensors that are no more had lost.
    before: Losses,
    /// As others were told last.
    said: Losses,
}

impl Sight {
    /// Until the end.
    fn watch(&mut self, given: &Receiver<NewRules>, feed: &mut Feed, stop: &AtomicBool) -> Result<(), SensorError> {
        let mut end_ns = None;
        loop {
            if self.next.is_none()
                && let Ok(mut new) = given.try_recv()
            {
                let before = self.turn(new.eyes.take())?;
                if !feed.send(before) || feed.inputs.send(Input::Rules(Box::new(new))).is_err() {
                    return Ok(());
                }
            }
            if stop.load(Ordering::Relaxed) {
                end_ns.get_or_insert_with(boot_time_ns);
            }
            let mut batch = Vec::new();
            self.next_batch(&mut batch)?;
            let is_end = self.next.is_none() && end_ns.is_some_and(|end_ns| is_over(&batch, end_ns));
            if is_end {
                // What was lost since it was last counted is to be known before the end.
                self.eyes.count_losses(&mut batch)?;
            }
            self.tell_losses(&feed.vitals);
            if !feed.send(batch) {
                return Ok(());
            }
            if is_end {
                feed.close();
                return Ok(());
            }
        }
    }

    /// Everything that happened up to now. What happens from now on is new sensors' business, too, where there are any.
    fn turn(&mut self, eyes: Option<Eyes>) -> Result<Vec<RawEvent>, SensorError> {
        let now_ns = boot_time_ns();
        let mut events = Vec::new();
        for _ in 0..MAX_TURN_BATCHES {
            let before = events.len();
            self.eyes.next_batch(Duration::ZERO, &mut events)?;
            if events.len() == before {
                break;
            }
        }
        if let Some(eyes) = eyes {
            let mut handover = Handover::begin(now_ns);
            let (before, after) = events.into_iter().partition(|event| event.time_ns < now_ns);
            events = before;
            handover.hear_old(after, now_ns);
            self.next = Some((eyes, handover));
        }
        Ok(events)
    }

    fn tell_losses(&mut self, vitals: &SharedVitals) {
        let now = self.before.plus(self.eyes.lost());
        if now != self.said {
            self.said = now;
            vitals.lock().kernel_losses = now;
        }
    }

    fn next_batch(&mut self, batch: &mut Vec<RawEvent>) -> Result<(), SensorError> {
        let Some((new, handover)) = &mut self.next else {
            return self.eyes.next_batch(PATIENCE, batch);
        };
        let (now_ns, mut said) = (boot_time_ns(), Vec::new());
        self.eyes.next_batch(SHORT_PATIENCE, &mut said)?;
        handover.hear_old(said, now_ns);
        let (now_ns, mut said) = (boot_time_ns(), Vec::new());
        new.next_batch(SHORT_PATIENCE, &mut said)?;
        handover.hear_new(said, now_ns);
        if handover.is_over()
            && let Some((new, handover)) = self.next.take()
        {
            let mut old = std::mem::replace(&mut self.eyes, new);
            old.count_losses(batch)?;
            self.before = self.before.plus(old.lost());
            batch.extend(handover.finish());
            // The kernel takes its time to detach programs: the new ring buffer must not fill meanwhile.
            let detach = thread::Builder::new().name("detach".to_owned());
            detach.spawn(move || drop(old)).map_err(SensorError::Read)?;
        }
        Ok(())
    }
}

/// Whether all that happened before the end has been read. What goes on happening would never let it end: the agent's own
/// acts may be among it.
fn is_over(batch: &[RawEvent], end_ns: u64) -> bool {
    batch.iter().all(|event| event.time_ns > end_ns) || boot_time_ns() > end_ns + LAST_READ_NS
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
