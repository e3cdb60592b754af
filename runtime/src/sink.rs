//! Alert sinks: alerts in, bytes out. One file per sink, one line in [`ALL`].

use std::io;

use plimsoll_model::Alert;

mod file;
mod json;
mod line;

/// A place where alerts go.
pub trait Sink: Send {
    /// Tells a new alert.
    ///
    /// # Errors
    /// It could not be written.
    fn alert(&mut self, alert: &Alert) -> io::Result<()>;

    /// Tells that an alert has changed: more follow-ups, a higher count. Sinks that keep one line per alert do nothing.
    ///
    /// # Errors
    /// It could not be written.
    fn changed(&mut self, alert: &Alert) -> io::Result<()> {
        let _ = alert;
        Ok(())
    }
}

/// A kind of sink.
pub trait SinkKind: Sync {
    /// Name on the command line: `line`, `json`, `file`.
    fn name(&self) -> &'static str;
    /// Opens one.
    ///
    /// # Errors
    /// Its target cannot be opened.
    fn open(&self, options: &SinkOptions) -> io::Result<Box<dyn Sink>>;
}

/// How sinks write.
#[derive(Debug, Clone)]
pub struct SinkOptions {
    /// Explain each alert in indented lines below it.
    pub explain: bool,
    /// Tell an alert again when it changes.
    pub updates: bool,
    /// File that is appended to; for `file` only.
    pub path: Option<std::path::PathBuf>,
}

/// Every kind.
pub const ALL: &[&dyn SinkKind] = &[&line::Line, &json::Json, &file::File];

/// The kind of that name.
pub fn find(name: &str) -> Option<&'static dyn SinkKind> {
    ALL.iter().copied().find(|kind| kind.name() == name)
}
