//! Refusals that outlive the agent: links of guard programs on the BPF file system. Attached programs in, files out, and
//! away again.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use aya::programs::links::FdLink;

use crate::{reason::chain, sensor::SensorError};

/// Folder of the pinned links, on the BPF file system.
pub const PINS: &str = "/sys/fs/bpf/plimsoll";
/// Where it is expected.
const BPF_FS: &str = "/sys/fs/bpf";

/// Links that this process has pinned: new rules pin theirs beside those that they replace.
static PINNED: AtomicU32 = AtomicU32::new(0);

/// Links of an earlier agent: they hold until this is released.
#[derive(Debug, Default)]
pub(crate) struct Old(Vec<PathBuf>);

impl Old {
    /// Those that are there now.
    pub(crate) fn find() -> Self {
        let Ok(entries) = fs::read_dir(PINS) else {
            return Self::default();
        };
        Self(entries.flatten().map(|entry| entry.path()).take(64).collect())
    }

    /// Detaches them. Returns how many there were.
    pub(crate) fn release(&mut self) -> usize {
        let count = self.0.len();
        for path in self.0.drain(..) {
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!(path = %path.display(), %error, "link of an earlier agent not removed");
            }
        }
        let _ = fs::remove_dir(PINS);
        count
    }
}

/// Ends all refusals of agents that are no more. Returns how many links there were.
pub fn release() -> usize {
    Old::find().release()
}

/// Pins a link under a name of this process, so that one of an earlier agent stays until it is replaced.
pub(crate) fn pin(link: FdLink, program: &'static str) -> Result<(), SensorError> {
    let failed = |reason: String| SensorError::Attach {
        program,
        reason: format!("keep it beyond the agent's end: {reason}"),
    };
    if !is_bpf_file_system() {
        return Err(failed(format!("no BPF file system is mounted at {BPF_FS}")));
    }
    fs::create_dir_all(PINS).map_err(|error| failed(format!("make {PINS}: {error}")))?;
    let number = PINNED.fetch_add(1, Ordering::Relaxed);
    let path = Path::new(PINS).join(format!("{program}_{}_{number}", std::process::id()));
    link.pin(&path)
        .map(drop)
        .map_err(|error| failed(format!("pin {}: {}", path.display(), chain(&error))))
}

fn is_bpf_file_system() -> bool {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts.lines().any(|line| {
        let mut fields = line.split(' ').skip(1);
        fields.next() == Some(BPF_FS) && fields.next() == Some("bpf")
    })
}
