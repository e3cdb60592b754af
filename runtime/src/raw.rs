//! Events as the sensors give them: one task, one thing, nothing looked up. The seam between the kernel side
//! (`sensor`, `wire`, `capture`) and the state side (`state`, `identity`, `pipeline`); a capture file stores these.

use std::cell::Cell;

use plimsoll_model::{Call, Credentials, ExeFile, FileAccess, LossReason, SocketAddress, Transport};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

/// One event from a sensor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawEvent {
    /// `CLOCK_BOOTTIME` nanoseconds.
    pub time_ns: u64,
    /// Processor.
    pub cpu: u32,
    /// The task that did it, as it is after the event.
    pub task: RawTask,
    /// What it did.
    pub kind: RawKind,
}

/// What the kernel knows of a task without looking anything up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawTask {
    /// Host process id (tgid).
    pub pid: i32,
    /// Host thread id.
    pub tid: i32,
    /// Start of the thread group leader, `CLOCK_BOOTTIME` nanoseconds.
    pub start_time_ns: u64,
    /// Host process id of the real parent.
    pub parent_pid: i32,
    /// Start of the real parent.
    pub parent_start_time_ns: u64,
    /// Process id in the innermost pid namespace.
    pub container_pid: i32,
    /// Inode number of the pid namespace.
    pub pid_namespace: u32,
    /// Inode number of the mount namespace.
    pub mount_namespace: u32,
    /// `bpf_get_current_cgroup_id()`.
    pub cgroup_id: u64,
    /// Who it runs as.
    pub credentials: Credentials,
    /// Session id, host pid.
    pub session_id: i32,
    /// Process group in the innermost pid namespace; 0 in captures that were made before it was told.
    #[serde(default)]
    pub container_group_id: i32,
    /// Process group, host pid; 0 likewise.
    #[serde(default)]
    pub group_id: i32,
    /// Controlling terminal's device number; 0 for none.
    pub tty: u32,
    /// `comm`, lossy UTF-8.
    pub comm: String,
    /// Counts the programs that the task and its ancestors executed: another number is another program. 0 in captures that
    /// were made before it was told.
    #[serde(default)]
    pub exec_id: u64,
}

impl RawTask {
    /// Stands in events that no task caused: [`RawKind::Lost`]. Its pid is 0, which no event's task has.
    pub fn nobody() -> Self {
        Self {
            pid: 0,
            tid: 0,
            start_time_ns: 0,
            parent_pid: 0,
            parent_start_time_ns: 0,
            container_pid: 0,
            pid_namespace: 0,
            mount_namespace: 0,
            cgroup_id: 0,
            credentials: Credentials::default(),
            session_id: 0,
            container_group_id: 0,
            group_id: 0,
            tty: 0,
            comm: String::new(),
            exec_id: 0,
        }
    }
}

/// What a task did. Texts are lossy UTF-8, hostile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RawKind {
    /// Replaced its program.
    Exec {
        /// As asked for (`bprm->filename`).
        filename: String,
        /// Absolute path of the executable in the task's root, links resolved.
        exe: String,
        /// Arguments, cut at the sensor's limit; then the last one ends in `…`.
        args: Vec<String>,
        /// Working directory in the task's root.
        cwd: String,
        /// The executable as a file.
        exe_file: ExeFile,
    },
    /// Made a process; `task` is the parent.
    Fork {
        /// The new process.
        child: Box<RawTask>,
    },
    /// Last thread ended.
    Exit {
        /// As `wait(2)` encodes it.
        status: i32,
    },
    /// Opened a file.
    Open {
        /// Absolute path in the task's root.
        path: String,
        /// `open(2)` flags.
        flags: u32,
        /// Reading, writing or both.
        access: FileAccess,
        /// The open made the file (`FMODE_CREATED`).
        created: bool,
        /// Inode number.
        inode: u64,
        /// Path as the caller wrote it; `None` when the filter does not ask for it.
        #[serde(default)]
        asked: Option<String>,
    },
    /// Called `connect(2)`.
    Connect {
        /// Peer.
        address: SocketAddress,
        /// Protocol.
        transport: Transport,
    },
    /// Bound a socket.
    Bind {
        /// Local address.
        address: SocketAddress,
        /// Protocol.
        transport: Transport,
    },
    /// Began to accept connections.
    Listen {
        /// Local address.
        address: SocketAddress,
        /// Protocol.
        transport: Transport,
    },
    /// Mapped a file to execute what is in it.
    Load {
        /// Absolute path in the task's root.
        path: String,
        /// The file.
        file: ExeFile,
    },
    /// Was connected to a local socket that has a name.
    ConnectLocal {
        /// As the server named it; `@…` for an abstract one.
        path: String,
    },
    /// Asked for a capability and was granted it.
    UseCapability {
        /// Its number.
        number: u8,
    },
    /// A cgroup directory was made: a container may be about to start.
    CgroupMade {
        /// Its id.
        cgroup_id: u64,
        /// Path below the mount point.
        path: String,
    },
    /// A process was put into a cgroup; `task` is that process, as it is afterwards.
    CgroupEntered {
        /// The cgroup's id.
        cgroup_id: u64,
        /// Path below the mount point.
        path: String,
    },
    /// What is in the environment of a program, told before its exec, as far as rules ask for it.
    Environment {
        /// `NAME=value` each; the last one ends in `…` when there was more.
        variables: Vec<String>,
    },
    /// A connection that was asked for was not made.
    ConnectFailed {
        /// Peer.
        address: SocketAddress,
        /// Protocol.
        transport: Transport,
        /// Negative errno.
        error: i32,
    },
    /// Events were lost.
    Lost {
        /// How many since the last such event.
        count: u64,
        /// Where.
        reason: LossReason,
    },
    /// A system call returned.
    Call(Box<Call>),
    /// An exec, open or connect of which a policy in the kernel had an opinion.
    Judged {
        /// Its opinion.
        verdict: Verdict,
        /// What was done, or would have been; never one of these again.
        #[serde(deserialize_with = "act")]
        act: Box<RawKind>,
    },
    /// An open that failed. No sensor tells of these: captures of others do.
    OpenFailed {
        /// Negative errno.
        error: i32,
        /// Absolute path in the task's root, links not resolved.
        path: String,
        /// `open(2)` flags.
        flags: u32,
        /// Reading, writing or both.
        access: FileAccess,
        /// Path as the caller wrote it.
        asked: Option<String>,
    },
}

/// Reads an act within a judged one. A capture could put thousands of them into each other, and each takes its part of the
/// stack.
fn act<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Box<RawKind>, D::Error> {
    thread_local! {
        static IS_WITHIN: Cell<bool> = const { Cell::new(false) };
    }
    if IS_WITHIN.replace(true) {
        return Err(D::Error::custom("a judged act within a judged act"));
    }
    let act = Box::<RawKind>::deserialize(deserializer);
    IS_WITHIN.set(false);
    act
}

/// What a policy in the kernel made of an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It would have been refused if that were wanted.
    WouldRefuse,
    /// It was refused: it has not happened.
    Refused,
    /// It has happened, and the process was sent a signal before it could go on.
    Signalled,
}
