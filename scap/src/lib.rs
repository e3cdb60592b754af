//! Falco's captures (`.scap`, as `sysdig -w` and older versions of Falco write them) in, what our own sensors would have said
//! of the same events out, so that one capture can be judged by both engines.
//!
//! Offline work on foreign files: the agent's crate cannot reach this one, and with it no decompression of foreign files.

mod blocks;
mod cursor;
mod event;
#[doc(hidden)]
pub mod fuzzing;
mod limits;
#[cfg(test)]
mod made;
mod numbers;
mod snapshot;
mod table;
mod translate;

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
};

use plimsoll_model::Note;
use plimsoll_runtime::capture::{CaptureError, Item, Recorded, Recording};

/// Why a capture could not be read at all. What is wrong further in is a note.
#[derive(Debug, thiserror::Error)]
pub enum ScapError {
    /// Reading failed.
    #[error("read capture: {0}")]
    Read(#[source] io::Error),
    /// The first bytes are not those of a capture.
    #[error("read capture: not a capture of Falco's")]
    NotACapture,
    /// Of a later format.
    #[error("read capture: version {found} of Falco's format; version 1 is read")]
    Version {
        /// What the file says.
        found: u16,
    },
    /// Numbers are the other way around.
    #[error("read capture: written on a machine of the other byte order")]
    ByteOrder,
}

/// A capture of Falco's in a file.
#[derive(Debug)]
pub struct ScapFile {
    path: PathBuf,
}

impl Recording for ScapFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn each(&self, take: &mut dyn FnMut(Item)) -> Result<Vec<Note>, CaptureError> {
        let file = File::open(&self.path).map_err(CaptureError::Open)?;
        read(BufReader::new(file), take).map_err(|error| CaptureError::Foreign(Box::new(error)))
    }
}

/// Reads a capture, plain or gzip: first what is needed to know the machine and its processes, then events, last the
/// containers. Notes say what could not be read.
///
/// # Errors
/// It is no capture, or of a kind that is not read.
pub fn read(input: impl Read, take: &mut dyn FnMut(Item)) -> Result<Vec<Note>, ScapError> {
    translate::translate(blocks::Blocks::new(input)?, take)
}

/// A recording in a file by its first bytes: Falco's or our own. What is neither is found out when it is read.
///
/// # Errors
/// The file cannot be read.
pub fn open(path: &Path) -> io::Result<Box<dyn Recording>> {
    let mut first = Vec::new();
    File::open(path)?.take(4).read_to_end(&mut first)?;
    let path = path.to_owned();
    Ok(match first.as_slice() {
        [0x1f, 0x8b, ..] | [0x0a, 0x0d, 0x0d, 0x0a] => Box::new(ScapFile { path }),
        _ => Box::new(Recorded::new(path)),
    })
}

#[cfg(test)]
mod tests;
