//! A capture in, the alerts of the recorded run out. The clock is the capture's.

use std::{path::Path, sync::Arc};

use plimsoll_model::{Container, ContainerDetails, Event, Note};

use super::{AgentError, Delivery, Options, Run, Summary, open_images, open_outputs, record::failed, run};
use crate::{
    capture::{CaptureError, Item, Recording},
    identity::Answer,
    images::Images,
    logbook::Saver,
    output::SharedVitals,
    pipeline::{Observed, Output, Pipeline, Setup, host_mount_namespace},
};

/// Replays a capture. Containers are known from the start, since the capture is read twice: the first time for them.
///
/// # Errors
/// The file is no capture, or scan reports cannot be listed.
pub fn replay(options: Options, recording: &dyn Recording) -> Result<Summary, AgentError> {
    let (images, notes) = open_images(&options.images)?;
    let (mut containers, mut firsts) = (Vec::new(), Vec::new());
    let mut start = None;
    let capture_notes = each(recording, |item| match item {
        Item::Start {
            boot_id,
            boot_offset_ns,
            node,
            ..
        } => start = Some((boot_id, boot_offset_ns, node)),
        Item::Container(container) => containers.push(container),
        Item::Details { container_id, details } => add_details(&mut containers, &container_id, details),
        Item::Process(process) if process.task.pid <= 2 => firsts.push(process),
        Item::Process(_) | Item::Event(_) => {}
    })?;
    let (boot_id, boot_offset_ns, recorded_node) = start.unwrap_or_default();
    let setup = Setup {
        node: options.node.unwrap_or(recorded_node).into(),
        accounts: None,
        boot_id,
        boot_offset_ns,
        host_mount_namespace: host_mount_namespace(&firsts),
        rules: Arc::new(options.rules),
        images_folder: options.images.display().to_string(),
        asker: None,
        guard: None,
    };
    let vitals = SharedVitals::default();
    // A recording that is replayed twice says nothing more the second time: it is not added to.
    let logbook = options.logbook.map(|logbook| Saver::open(logbook, &setup.node, false));
    let (outputs, _) = open_outputs(options.outputs.as_ref(), &setup.node, &vitals)?;
    let delivery = Delivery {
        sinks: options.sinks,
        outputs,
        notice: options.notice,
        is_patient: true,
    };
    let mut run = Run::start(Pipeline::new(setup), delivery, boot_offset_ns, vitals)?;
    run.say_notes(&notes);
    run.open_logbook(logbook);
    let is_capture_damaged = capture_notes.iter().any(Note::makes_incomplete);
    for note in capture_notes {
        run.out
            .push(Output::Notice(format!("capture {}: {}", note.subject, note.detail)));
    }
    introduce(&mut run.pipeline, &mut run.out, &containers, Some(&images));
    each(recording, |item| match item {
        Item::Start { .. } | Item::Container(_) | Item::Details { .. } => {}
        Item::Process(process) => run.pipeline.seed(process, &mut run.out),
        Item::Event(event) => {
            let now_ns = event.time_ns.saturating_add(boot_offset_ns);
            run.pipeline.tick(now_ns, &mut run.out);
            run.pipeline.push(event, &mut run.out);
            run.send();
        }
    })?;
    run.pipeline.finish(&mut run.out);
    run.close_logbook();
    run.send();
    Ok(Summary {
        is_capture_damaged,
        ..run.end()
    })
}

/// Tells what the containers of a capture did, and what the profiles in a folder of scan reports say of it: no rules, no
/// alerts. Only containers of scanned images are told. What could not be read of the recording comes back.
///
/// # Errors
/// The file is no capture, or scan reports cannot be listed.
pub fn observe(
    images: &Path,
    recording: &dyn Recording,
    mut tell: impl FnMut(Observed),
) -> Result<Vec<Note>, AgentError> {
    let (images, _) = open_images(images)?;
    let mut pipeline = silent(recording, Some(&images))?;
    pipeline.observed = Some(Vec::new());
    through(recording, &mut pipeline, |pipeline| {
        let seen = pipeline.observed.iter_mut().flat_map(|seen| seen.drain(..));
        seen.for_each(&mut tell);
    })
}

