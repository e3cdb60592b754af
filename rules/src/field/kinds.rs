//! The kinds of kernel events that our sensors deliver, as sets.

use plimsoll_model::{Event, EventKind, FileAccess};

/// A set of kinds of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct KindSet(pub(crate) u16);

const O_CREAT: u32 = 0o100;
const O_TRUNC: u32 = 0o1000;

impl KindSet {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const EXEC: Self = Self(1);
    pub(crate) const FORK: Self = Self(2);
    pub(crate) const EXIT: Self = Self(4);
    pub(crate) const OPEN_READ: Self = Self(8);
    pub(crate) const OPEN_WRITE: Self = Self(16);
    /// An open with the flags that `creat(2)` stands for.
    pub(crate) const OPEN_CREAT: Self = Self(32);
    pub(crate) const CONNECT: Self = Self(64);
    pub(crate) const BIND: Self = Self(128);
    pub(crate) const LISTEN: Self = Self(256);

    pub(crate) const OPEN: Self = Self(8 | 16 | 32);
    pub(crate) const NETWORK: Self = Self(64 | 128 | 256);
    pub(crate) const FD: Self = Self(8 | 16 | 32 | 64 | 128 | 256);
    pub(crate) const ALL: Self = Self(511);

    /// The kinds, one at a time.
    pub(crate) const EACH: [Self; 9] = [
        Self::EXEC,
        Self::FORK,
        Self::EXIT,
        Self::OPEN_READ,
        Self::OPEN_WRITE,
        Self::OPEN_CREAT,
        Self::CONNECT,
        Self::BIND,
        Self::LISTEN,
    ];

    pub(crate) fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(crate) const fn not(self) -> Self {
        Self(Self::ALL.0 & !self.0)
    }

    /// The one kind of an event and its position in [`KindSet::EACH`]. `None` for events that no rule judges: losses.
    pub(crate) fn position(event: &Event) -> Option<usize> {
        Some(match &event.kind {
            EventKind::Exec { .. } => 0,
            EventKind::Fork { .. } => 1,
            EventKind::Exit { .. } => 2,
            EventKind::Open { access, created, .. } if *access == FileAccess::Read && !created => 3,
            EventKind::Open { access, flags, .. }
                if *access == FileAccess::Write && flags & (O_CREAT | O_TRUNC) == O_CREAT | O_TRUNC =>
            {
                5
            }
            EventKind::Open { .. } => 4,
            EventKind::Connect { .. } => 6,
            EventKind::Bind { .. } => 7,
            EventKind::Listen { .. } => 8,
            _ => return None,
        })
    }

    /// The names that `evt.type` has for one kind, the usual one first. The sensors see what was done and not by which
    /// of several equivalent system calls, so an event answers to all of them.
    pub(crate) fn event_types(self) -> &'static [&'static str] {
        match self {
            Self::EXEC => &["execve", "execveat"],
            Self::FORK => &["clone", "clone3", "fork", "vfork"],
            Self::EXIT => &["procexit"],
            Self::OPEN_READ | Self::OPEN_WRITE => &["openat", "open", "openat2"],
            Self::OPEN_CREAT => &["openat", "open", "openat2", "creat"],
            Self::CONNECT => &["connect"],
            Self::BIND => &["bind"],
            Self::LISTEN => &["listen"],
            _ => &[],
        }
    }
}
