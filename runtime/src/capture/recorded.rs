//! A capture of ours in a file, to be replayed.

use std::{
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
};

use plimsoll_model::Note;

use super::{CaptureError, Item, Reader, Recording};

/// A file that `plimsoll agent --record` wrote.
#[derive(Debug)]
pub struct Recorded {
    path: PathBuf,
}

impl Recorded {
    /// The file is opened when it is read.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }
}

impl Recording for Recorded {
    fn path(&self) -> &Path {
        &self.path
    }

    fn each(&self, take: &mut dyn FnMut(Item)) -> Result<Vec<Note>, CaptureError> {
        let file = File::open(&self.path).map_err(CaptureError::Open)?;
        let mut reader = Reader::new(BufReader::new(file))?;
        while let Some(item) = reader.next_item()? {
            take(item);
        }
        Ok(reader.notes().to_vec())
    }
}