/// Tells every event of a capture as rules would see it: with its process, its container and its phase. No rules, no
/// profiles. What could not be read of the recording comes back.
///
/// # Errors
/// The file is no capture.
pub fn place(recording: &dyn Recording, mut tell: impl FnMut(Event)) -> Result<Vec<Note>, AgentError> {
    let mut pipeline = silent(recording, None)?;
    pipeline.placed = Some(Vec::new());
    through(recording, &mut pipeline, |pipeline| {
        let placed = pipeline.placed.iter_mut().flat_map(|placed| placed.drain(..));
        placed.for_each(&mut tell);
    })
}

/// A pipeline that has no rules and knows the containers of a capture.
fn silent(recording: &dyn Recording, images: Option<&Images>) -> Result<Pipeline, AgentError> {
    let (mut containers, mut firsts) = (Vec::new(), Vec::new());
    let (mut offset_ns, mut name) = (0, String::new());
    each(recording, |item| match item {
        Item::Start {
            boot_offset_ns, node, ..
        } => (offset_ns, name) = (boot_offset_ns, node),
        Item::Container(container) => containers.push(container),
        Item::Details { container_id, details } => add_details(&mut containers, &container_id, details),
        Item::Process(process) if process.task.pid <= 2 => firsts.push(process),
        Item::Process(_) | Item::Event(_) => {}
    })?;
    let mut pipeline = Pipeline::new(Setup {
        node: name.into(),
        accounts: None,
        boot_id: String::new(),
        boot_offset_ns: offset_ns,
        host_mount_namespace: host_mount_namespace(&firsts),
        rules: Arc::default(),
        images_folder: String::new(),
        asker: None,
        guard: None,
    });
    introduce(&mut pipeline, &mut Vec::new(), &containers, images);
    Ok(pipeline)
}

/// All of a capture through a pipeline; `look` is called after each step.
fn through(
    recording: &dyn Recording,
    pipeline: &mut Pipeline,
    mut look: impl FnMut(&mut Pipeline),
) -> Result<Vec<Note>, AgentError> {
    let mut out = Vec::new();
    each(recording, |item| {
        match item {
            Item::Start { .. } | Item::Container(_) | Item::Details { .. } => {}
            Item::Process(process) => pipeline.seed(process, &mut out),
            Item::Event(event) => pipeline.push(event, &mut out),
        }
        out.clear();
        look(pipeline);
    })
}

impl Run {
    /// A replay waits for its sinks: nothing is lost, and there is nobody to hold up.
    fn send(&mut self) {
        for output in self.out.drain(..) {
            let Some(parcel) = run::parcel(output, &self.clock) else {
                continue;
            };
            match self.parcels.send(parcel) {
                Ok(()) => self.vitals.depths().parcels.enter(),
                Err(_) => self.undelivered += 1,
            }
        }
    }
}

/// To the container that was told last under this id.
fn add_details(containers: &mut [Container], id: &str, details: ContainerDetails) {
    if let Some(container) = containers.iter_mut().rev().find(|container| container.id == id) {
        container.details = details;
    }
}

fn introduce(pipeline: &mut Pipeline, out: &mut Vec<Output>, containers: &[Container], images: Option<&Images>) {
    for container in containers {
        let image = container.image.as_ref().and_then(|image| images?.find(image, &[]));
        let answer = Answer::Container {
            container: Box::new(container.clone()),
            image,
            notes: Vec::new(),
        };
        pipeline.answer(container.cgroup_id, answer, out);
    }
}

fn each(recording: &dyn Recording, mut take: impl FnMut(Item)) -> Result<Vec<Note>, AgentError> {
    recording.each(&mut take).map_err(|error| match error {
        CaptureError::Open(source) => AgentError::Open {
            path: recording.path().display().to_string(),
            source,
        },
        error => failed(recording.path(), error),
    })
}
