//! The thread that hands out alerts and notices: first to the spool, then to each local sink on a thread of its own, so that
//! what was shown somewhere is on disk for the network, and a sink that blocks holds up nobody.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use plimsoll_model::Alert;

use crate::{
    limits::{MAX_LANE, MAX_NOTICES},
    output::{Depth, Kind, OutputSummary, Outputs},
    sink::Sink,
};

/// What is to be written.
pub(super) enum Parcel {
    Alert(Box<Alert>),
    Changed(Box<Alert>),
    Notice(String),
}

/// What became of it all.
#[derive(Debug, Default)]
pub(super) struct Delivered {
    /// Writes of local sinks that failed or found no room.
    pub(super) failed: u64,
    /// What outputs have done.
    pub(super) outputs: Vec<OutputSummary>,
}

/// Everybody who gets alerts.
pub(super) struct Delivery {
    pub(super) sinks: Vec<Box<dyn Sink>>,
    pub(super) outputs: Option<Outputs>,
    pub(super) notice: Box<dyn FnMut(&str) + Send>,
    /// Wait for slow sinks: a replay has the time.
    pub(super) is_patient: bool,
}

/// How often outputs are cared for.
const CARE: Duration = Duration::from_millis(500);
/// A blocked sink does not hold up the agent's end for longer.
const LAST_WAIT: Duration = Duration::from_secs(5);

impl Delivery {
    /// Hands out until the other end is closed.
    pub(super) fn run(mut self, parcels: &Receiver<Parcel>, depth: &Depth) -> Delivered {
        let (say, said) = sync_channel(MAX_NOTICES);
        let mut lanes: Vec<Lane> = self
            .sinks
            .drain(..)
            .filter_map(|sink| Lane::start(sink, say.clone()))
            .collect();
        let mut cared = Instant::now();
        loop {
            let next = parcels.recv_timeout(CARE);
            if next.is_ok() {
                depth.leave();
            }
            match next {
                Ok(Parcel::Notice(text)) => (self.notice)(&text),
                Ok(Parcel::Alert(alert)) => self.hand_out(Kind::New, &alert.into(), &mut lanes),
                Ok(Parcel::Changed(alert)) => self.hand_out(Kind::Changed, &alert.into(), &mut lanes),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            said.try_iter().for_each(|text: String| (self.notice)(&text));
            if cared.elapsed() >= CARE {
                cared = Instant::now();
                if let Some(outputs) = &mut self.outputs {
                    outputs.care(&mut self.notice);
                }
            }
        }
        let patience = if self.is_patient { None } else { Some(LAST_WAIT) };
        let failed = lanes.into_iter().map(|lane| lane.finish(patience)).sum();
        said.try_iter().for_each(|text: String| (self.notice)(&text));
        let outputs = self.outputs.take();
        Delivered {
            failed,
            outputs: outputs.map_or_else(Vec::new, |outputs| outputs.finish(&mut self.notice)),
        }
    }

    fn hand_out(&mut self, kind: Kind, alert: &Arc<Alert>, lanes: &mut [Lane]) {
        if let Some(outputs) = &mut self.outputs {
            outputs.tell(kind, alert, &mut self.notice);
        }
        for lane in lanes {
            lane.send((kind, Arc::clone(alert)), self.is_patient);
        }
    }
}

type Told = (Kind, Arc<Alert>);

/// One local sink and its queue.
struct Lane {
    queue: SyncSender<Told>,
    thread: JoinHandle<u64>,
    overflowed: u64,
    say: SyncSender<String>,
}

impl Lane {
    /// `None` when no thread can be started: then nothing can be written there.
    fn start(mut sink: Box<dyn Sink>, say: SyncSender<String>) -> Option<Self> {
        let (queue, told): (_, Receiver<Told>) = sync_channel(MAX_LANE);
        let complain = say.clone();
        let write = move || {
            let mut failed = 0;
            for (kind, alert) in told {
                let result = match kind {
                    Kind::New => sink.alert(&alert),
                    Kind::Changed => sink.changed(&alert),
                };
                if let Err(error) = result {
                    failed += 1;
                    if failed == 1 {
                        let _ = complain.try_send(format!("an alert could not be written: {error}"));
                    }
                }
            }
            failed
        };
        match thread::Builder::new().name("sink".to_owned()).spawn(write) {
            Ok(thread) => Some(Self {
                queue,
                thread,
                overflowed: 0,
                say,
            }),
            Err(error) => {
                let _ = say.try_send(format!("a sink does not run: {error}"));
                None
            }
        }
    }

    fn send(&mut self, told: Told, is_patient: bool) {
        let is_lost = match is_patient {
            true => self.queue.send(told).is_err(),
            false => match self.queue.try_send(told) {
                Ok(()) => false,
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => true,
            },
        };
        if is_lost {
            self.overflowed += 1;
            if self.overflowed == 1 {
                let text = "a sink is slower than the alerts, or blocked: some are not written there";
                let _ = self.say.try_send(text.to_owned());
            }
        }
    }

    /// Writes that failed. A sink that is still blocked after `patience` is left behind.
    fn finish(self, patience: Option<Duration>) -> u64 {
        drop(self.queue);
        let since = Instant::now();
        while let Some(patience) = patience
            && !self.thread.is_finished()
        {
            if since.elapsed() > patience {
                let _ = self
                    .say
                    .try_send("a sink is blocked: its last alerts are not written".to_owned());
                return self.overflowed + 1;
            }
            thread::sleep(Duration::from_millis(2));
        }
        self.overflowed + self.thread.join().unwrap_or(1)
    }
}
