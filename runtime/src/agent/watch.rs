//! The thread that empties the kernel's ring buffer.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use super::{Input, feed::Feed, handover::Handover, reload::NewRules};
use crate::{
    output::SharedVitals,
    raw::RawEvent,
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
    let mut feed = Feed::new(inputs, vitals);
    thread::Builder::new().name("sensors".to_owned()).spawn(move || {
        if let Err(error) = sight.watch(&given, &mut feed, &stop) {
            feed.fail(error);
        }
    })
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
                if !feed.send(before) || !feed.change_rules(new) {
                    return Ok(());
                }
            }
            if stop.load(Ordering::Relaxed) {
                end_ns.get_or_insert_with(boot_time_ns);
            }
            let mut batch = Vec::new();
            self.next_batch(&mut batch)?;
            let ended = end_ns.filter(|end_ns| self.next.is_none() && is_over(&batch, *end_ns));
            if let Some(end_ns) = ended {
                self.eyes.leave_rest(end_ns);
                // What was lost since it was last counted is to be known before the end.
                self.eyes.count_losses(&mut batch)?;
            }
            self.tell_losses(feed.vitals());
            if !feed.send(batch) {
                return Ok(());
            }
            if ended.is_some() {
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
