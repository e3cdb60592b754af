//! Kernel events after enrichment: who (process with ancestry), where (container, phase), what.
//!
//! Processes are immutable snapshots behind `Arc`: an `exec` makes a new one. An event can therefore wait in a queue
//! and still say what was true when it happened.

use std::{net::IpAddr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{Call, Container, Phase};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Number in the agent's stream, from 1, without gaps: the same in a replay.
    pub sequence: u64,
    /// Wall-clock time, nanoseconds since the Unix epoch.
    pub time_ns: u64,
    /// Processor that it happened on.
    pub cpu: u32,
    /// Who did it; for an exec, the process as it is *after* it.
    pub process: Arc<Process>,
    /// Where; `None` on the host.
    pub container: Option<Arc<Container>>,
    /// In which phase of the container's life, judged by lineage; `None` on the host.
    pub phase: Option<Phase>,
    /// What.
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum EventKind {
    /// The process replaced its program (`sched_process_exec`: only those that succeeded).
    Exec {
        /// The same process before: its program is the one that asked.
        previous: Arc<Process>,
        /// File name as it was asked for, before links were resolved.
        filename: String,
    },
    /// A new process (not a thread).
    Fork {
        /// The new process.
        child: Arc<Process>,
    },
    /// The process ended.
    Exit {
        /// As `wait(2)` encodes it: signal in the low 7 bits, exit code in bits 8–15.
        status: i32,
    },
    /// A file was opened.
    Open {
        /// Absolute path in the container's (or host's) root.
        path: String,
        /// `open(2)` flags.
        flags: u32,
        /// Reading, writing or both.
        access: FileAccess,
        /// The open made the file.
        created: bool,
        /// Inode number; 0 when not known.
        inode: u64,
        /// Path as the caller wrote it, read from its memory when the call returned; `None` when nobody asked for it.
        #[serde(default)]
        asked: Option<String>,
        /// Negative errno of a failed open, else 0. Sensors that see only successes always say 0.
        error: i32,
    },
    /// `connect(2)` was called, or a datagram was sent to a new peer.
    Connect {
        /// Peer.
        address: SocketAddress,
        /// Protocol.
        transport: Transport,
        /// Negative errno, else 0; `EINPROGRESS` counts as 0.
        error: i32,
    },
    /// A socket got a local address.
    Bind {
        /// Local address.
        address: SocketAddress,
        /// Protocol.
        transport: Transport,
    },
    /// A socket began to accept connections.
    Listen {
        /// Local address.
        address: SocketAddress,
        /// Protocol.
        transport: Transport,
    },
    /// A file was mapped to be executed: a library, as a rule. Told once for each program of a container, and for each
    /// process when the file was written after the container started.
    Load {
        /// Absolute path in the container's root; what no file system holds has no leading slash.
        path: String,
        /// The file.
        file: ExeFile,
    },
    /// A container's process was connected to a socket in the file system, or to an abstract one. Told once for each
    /// program of a container and socket.
    ConnectLocal {
        /// The name that the server gave its socket, which need not be the one by which the client knows it; `@…` for an
        /// abstract one.
        path: String,
    },
    /// A container's process asked for a capability and was granted it. Told once for each program of a process.
    UseCapability {
        /// Its number (capabilities(7)).
        number: u8,
    },
    /// A system call returned that a rule asks for by its name.
    Call(Box<Call>),
    /// Events were lost: never silent.
    Lost {
        /// How many, since the last such event.
        count: u64,
        /// Where.
        reason: LossReason,
    },
}

/// Where events were lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossReason {
    /// The kernel side could not hand them over: its ring buffer was full, or a hook was entered again before it was
    /// done.
    RingBuffer,
    /// A queue of the agent was full.
    Queue,
    /// Bytes from the kernel that do not follow our own layout.
    Decode,
}

/// How a file was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileAccess {
    /// `O_RDONLY`.
    Read,
    /// `O_WRONLY`.
    Write,
    /// `O_RDWR`.
    ReadWrite,
}

