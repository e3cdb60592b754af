//! The kinds of kernel events that our sensors deliver, as sets.

use plimsoll_model::{Event, EventKind, FileAccess, SystemCall};

/// A set of kinds of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct KindSet(pub(crate) u64);

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

    pub(crate) const UNLINK: Self = Self(1 << 9);
    pub(crate) const RMDIR: Self = Self(1 << 10);
    pub(crate) const MKDIR: Self = Self(1 << 11);
    pub(crate) const RENAME: Self = Self(1 << 12);
    pub(crate) const LINK: Self = Self(1 << 13);
    pub(crate) const SYMLINK: Self = Self(1 << 14);
    pub(crate) const CHMOD: Self = Self(1 << 15);
    pub(crate) const FCHMOD: Self = Self(1 << 16);
    pub(crate) const CHOWN: Self = Self(1 << 17);
    pub(crate) const FCHOWN: Self = Self(1 << 18);
    pub(crate) const SETUID: Self = Self(1 << 19);
    pub(crate) const SETGID: Self = Self(1 << 20);
    pub(crate) const SETREUID: Self = Self(1 << 21);
    pub(crate) const SETREGID: Self = Self(1 << 22);
    pub(crate) const SETRESUID: Self = Self(1 << 23);
    pub(crate) const SETRESGID: Self = Self(1 << 24);
    pub(crate) const SETNS: Self = Self(1 << 25);
    pub(crate) const UNSHARE: Self = Self(1 << 26);
    pub(crate) const MOUNT: Self = Self(1 << 27);
    pub(crate) const UMOUNT: Self = Self(1 << 28);
    pub(crate) const PIVOT_ROOT: Self = Self(1 << 29);
    pub(crate) const CHROOT: Self = Self(1 << 30);
    pub(crate) const PTRACE: Self = Self(1 << 31);
    pub(crate) const VM_WRITE: Self = Self(1 << 32);
    pub(crate) const INIT_MODULE: Self = Self(1 << 33);
    pub(crate) const FINIT_MODULE: Self = Self(1 << 34);
    pub(crate) const BPF: Self = Self(1 << 35);
    pub(crate) const MEMFD: Self = Self(1 << 36);
    pub(crate) const DUP: Self = Self(1 << 37);
    pub(crate) const SOCKET: Self = Self(1 << 38);
    pub(crate) const ACCEPT: Self = Self(1 << 39);
    pub(crate) const USERFAULTFD: Self = Self(1 << 40);
    pub(crate) const CAPSET: Self = Self(1 << 41);
    /// A file mapped to be executed.
    pub(crate) const LOAD: Self = Self(1 << 42);
    /// A datagram, or what a raw socket gets, received.
    pub(crate) const RECEIVE: Self = Self(1 << 43);
    pub(crate) const IO_URING: Self = Self(1 << 44);
    /// A connection to a local socket.
    pub(crate) const CONNECT_LOCAL: Self = Self(1 << 45);

    pub(crate) const OPEN: Self = Self(8 | 16 | 32);
    /// What has a socket for its descriptor.
    pub(crate) const NETWORK: Self = Self(64 | 128 | 256)
        .with(Self::DUP)
        .with(Self::ACCEPT)
        .with(Self::RECEIVE);
    /// Calls whose descriptor is a file.
    pub(crate) const FILE_CALLS: Self = Self::FCHMOD
        .with(Self::FCHOWN)
        .with(Self::SETNS)
        .with(Self::FINIT_MODULE);
    pub(crate) const FD: Self = Self::OPEN
        .with(Self::NETWORK)
        .with(Self::FILE_CALLS)
        .with(Self::LOAD)
        .with(Self::CONNECT_LOCAL);
    /// What names a path that is its object.
    pub(crate) const ONE_PATH: Self = Self::UNLINK
        .with(Self::RMDIR)
        .with(Self::MKDIR)
        .with(Self::CHMOD)
        .with(Self::CHOWN)
        .with(Self::UMOUNT)
        .with(Self::CHROOT)
        .with(Self::FILE_CALLS);
    /// What names a source and a target.
    pub(crate) const TWO_PATHS: Self = Self::RENAME.with(Self::LINK).with(Self::SYMLINK).with(Self::MOUNT);
    pub(crate) const ALL: Self = Self((1 << 46) - 1);

    /// The kinds, one at a time.
    pub(crate) const EACH: [Self; 46] = [
        Self::EXEC,
        Self::FORK,
        Self::EXIT,
        Self::OPEN_READ,
        Self::OPEN_WRITE,
        Self::OPEN_CREAT,
        Self::CONNECT,
        Self::BIND,
        Self::LISTEN,
        Self::UNLINK,
        Self::RMDIR,
        Self::MKDIR,
        Self::RENAME,
        Self::LINK,
        Self::SYMLINK,
        Self::CHMOD,
        Self::FCHMOD,
        Self::CHOWN,
        Self::FCHOWN,
        Self::SETUID,
        Self::SETGID,
        Self::SETREUID,
        Self::SETREGID,
        Self::SETRESUID,
        Self::SETRESGID,
        Self::SETNS,
        Self::UNSHARE,
        Self::MOUNT,
        Self::UMOUNT,
        Self::PIVOT_ROOT,
        Self::CHROOT,
        Self::PTRACE,
        Self::VM_WRITE,
        Self::INIT_MODULE,
        Self::FINIT_MODULE,
        Self::BPF,
        Self::MEMFD,
        Self::DUP,
        Self::SOCKET,
        Self::ACCEPT,
        Self::USERFAULTFD,
        Self::CAPSET,
        Self::LOAD,
        Self::RECEIVE,
        Self::IO_URING,
        Self::CONNECT_LOCAL,
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
            EventKind::Load { .. } => 42,
            EventKind::ConnectLocal { .. } => 45,
            EventKind::Call(call) => Self::of_call(call.call).0.trailing_zeros() as usize,
            _ => return None,
        })
    }

    /// The kind of a call.
    pub(crate) const fn of_call(call: SystemCall) -> Self {
        match call {
            SystemCall::Unlink | SystemCall::Unlinkat => Self::UNLINK,
            SystemCall::Rmdir => Self::RMDIR,
            SystemCall::Mkdir | SystemCall::Mkdirat => Self::MKDIR,
            SystemCall::Rename | SystemCall::Renameat | SystemCall::Renameat2 => Self::RENAME,
            SystemCall::Link | SystemCall::Linkat => Self::LINK,
            SystemCall::Symlink | SystemCall::Symlinkat => Self::SYMLINK,
            SystemCall::Chmod | SystemCall::Fchmodat | SystemCall::Fchmodat2 => Self::CHMOD,
            SystemCall::Fchmod => Self::FCHMOD,
            SystemCall::Chown | SystemCall::Lchown | SystemCall::Fchownat => Self::CHOWN,
            SystemCall::Fchown => Self::FCHOWN,
            SystemCall::Setuid => Self::SETUID,
            SystemCall::Setgid => Self::SETGID,
            SystemCall::Setreuid => Self::SETREUID,
            SystemCall::Setregid => Self::SETREGID,
            SystemCall::Setresuid => Self::SETRESUID,
            SystemCall::Setresgid => Self::SETRESGID,
            SystemCall::Setns => Self::SETNS,
            SystemCall::Unshare => Self::UNSHARE,
            SystemCall::Mount | SystemCall::MoveMount => Self::MOUNT,
            SystemCall::Umount2 => Self::UMOUNT,
            SystemCall::PivotRoot => Self::PIVOT_ROOT,
            SystemCall::Chroot => Self::CHROOT,
            SystemCall::Ptrace => Self::PTRACE,
            SystemCall::ProcessVmWritev => Self::VM_WRITE,
            SystemCall::InitModule => Self::INIT_MODULE,
            SystemCall::FinitModule => Self::FINIT_MODULE,
            SystemCall::Bpf => Self::BPF,
            SystemCall::MemfdCreate => Self::MEMFD,
            SystemCall::Dup | SystemCall::Dup2 | SystemCall::Dup3 => Self::DUP,
            SystemCall::Socket => Self::SOCKET,
            SystemCall::Accept | SystemCall::Accept4 => Self::ACCEPT,
            SystemCall::Userfaultfd => Self::USERFAULTFD,
            SystemCall::Capset => Self::CAPSET,
            SystemCall::Recvfrom => Self::RECEIVE,
            SystemCall::IoUringSetup => Self::IO_URING,
        }
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
            Self::CONNECT | Self::CONNECT_LOCAL => &["connect"],
            Self::BIND => &["bind"],
            Self::LISTEN => &["listen"],
            Self::UNLINK => &["unlink", "unlinkat"],
            Self::RMDIR => &["rmdir"],
            Self::MKDIR => &["mkdir", "mkdirat"],
            Self::RENAME => &["rename", "renameat", "renameat2"],
            Self::LINK => &["link", "linkat"],
            Self::SYMLINK => &["symlink", "symlinkat"],
            Self::CHMOD => &["chmod", "fchmodat", "fchmodat2"],
            Self::FCHMOD => &["fchmod"],
            Self::CHOWN => &["chown", "lchown", "fchownat"],
            Self::FCHOWN => &["fchown"],
            Self::SETUID => &["setuid"],
            Self::SETGID => &["setgid"],
            Self::SETREUID => &["setreuid"],
            Self::SETREGID => &["setregid"],
            Self::SETRESUID => &["setresuid"],
            Self::SETRESGID => &["setresgid"],
            Self::SETNS => &["setns"],
            Self::UNSHARE => &["unshare"],
            Self::MOUNT => &["mount", "move_mount"],
            Self::UMOUNT => &["umount2"],
            Self::PIVOT_ROOT => &["pivot_root"],
            Self::CHROOT => &["chroot"],
            Self::PTRACE => &["ptrace"],
            Self::VM_WRITE => &["process_vm_writev"],
            Self::INIT_MODULE => &["init_module"],
            Self::FINIT_MODULE => &["finit_module"],
            Self::BPF => &["bpf"],
            Self::MEMFD => &["memfd_create"],
            Self::DUP => &["dup", "dup2", "dup3"],
            Self::SOCKET => &["socket"],
            Self::ACCEPT => &["accept", "accept4"],
            Self::USERFAULTFD => &["userfaultfd"],
            Self::CAPSET => &["capset"],
            Self::RECEIVE => &["recvfrom", "recvmsg"],
            Self::IO_URING => &["io_uring_setup"],
            Self::LOAD => &["mmap", "mprotect"],
            _ => &[],
        }
    }
}
