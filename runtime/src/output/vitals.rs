//! How the agent is, for heartbeats: the pipeline's thread writes it now and then, outputs read it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use plimsoll_model::{Container, ImageUsage};

use crate::{images::ReportSource, pipeline::Counts};

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
    /// Per output, records that were lost or refused.
    pub(crate) output_losses: Vec<(&'static str, u64)>,
}

/// The vitals that threads share.
#[derive(Debug, Clone, Default)]
pub(crate) struct SharedVitals(Arc<Mutex<Vitals>>);

impl SharedVitals {
    /// Held for a copy or an assignment, never for long. A panic elsewhere does not make counts wrong.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Vitals> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
