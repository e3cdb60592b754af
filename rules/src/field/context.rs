//! One evaluation: what is judged, and the texts that had to be put together for it.

use std::cell::{Cell, OnceCell};

use plimsoll_model::{Event, Match, Package, Process};

use super::Value;
use crate::{AdmissionObservation, ImageObservation, ImageSubject, Observation};

/// What is judged.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Subject<'a> {
    Kernel(&'a Observation<'a>),
    Image(&'a ImageObservation<'a>),
    Audit(&'a serde_json::Value),
    Admission(&'a AdmissionObservation<'a>),
}

/// What is judged, with a cache of computed texts for as long as it is judged.
pub(crate) struct Context<'a> {
    pub(crate) subject: Subject<'a>,
    texts: Texts,
}

/// Texts that more than one condition asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Slot {
    CommandLine,
    ParentCommandLine,
    Arguments,
    DescriptorName,
    Flags,
    WorkingDirectory,
}

const SLOTS: usize = 6;

#[derive(Default)]
struct Texts([OnceCell<String>; SLOTS]);

/// Most buffers that a thread keeps for later evaluations.
const MAX_POOLED: usize = 16;

thread_local! {
    static POOL: Cell<Vec<String>> = const { Cell::new(Vec::new()) };
}

/// A buffer of earlier evaluations on this thread, emptied: steady state allocates nothing.
fn take_buffer() -> String {
    let mut pool = POOL.take();
    let mut buffer = pool.pop().unwrap_or_default();
    POOL.set(pool);
    buffer.clear();
    buffer
}

fn give_buffer(buffer: String) {
    let mut pool = POOL.take();
    if pool.len() < MAX_POOLED {
        pool.push(buffer);
    }
    POOL.set(pool);
}

impl Drop for Texts {
    fn drop(&mut self) {
        for cell in &mut self.0 {
            if let Some(buffer) = cell.take() {
                give_buffer(buffer);
            }
        }
    }
}

/// Runs `body` with an empty buffer.
pub(crate) fn with_buffer<T>(body: impl FnOnce(&mut String) -> T) -> T {
    let mut buffer = take_buffer();
    let result = body(&mut buffer);
    give_buffer(buffer);
    result
}

impl<'a> Context<'a> {
    pub(crate) fn new(subject: Subject<'a>) -> Self {
        Self {
            subject,
            texts: Texts::default(),
        }
    }

    /// The text of a slot, written on first use.
    pub(crate) fn cached<'c>(&'c self, slot: Slot, write: impl FnOnce(&mut String)) -> Value<'c> {
        let text = self.texts.0[slot as usize].get_or_init(|| {
            let mut buffer = take_buffer();
            write(&mut buffer);
            buffer
        });
        Value::Text(text)
    }

    pub(crate) fn observation(&self) -> Option<&'a Observation<'a>> {
        match self.subject {
            Subject::Kernel(observation) => Some(observation),
            _ => None,
        }
    }

    pub(crate) fn event(&self) -> Option<&'a Event> {
        Some(self.observation()?.event)
    }

    pub(crate) fn process(&self) -> Option<&'a Process> {
        Some(&*self.event()?.process)
    }

    /// The `distance`th ancestor; 0 is the process itself.
    pub(crate) fn ancestor(&self, distance: usize) -> Option<&'a Process> {
        self.process()?.lineage().nth(distance)
    }

    pub(crate) fn image(&self) -> Option<&'a ImageObservation<'a>> {
        match self.subject {
            Subject::Image(observation) => Some(observation),
            _ => None,
        }
    }

    /// The audit event that is judged.
    pub(crate) fn audit(&self) -> Option<&'a serde_json::Value> {
        match self.subject {
            Subject::Audit(event) => Some(event),
            _ => None,
        }
    }

    /// The admission request that is judged.
    pub(crate) fn admission(&self) -> Option<&'a AdmissionObservation<'a>> {
        match self.subject {
            Subject::Admission(observation) => Some(observation),
            _ => None,
        }
    }

    /// The vulnerability that is judged.
    pub(crate) fn vulnerability(&self) -> Option<&'a Match> {
        match self.image()?.subject {
            ImageSubject::Vulnerability(found) => Some(found),
            _ => None,
        }
    }

    /// The package that is judged, or that the judged vulnerability or file belongs to.
    pub(crate) fn package(&self) -> Option<&'a Package> {
        let image = self.image()?;
        let index = match image.subject {
            ImageSubject::Package(package) => return Some(package),
            ImageSubject::Vulnerability(found) => found.package,
            ImageSubject::File(file) => file.package?,
            _ => return None,
        };
        image.report.sbom.packages.get(usize::try_from(index).ok()?)
    }
}
