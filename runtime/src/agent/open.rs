//! What an agent needs before it starts: folders of scan reports, outputs, names and clocks.

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use plimsoll_model::Note;

use super::AgentError;
use crate::{
    images::{Images, PullOptions, Puller, ReportSource},
    logbook::Logbook,
    output::{OutputError, OutputOptions, Outputs, ReportDesk, SharedVitals, Vitals},
    sensor::Plan,
};

/// Outputs, and where their server's reports are asked for.
pub(super) type OpenOutputs = (Option<Outputs>, Arc<ReportDesk>);

/// Starts what sends alerts over the network, where somebody asked for it.
pub(super) fn open_outputs(
    options: Option<&OutputOptions>,
    node: &str,
    vitals: &SharedVitals,
) -> Result<OpenOutputs, OutputError> {
    let Some(options) = options else {
        return Ok((None, Arc::default()));
    };
    let desk = Arc::new(ReportDesk::new(&options.state));
    let outputs = Outputs::start(options, node, vitals, &desk)?;
    Ok((outputs, desk))
}

/// What does not change as long as the agent runs: its kernel, and what goes unseen on it.
pub(super) fn vitals_of(plan: &Plan) -> SharedVitals {
    let missing = plan
        .entries
        .iter()
        .filter(|entry| entry.is_needed && entry.way.is_none())
        .map(|entry| (entry.title.to_owned(), entry.without_it.to_owned()));
    let partly = plan
        .entries
        .iter()
        .filter_map(|entry| Some((entry.title.to_owned(), entry.way?.blind_to.to_owned())))
        .filter(|(_, gap)| !gap.is_empty());
    let vitals = SharedVitals::default();
    *vitals.lock() = Vitals {
        kernel: plan.release.clone(),
        blind_spots: missing.chain(partly).collect(),
        sensors: sensors_of(plan),
        ..Vitals::default()
    };
    vitals
}

/// The same, and what earlier runs have written down of what images use: a server may not have been told.
pub(super) fn first_vitals(plan: &Plan, logbook: Option<&Logbook>) -> SharedVitals {
    let vitals = vitals_of(plan);
    if let Some(logbook) = logbook {
        vitals.lock().usage = Arc::new(logbook.usage().images);
    }
    vitals
}

/// What is attached, in words.
pub(super) fn sensors_of(plan: &Plan) -> Vec<(String, String)> {
    let attached = plan.entries.iter().filter_map(|entry| Some((entry.title, entry.way?)));
    attached
        .map(|(title, way)| (title.to_owned(), way.mechanism.to_string()))
        .collect()
}

/// Reads this machine's own scan reports.
pub(super) fn open_images(folder: &Path) -> Result<(Images, Vec<Note>), AgentError> {
    Images::open(folder).map_err(|source| AgentError::Images {
        folder: folder.display().to_string(),
        source,
    })
}

/// Reports that are not this machine's own: a server's, and those of the images' registries.
pub(super) fn open_more_images(
    pull: Option<PullOptions>,
    desk: &ReportDesk,
    images: &mut Images,
    notes: &mut Vec<Note>,
) -> Result<Option<Puller>, AgentError> {
    if let Some(folder) = desk.folder() {
        match images.add_folder(folder, ReportSource::Server) {
            Ok(more) => notes.extend(more),
            Err(error) => tracing::warn!(%error, "folder of a server's scan reports not read"),
        }
    }
    pull.map(|pull| open_puller(pull, images, notes)).transpose()
}

fn open_puller(options: PullOptions, images: &mut Images, notes: &mut Vec<Note>) -> Result<Puller, AgentError> {
    let name = options.folder.display().to_string();
    let failed = |source| AgentError::Images {
        folder: name.clone(),
        source,
    };
    let puller = Puller::start(options).map_err(failed)?;
    notes.extend(
        images
            .add_folder(puller.folder(), ReportSource::Registry)
            .map_err(failed)?,
    );
    Ok(puller)
}

fn wall_clock_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Wall clock minus boot clock, as they are now.
pub(super) fn boot_offset_ns_now() -> u64 {
    wall_clock_ns().saturating_sub(crate::read::boot_time_ns())
}

/// Number of this boot, which the kernel makes up; empty when it does not say.
pub(super) fn boot_id() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

/// The machine's own name.
pub(super) fn node_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "localhost".to_owned(),
        name => name.to_owned(),
    }
}
