//! One JSON document per alert and line, on standard output.

use std::io::{self, Write};

use plimsoll_model::Alert;

use super::{Sink, SinkKind, SinkOptions};

/// See the module.
pub(super) struct Json;

impl SinkKind for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn open(&self, options: &SinkOptions) -> io::Result<Box<dyn Sink>> {
        Ok(Box::new(Lines {
            output: io::stdout(),
            updates: options.updates,
        }))
    }
}

/// JSON lines to any writer.
pub(super) struct Lines<W> {
    pub(super) output: W,
    pub(super) updates: bool,
}

impl<W: Write + Send> Sink for Lines<W> {
    fn alert(&mut self, alert: &Alert) -> io::Result<()> {
        // One write per line: a reader of the file never sees half a document of a process that was killed.
        let mut line = serde_json::to_vec(alert)?;
        line.push(b'\n');
        self.output.write_all(&line)?;
        self.output.flush()
    }

    fn changed(&mut self, alert: &Alert) -> io::Result<()> {
        match self.updates {
            true => self.alert(alert),
            false => Ok(()),
        }
    }
}