impl FileAccess {
    /// Whether content could be written through it.
    pub fn can_write(self) -> bool {
        self != Self::Read
    }
}

/// Transport protocols that sensors tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// Anything else (raw sockets, SCTP).
    Other,
}

/// One end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SocketAddress {
    /// IPv4 or IPv6; IPv4-mapped IPv6 is given as IPv4.
    pub ip: IpAddr,
    /// Host byte order.
    pub port: u16,
}

/// Identity of a process that survives reuse of its pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessKey {
    /// Host process id (thread group id).
    pub pid: i32,
    /// Start time of its first thread, `CLOCK_BOOTTIME` nanoseconds.
    pub start_time_ns: u64,
}

/// A process at one moment: unchanged between two execs or changes of credentials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// Who it is.
    pub key: ProcessKey,
    /// Process id inside its own pid namespace.
    pub container_pid: i32,
    /// Parent at the moment of fork (not the reaper that adopted it); `None` when it started before the agent and its
    /// parent was gone.
    pub parent: Option<Arc<Process>>,
    /// Short name (`comm`, at most 15 bytes). A process can set it: hostile text.
    pub comm: String,
    /// Resolved path of the executable in the process's root; ends in ` (deleted)` never: see [`ExeFile::is_deleted`].
    pub exe: String,
    /// Arguments, `args[0]` included. Cut at the sensor's limit, then the last one ends in `…`. Hostile text.
    pub args: Vec<String>,
    /// Working directory; empty when not known.
    pub cwd: String,
    /// Controlling terminal's device number; 0 for none.
    pub tty: u32,
    /// Session id (setsid(2)), host pid.
    pub session_id: i32,
    /// Process group inside its own pid namespace; 0 when not known.
    #[serde(default)]
    pub container_group_id: i32,
    /// Process group, host pid; 0 when not known.
    #[serde(default)]
    pub group_id: i32,
    /// `NAME=value` of its program's environment, as far as a loaded rule asks for it; the last one ends in `…` when there
    /// was more than the sensor reads. Empty for processes that ran before the agent. Hostile text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environment: Vec<String>,
    /// Who it runs as.
    pub credentials: Credentials,
    /// The executable as a file.
    pub exe_file: ExeFile,
    /// Id of its cgroup v2 directory; 0 when not known.
    pub cgroup_id: u64,
}

/// User and group ids, in the host's user namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// Real user.
    pub uid: u32,
    /// Real group.
    pub gid: u32,
    /// Effective user.
    pub euid: u32,
    /// Effective group.
    pub egid: u32,
    /// Audit login user; `None` when unset.
    pub login_uid: Option<u32>,
    /// Effective capabilities, bit by number (capabilities(7)); `None` when not known.
    #[serde(default)]
    pub capabilities: Option<u64>,
    /// Permitted capabilities: those that it may make effective; `None` when not known.
    #[serde(default)]
    pub permitted_capabilities: Option<u64>,
}

/// The file that a process executes, or maps to execute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExeFile {
    /// Device number (kernel encoding) of the inode.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
    /// The file lies in the upper layer of an overlay: it was written after the container started, so it is not the
    /// image's.
    pub is_upper_layer: bool,
    /// It has no name on any file system (`memfd_create`).
    pub is_memfd: bool,
    /// It was unlinked.
    pub is_deleted: bool,
}

impl Process {
    /// The process and its ancestors, nearest first, at most [`MAX_ANCESTORS`].
    pub fn lineage(&self) -> impl Iterator<Item = &Process> {
        std::iter::successors(Some(self), |process| process.parent.as_deref()).take(MAX_ANCESTORS)
    }

    /// Last component of the executable's path.
    pub fn name(&self) -> &str {
        self.exe.rsplit('/').next().unwrap_or(&self.exe)
    }
}

/// Ancestors that are kept and shown; deeper ones are cut.
pub const MAX_ANCESTORS: usize = 64;
