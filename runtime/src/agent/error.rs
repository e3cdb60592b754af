//! Why an agent could not start or had to stop.

use std::io;

use crate::{capture::CaptureError, output::OutputError, sensor::SensorError};

/// Why an agent could not start or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// Sensors could not be loaded or read.
    #[error("watch this machine: {0}")]
    Sensor(#[from] SensorError),
    /// The folder of scan reports could not be listed.
    #[error("list scan reports in {folder}: {source}")]
    Images {
        /// The folder.
        folder: String,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// A capture could not be written or read.
    #[error("use capture {path}: {source}")]
    Capture {
        /// The file.
        path: String,
        /// What was wrong.
        #[source]
        source: CaptureError,
    },
    /// A file of the capture could not be opened.
    #[error("open capture {path}: {source}")]
    Open {
        /// The file.
        path: String,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// An output cannot work.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// A thread could not be started.
    #[error("start a thread: {0}")]
    Thread(#[source] io::Error),
}
