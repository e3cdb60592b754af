//! One output at work: reads batches behind its cursor, sends them, waits longer after each failure, settles what was
//! taken. It runs on a thread of its own, so a dead or slow one holds up nobody.

use std::{
    collections::{HashSet, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep, timeout};

use super::{
    Notices, Output, Pace, Sent,
    spool::{Reader, Record, Shared},
};
use crate::limits::MAX_BATCH_BYTES;

/// A look at the end flag at least this often.
const GLANCE: Duration = Duration::from_millis(250);
/// Batches take longer than one request: some outputs make one per record.
const REQUESTS_PER_BATCH: u32 = 4;

/// One output and all that it needs.
pub(super) struct Driver {
    pub(super) name: &'static str,
    pub(super) position: usize,
    pub(super) output: Box<dyn Output>,
    pub(super) shared: Arc<Shared>,
    pub(super) pace: Pace,
    pub(super) notices: Notices,
    /// Set when nothing more comes: what waits is sent, for as long as [`Pace::drain`] says.
    pub(super) is_ending: Arc<AtomicBool>,
}

impl Driver {
    /// Runs until the end.
    pub(super) fn run(mut self) {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                self.notices.say(format!("output {} does not run: {error}", self.name));
                return;
            }
        };
        runtime.block_on(async {
            for task in self.output.background() {
                tokio::spawn(task);
            }
            self.deliver().await;
        });
        // A request that hangs must not hold up the agent's end.
        runtime.shutdown_background();
    }

    async fn deliver(&mut self) {
        let mut reader = Reader::new(Arc::clone(&self.shared), self.position);
        let mut pending: VecDeque<Record> = VecDeque::new();
        let mut trouble = Trouble::new(self.pace);
        let mut told_lost = 0;
        let mut deadline = None;
        loop {
            self.tell_losses(&mut told_lost);
            if self.is_ending.load(Ordering::Relaxed) {
                let at = *deadline.get_or_insert_with(|| Instant::now() + self.pace.drain);
                if Instant::now() >= at {
                    return;
                }
            }
            self.fill(&mut reader, &mut pending, &mut trouble);
            if pending.is_empty() {
                if deadline.is_some() && !trouble.is_on() {
                    return;
                }
                let _ = timeout(GLANCE, self.shared.wait(self.position)).await;
                continue;
            }
            match self.try_batch(&mut pending, deadline).await {
                None => {
                    if trouble.end() {
                        self.notices.say(format!("output {} works again", self.name));
                    }
                }
                Some(error) => {
                    let waiting = self.shared.summary(self.position).waiting;
                    if trouble.begin() {
                        self.notices.say(format!(
                            "output {} does not take alerts: {error}; {waiting} wait on disk, trying again",
                            self.name
                        ));
                    }
                    self.pause(trouble.next_wait(), deadline).await;
                }
            }
        }
    }

    /// Reads more, and settles what this output does not want.
    fn fill(&self, reader: &mut Reader, pending: &mut VecDeque<Record>, trouble: &mut Trouble) {
        let room = self.output.batch_records().saturating_sub(pending.len());
        match reader.read(room, MAX_BATCH_BYTES) {
            Ok(records) => {
                let last = records.last().map(|record| record.number);
                let wants_changes = self.output.wants_changes();
                pending.extend(records.into_iter().filter(|record| wants_changes || !record.is_change));
                if let Some(last) = last.filter(|_| pending.is_empty()) {
                    self.settle(last + 1, 0, 0);
                }
            }
            Err(error) => {
                if trouble.begin() {
                    self.notices
                        .say(format!("output {}: the spool cannot be read: {error}", self.name));
                }
            }
        }
    }

    /// Sends what is pending. Gives the reason when some of it has to be sent again.
    async fn try_batch(&mut self, pending: &mut VecDeque<Record>, deadline: Option<Instant>) -> Option<String> {
        let batch = pending.make_contiguous();
        let patience = run_out(self.pace, deadline, Arc::clone(&self.is_ending));
        let sent = tokio::select! {
            sent = self.output.send(batch) => sent,
            () = patience => Err("no answer in time".to_owned()),
        };
        let sent = match sent {
            Ok(sent) => sent,
            Err(error) => return Some(error),
        };
        let Sent { taken, refused, error } = sent;
        for (_, reason) in refused.iter().take(1) {
            self.notices.say(format!(
                "output {} refuses {} alerts for good, the first because: {reason}",
                self.name,
                refused.len()
            ));
        }
        let last = pending.back().map_or(0, |record| record.number);
        let done: HashSet<u64> = taken
            .iter()
            .copied()
            .chain(refused.iter().map(|(number, _)| *number))
            .collect();
        let before = pending.len();
        pending.retain(|record| !done.contains(&record.number));
        let first_left = pending.front().map_or(last + 1, |record| record.number);
        self.settle(first_left, taken.len() as u64, refused.len() as u64);
        if pending.is_empty() {
            return None;
        }
        match (error, pending.len() < before) {
            (Some(error), _) => Some(error),
            (None, true) => None,
            (None, false) => Some("it acknowledged nothing".to_owned()),
        }
    }

    fn settle(&self, next: u64, delivered: u64, refused: u64) {
        if let Err(error) = self.shared.settle(self.position, next, delivered, refused) {
            tracing::warn!(output = self.name, %error, "cursor not saved");
        }
    }

    fn tell_losses(&self, told: &mut u64) {
        let lost = self.shared.summary(self.position).lost;
        if lost > *told {
            self.notices.say(format!(
                "output {} lost {} alerts: the spool was full or damaged before they could be sent",
                self.name,
                lost - *told
            ));
            *told = lost;
        }
    }

    /// Waits, but not past the end.
    async fn pause(&self, wait: Duration, deadline: Option<Instant>) {
        let until = Instant::now() + wait;
        let until = deadline.map_or(until, |deadline| until.min(deadline));
        while Instant::now() < until && (deadline.is_some() || !self.is_ending.load(Ordering::Relaxed)) {
            sleep(GLANCE.min(until.saturating_duration_since(Instant::now()))).await;
        }
    }
}

