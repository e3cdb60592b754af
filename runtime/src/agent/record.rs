//! Everything that goes into the pipeline, into a capture file.

use std::{
    fs::{File, OpenOptions},
    io::BufWriter,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use plimsoll_model::Container;

use super::AgentError;
use crate::{
    capture::{CaptureError, Item, VERSION, Writer},
    raw::RawEvent,
    snapshot::RawProcess,
};

/// An open capture.
pub(super) struct Recorder {
    path: PathBuf,
    writer: Writer<BufWriter<File>>,
}

impl Recorder {
    /// Makes the file, readable by root only: it holds command lines.
    pub(super) fn create(path: &Path, boot_id: &str, boot_offset_ns: u64, node: &str) -> Result<Self, AgentError> {
        let file = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .mode(0o600)
            .open(path)
            .map_err(|source| AgentError::Open {
                path: path.display().to_string(),
                source,
            })?;
        let writer = Writer::new(BufWriter::new(file)).map_err(|source| failed(path, source))?;
        let mut recorder = Self {
            path: path.to_owned(),
            writer,
        };
        recorder.write(&Item::Start {
            version: VERSION,
            boot_id: boot_id.to_owned(),
            boot_offset_ns,
            node: node.to_owned(),
        })?;
        Ok(recorder)
    }

    pub(super) fn process(&mut self, process: &RawProcess) -> Result<(), AgentError> {
        self.write(&Item::Process(process.clone()))
    }

    pub(super) fn event(&mut self, event: &RawEvent) -> Result<(), AgentError> {
        self.write(&Item::Event(event.clone()))
    }

    pub(super) fn container(&mut self, container: Container) -> Result<(), AgentError> {
        self.write(&Item::Container(container))
    }

    pub(super) fn finish(mut self) -> Result<(), AgentError> {
        self.writer.flush().map_err(|source| failed(&self.path, source))
    }

    fn write(&mut self, item: &Item) -> Result<(), AgentError> {
        self.writer.write(item).map_err(|source| failed(&self.path, source))
    }
}

pub(super) fn failed(path: &Path, source: CaptureError) -> AgentError {
    AgentError::Capture {
        path: path.display().to_string(),
        source,
    }
}
