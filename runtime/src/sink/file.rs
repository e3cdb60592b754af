//! JSON lines appended to a file.

use std::{fs::OpenOptions, io, os::unix::fs::OpenOptionsExt};

use super::{Sink, SinkKind, SinkOptions, json::Lines};

/// See the module.
pub(super) struct File;

impl SinkKind for File {
    fn name(&self) -> &'static str {
        "file"
    }

    fn open(&self, options: &SinkOptions) -> io::Result<Box<dyn Sink>> {
        let path = options
            .path
            .as_ref()
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no file was named"))?;
        // Alerts quote command lines: they are for root only.
        let output = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        Ok(Box::new(Lines {
            output,
            updates: options.updates,
        }))
    }
}
