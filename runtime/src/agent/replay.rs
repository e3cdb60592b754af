//! A capture in, the alerts of the recorded run out. The clock is the capture's.

use std::{fs::File, io::BufReader, path::Path, sync::Arc};

use super::{AgentError, Delivery, Options, Run, Summary, open_images, open_outputs, record::failed, run};
use crate::{
    capture::{Item, Reader},
    identity::Answer,
    images::Images,
    output::SharedVitals,
    pipeline::{Observed, Output, Pipeline, Setup, host_mount_namespace},
};

/// Replays a capture. Containers are known from the start, since the capture is read twice: the first time for them.
///
/// # Errors
/// The file is no capture, or scan reports cannot be listed.
pub fn replay(options: Options, path: &Path) -> Result<Summary, AgentError> {
    let (images, notes) = open_images(&options.images)?;
    let (mut containers, mut firsts) = (Vec::new(), Vec::new());
    let mut start = None;
    let capture_notes = each(path, |item| match item {
        Item::Start {
            boot_id,
            boot_offset_ns,
            node,
            ..
        } => start = Some((boot_id, boot_offset_ns, node)),
        Item::Container(container) => containers.push(container),
        Item::Process(process) if process.task.pid <= 2 => firsts.push(process),
        Item::Process(_) | Item::Event(_) => {}
    })?;
    let (boot_id, boot_offset_ns, recorded_node) = start.unwrap_or_default();
    let setup = Setup {
        node: options.node.unwrap_or(recorded_node).into(),
        boot_id,
        boot_offset_ns,
        host_mount_namespace: host_mount_namespace(&firsts),
        rules: Arc::new(options.rules),
        images_folder: options.images.display().to_string(),
        asker: None,
        guard: None,
    };
    let vitals = SharedVitals::default();
    let (outputs, _) = open_outputs(options.outputs.as_ref(), &setup.node, &vitals)?;
    let delivery = Delivery {
        sinks: options.sinks,
        outputs,
        notice: options.notice,
        is_patient: true,
    };
    let mut run = Run::start(Pipeline::new(setup), delivery, boot_offset_ns, vitals)?;
    run.say_notes(&notes);
    let is_capture_damaged = capture_notes.iter().any(plimsoll_model::Note::makes_incomplete);
    for note in capture_notes {
        run.out
            .push(Output::Notice(format!("capture {}: {}", note.subject, note.detail)));
    }
    introduce(&mut run.pipeline, &mut run.out, &containers, &images);
    each(path, |item| match item {
        Item::Start { .. } | Item::Container(_) => {}
        Item::Process(process) => run.pipeline.seed(process, &mut run.out),
        Item::Event(event) => {
            let now_ns = event.time_ns.saturating_add(boot_offset_ns);
            run.pipeline.tick(now_ns, &mut run.out);
            run.pipeline.push(event, &mut run.out);
            run.send();
        }
    })?;
    run.pipeline.finish(&mut run.out);
    run.send();
    Ok(Summary {
        is_capture_damaged,
        ..run.end()
    })
}

/// Tells what the containers of a capture did, and what the profiles in a folder of scan reports say of it: no rules, no
/// alerts. Only containers of scanned images are told.
///
/// # Errors
/// The file is no capture, or scan reports cannot be listed.
pub fn observe(images: &Path, capture: &Path, mut tell: impl FnMut(Observed)) -> Result<(), AgentError> {
    let (images, _) = open_images(images)?;
    let (mut containers, mut firsts) = (Vec::new(), Vec::new());
    let mut offset_ns = 0;
    each(capture, |item| match item {
        Item::Start { boot_offset_ns, .. } => offset_ns = boot_offset_ns,
        Item::Container(container) => containers.push(container),
        Item::Process(process) if process.task.pid <= 2 => firsts.push(process),
        Item::Process(_) | Item::Event(_) => {}
    })?;
    let mut pipeline = Pipeline::new(Setup {
        node: "".into(),
        boot_id: String::new(),
        boot_offset_ns: offset_ns,
        host_mount_namespace: host_mount_namespace(&firsts),
        rules: Arc::default(),
        images_folder: String::new(),
        asker: None,
        guard: None,
    });
    pipeline.observed = Some(Vec::new());
    let mut out = Vec::new();
    introduce(&mut pipeline, &mut out, &containers, &images);
    each(capture, |item| {
        match item {
            Item::Start { .. } | Item::Container(_) => {}
            Item::Process(process) => pipeline.seed(process, &mut out),
            Item::Event(event) => pipeline.push(event, &mut out),
        }
        out.clear();
        pipeline
            .observed
            .iter_mut()
            .flat_map(|seen| seen.drain(..))
            .for_each(&mut tell);
    })?;
    Ok(())
}

impl Run {
    /// A replay waits for its sinks: nothing is lost, and there is nobody to hold up.
    fn send(&mut self) {
        for output in self.out.drain(..) {
            if let Some(parcel) = run::parcel(output, &self.clock)
                && self.parcels.send(parcel).is_err()
            {
                self.undelivered += 1;
            }
        }
    }
}

fn introduce(
    pipeline: &mut Pipeline,
    out: &mut Vec<Output>,
    containers: &[plimsoll_model::Container],
    images: &Images,
) {
    for container in containers {
        let image = container.image.as_ref().and_then(|image| images.find(image, &[]));
        let answer = Answer::Container {
            container: Box::new(container.clone()),
            image,
            notes: Vec::new(),
        };
        pipeline.answer(container.cgroup_id, answer, out);
    }
}

fn each(path: &Path, mut take: impl FnMut(Item)) -> Result<Vec<plimsoll_model::Note>, AgentError> {
    let file = File::open(path).map_err(|source| AgentError::Open {
        path: path.display().to_string(),
        source,
    })?;
    let mut reader = Reader::new(BufReader::new(file)).map_err(|source| failed(path, source))?;
    while let Some(item) = reader.next_item().map_err(|source| failed(path, source))? {
        take(item);
    }
    Ok(reader.notes().to_vec())
}