/// Returns when a batch has taken too long, or the agent's end does not wait for it any more.
async fn run_out(pace: Pace, deadline: Option<Instant>, is_ending: Arc<AtomicBool>) {
    let mut until = Instant::now() + pace.request * REQUESTS_PER_BATCH;
    until = deadline.map_or(until, |deadline| until.min(deadline));
    let mut has_begun = deadline.is_some();
    while Instant::now() < until {
        if !has_begun && is_ending.load(Ordering::Relaxed) {
            has_begun = true;
            until = until.min(Instant::now() + pace.drain);
        }
        sleep(GLANCE.min(until.saturating_duration_since(Instant::now()))).await;
    }
}

/// Failures in a row.
struct Trouble {
    pace: Pace,
    failures: u32,
    is_told: bool,
}

impl Trouble {
    fn new(pace: Pace) -> Self {
        Self {
            pace,
            failures: 0,
            is_told: false,
        }
    }

    fn is_on(&self) -> bool {
        self.failures > 0
    }

    /// Whether this is news.
    fn begin(&mut self) -> bool {
        !std::mem::replace(&mut self.is_told, true)
    }

    /// Whether there was any.
    fn end(&mut self) -> bool {
        self.failures = 0;
        std::mem::replace(&mut self.is_told, false)
    }

    fn next_wait(&mut self) -> Duration {
        let wait = backoff(self.pace, self.failures);
        self.failures = self.failures.saturating_add(1);
        wait
    }
}

/// Doubles with each failure, and is half to once of that, by chance: a thousand agents must not come back at one moment.
pub(super) fn backoff(pace: Pace, failures: u32) -> Duration {
    let doubled = pace.first_retry.saturating_mul(1 << failures.min(16));
    let longest = doubled.min(pace.longest_retry);
    let chance = getrandom::u32().unwrap_or(u32::MAX);
    longest / 2 + (longest / 2).mul_f64(f64::from(chance) / f64::from(u32::MAX))
}
