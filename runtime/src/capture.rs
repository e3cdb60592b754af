//! Captures: what the sensors said, written to a file and read back, so that a run can be replayed.
//!
//! A capture is the 8 bytes `PLIMCAP\n`, the version (u32), and frames. A frame is the length of its body (u32) and the
//! body: one zstd frame with content size and checksum, which holds items one after the other in postcard's encoding.
//! Numbers are little-endian. The same items in the same frames give the same bytes.

use std::path::Path;

use plimsoll_model::{Container, ContainerDetails, Note};
use serde::{Deserialize, Serialize};

use crate::{raw::RawEvent, snapshot::RawProcess};

mod reader;
mod recorded;
mod writer;

pub use reader::{Reader, read_fully};
pub use recorded::Recorded;
pub use writer::Writer;

/// Version of the format that this build writes and reads.
pub const VERSION: u32 = 3;

const MAGIC: &[u8; 8] = b"PLIMCAP\n";

/// One thing in a capture. New variants go to the end and a changed one raises [`VERSION`]: items are told apart by
/// their number.
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
    /// What else is known of a container that was told before.
    Details {
        /// Its id.
        container_id: String,
        /// Labels, mounts, users.
        details: ContainerDetails,
    },
}

/// Something that can be replayed: a file of ours, or of others in a format that another crate reads.
pub trait Recording {
    /// Where it is, for people.
    fn path(&self) -> &Path;

    /// Gives all items in their order; a replay asks twice, the first time for what must be known before. Notes say what
    /// could not be read.
    ///
    /// # Errors
    /// It is no recording, or cannot be read.
    fn each(&self, take: &mut dyn FnMut(Item)) -> Result<Vec<Note>, CaptureError>;
}

/// Why a capture could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The file could not be opened.
    #[error("open capture: {0}")]
    Open(#[source] std::io::Error),
    /// Reading failed.
    #[error("read capture: {0}")]
    Read(#[source] std::io::Error),
    /// Writing failed.
    #[error("write capture: {0}")]
    Write(#[source] std::io::Error),
    /// The first bytes are not those of a capture.
    #[error("read capture: not a Plimsoll capture")]
    NotACapture,
    /// Written by another version.
    #[error("read capture: version {found}, this build reads {VERSION}")]
    Version {
        /// What the file says.
        found: u32,
    },
    /// It is of another format, whose reader says why.
    #[error(transparent)]
    Foreign(Box<dyn std::error::Error + Send + Sync>),
    /// An item could not be encoded, or is larger than a frame may be.
    #[error("write capture: {0}")]
    Encode(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw::{RawKind, RawTask};

    fn event(number: u64) -> Item {
        Item::Event(RawEvent {
            time_ns: number,
            cpu: 1,
            task: RawTask {
                comm: format!("task {number}"),
                ..RawTask::nobody()
            },
            kind: RawKind::Exec {
                filename: "/bin/sh".to_owned(),
                exe: "/usr/bin/dash".to_owned(),
                args: vec!["sh".to_owned(), "-c".to_owned(), "x".repeat(300)],
                cwd: "/".to_owned(),
                exe_file: plimsoll_model::ExeFile::default(),
            },
        })
    }

    fn start() -> Item {
        Item::Start {
            version: VERSION,
            boot_id: "b".to_owned(),
            boot_offset_ns: 7,
            node: "n".to_owned(),
        }
    }

    fn items(count: u64) -> Vec<Item> {
        std::iter::once(start()).chain((1..=count).map(event)).collect()
    }

    fn write(items: &[Item], flush_after: usize) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new()).unwrap();
        for (index, item) in items.iter().enumerate() {
            writer.write(item).unwrap();
            if index == flush_after {
                writer.flush().unwrap();
            }
        }
        writer.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> (Vec<Item>, usize) {
        let mut reader = Reader::new(bytes).unwrap();
        let mut items = Vec::new();
        while let Some(item) = reader.next_item().unwrap() {
            items.push(item);
        }
        (items, reader.notes().len())
    }

    #[test]
    fn gives_back_what_was_written_and_is_deterministic() {
        let items = items(2000);
        let bytes = write(&items, 10);
        assert_eq!(bytes, write(&items, 10));
        assert!(bytes.len() < 100_000, "{} bytes for 700 KB of items", bytes.len());
        assert_eq!(read(&bytes), (items, 0));
    }

    #[test]
    fn a_truncated_capture_is_read_up_to_its_last_good_frame() {
        let items = items(20);
        let whole = write(&items, 9);
        let first_frame = write(&items[..10], 100).len();
        for length in [first_frame + 1, first_frame + 3, first_frame + 4, whole.len() - 1] {
            let (found, notes) = read(&whole[..length]);
            assert_eq!(found, items[..10], "cut at {length}");
            assert_eq!(notes, 1, "cut at {length}");
        }
        assert_eq!(read(&whole[..first_frame]), (items[..10].to_vec(), 0));
    }

    #[test]
    fn a_flipped_bit_is_found() {
        let items = items(20);
        let whole = write(&items, 9);
        for at in (16..whole.len()).step_by(7) {
            let mut broken = whole.clone();
            broken[at] ^= 4;
            let (found, notes) = read(&broken);
            assert!(
                items.starts_with(&found) && found.len() < items.len(),
                "bit {at} went unnoticed"
            );
            assert_eq!(notes, 1, "bit {at}");
        }
    }

    #[test]
    fn other_files_and_versions_are_refused() {
        assert!(matches!(
            Reader::new(&b"#!/bin/sh\nexit"[..]),
            Err(CaptureError::NotACapture)
        ));
        assert!(matches!(Reader::new(&b"PL"[..]), Err(CaptureError::NotACapture)));
        let mut bytes = write(&[start()], 0);
        bytes[8] = 9;
        assert!(matches!(
            Reader::new(&bytes[..]),
            Err(CaptureError::Version { found: 9 })
        ));
    }

    #[test]
    fn acts_within_acts_do_not_take_the_stack() {
        let judged = |act| RawKind::Judged {
            verdict: crate::raw::Verdict::WouldRefuse,
            act: Box::new(act),
        };
        let exit = RawKind::Exit { status: 7 };
        let [one, two] = [judged(exit.clone()), judged(judged(exit))].map(|kind| postcard::to_stdvec(&kind).unwrap());
        let shell = &two[..two.len() - one.len()];
        assert!(postcard::from_bytes::<RawKind>(&one).is_ok());
        let deep = [shell.repeat(1_000_000), one.clone()].concat();
        assert!(postcard::from_bytes::<RawKind>(&deep).is_err());
        // The next one is read as if nothing had been.
        assert!(postcard::from_bytes::<RawKind>(&one).is_ok());
    }

    #[test]
    fn a_frame_that_claims_gigabytes_is_not_unpacked() {
        let mut bytes = write(&[start()], 0);
        let bomb = zstd::bulk::compress(&vec![0; 64 << 20], 1).unwrap();
        bytes.extend(u32::try_from(bomb.len()).unwrap().to_le_bytes());
        bytes.extend(bomb);
        assert_eq!(read(&bytes), (vec![start()], 1));
    }
}
