//! Captures: what the sensors said, written to a file and read back, so that a run can be replayed.

use plimsoll_model::Container;
use serde::{Deserialize, Serialize};

use crate::{raw::RawEvent, snapshot::RawProcess};

mod reader;
mod writer;

pub use reader::Reader;
pub use writer::Writer;

/// Version of the format that this build writes and reads.
pub const VERSION: u32 = 1;

/// One thing in a capture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Item {
    /// First item of every capture.
    Start {
        /// [`VERSION`].
        version: u32,
        /// `/proc/sys/kernel/random/boot_id`.
        boot_id: String,
        /// `CLOCK_REALTIME` minus `CLOCK_BOOTTIME` at the start of the capture, nanoseconds.
        boot_offset_ns: u64,
        /// Node's name.
        node: String,
    },
    /// A process that ran before.
    Process(RawProcess),
    /// An event.
    Event(RawEvent),
    /// A container that was identified at this point of the stream.
    Container(Container),
}

/// Why a capture could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// Reading or writing failed.
    #[error("{action} capture: {source}")]
    Io {
        /// `read`, `write`.
        action: &'static str,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// The first bytes are not those of a capture.
    #[error("read capture: not a Plimsoll capture")]
    NotACapture,
    /// Written by another version.
    #[error("read capture: version {found}, this build reads {VERSION}")]
    Version {
        /// What the file says.
        found: u32,
    },
    /// An item could not be encoded or is larger than a frame may be.
    #[error("write capture: {0}")]
    Encode(String),
}
