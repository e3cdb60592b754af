//! Sensor: files opened for reading, as far as the filter asks for them. Its programs are those of `open_write`.

use super::{Need, Sensor, Way, open_write::WAYS};

/// Tells of files opened for reading.
pub(super) struct OpenRead;

impl Sensor for OpenRead {
    fn need(&self) -> Need {
        Need::OpenRead
    }

    fn title(&self) -> &'static str {
        "sensitive files opened for reading"
    }

    fn ways(&self) -> &'static [Way] {
        WAYS
    }

    fn without_it(&self) -> &'static str {
        "secrets that are read go unnoticed"
    }
}
