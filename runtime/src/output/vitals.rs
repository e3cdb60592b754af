//! How the agent is, for heartbeats: the pipeline's thread writes it now and then, outputs read it.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use plimsoll_model::{Container, ImageUsage};

use super::OutputSummary;
use crate::{
    images::ReportSource,
    limits::{MAX_BATCHES, MAX_OUTPUTS},
    meter::{Meter, Queue},
    pipeline::Counts,
    read::Losses,
};

/// How the agent is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Vitals {
    /// `uname -r`.
    pub(crate) kernel: String,
    /// Counts of the pipeline.
    pub(crate) counts: Counts,
    /// Alerts that found no room on their way out.
    pub(crate) undelivered: u64,
    /// What sensors cannot see, and why.
    pub(crate) blind_spots: Vec<(String, String)>,
    /// Containers that run, with where their report came from.
    pub(crate) containers: Vec<(Arc<Container>, Option<ReportSource>)>,
    /// What images use; another list when it has changed.
    pub(crate) usage: Arc<Vec<ImageUsage>>,
    /// What each output has done.
    pub(crate) outputs: Vec<OutputSummary>,
    /// Bytes that the spool takes on disk.
    pub(crate) spool_bytes: u64,
    /// What was judged.
    pub(crate) meter: Meter,
    /// What the kernel side did not hand over, by kind.
    pub(crate) kernel_losses: Losses,
    /// Processes in the tree.
    pub(crate) processes: u64,
    /// Events that wait for an identity.
    pub(crate) waiting: u64,
    /// Attached sensors and their mechanisms.
    pub(crate) sensors: Vec<(String, String)>,
}

/// The vitals that threads share.
#[derive(Debug, Clone, Default)]
pub(crate) struct SharedVitals(Arc<Mutex<Vitals>>, Arc<Depths>);

/// How much waits between threads. Both ends count, so that nobody has to ask the queue.
#[derive(Debug, Default)]
pub(crate) struct Depths {
    /// Batches of events, to the thread that judges.
    pub(crate) batches: Depth,
    /// Alerts and notices, to the thread that hands them out.
    pub(crate) parcels: Depth,
}

/// See [`Depths`].
#[derive(Debug, Default)]
pub(crate) struct Depth(AtomicU64);

impl Depth {
    /// One went in.
    pub(crate) fn enter(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// One came out.
    pub(crate) fn leave(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Depths {
    /// As they are now.
    pub(crate) fn read(&self) -> Vec<Queue> {
        let one = |name: &str, depth: &Depth, limit: usize| Queue {
            name: name.to_owned(),
            // What comes out may be counted before it is counted that it went in.
            depth: u64::try_from(depth.0.load(Ordering::Relaxed).cast_signed()).unwrap_or(0),
            limit: limit as u64,
        };
        vec![
            one("batches", &self.batches, MAX_BATCHES),
            one("parcels", &self.parcels, MAX_OUTPUTS),
        ]
    }
}

impl SharedVitals {
    /// Held for a copy or an assignment, never for long. A panic elsewhere does not make counts wrong.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Vitals> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How much waits between threads.
    pub(crate) fn depths(&self) -> &Depths {
        &self.1
    }
}
