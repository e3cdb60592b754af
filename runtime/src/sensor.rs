//! Sensors: what the agent needs to know, and the mechanisms that can tell it, cheapest first. Needs and a probed kernel
//! in, a [`Plan`] out. One file per sensor, one line in [`ALL`].

use std::{collections::BTreeSet, fmt};

use plimsoll_model::SystemCall;
use plimsoll_rules::EventNeeds;

mod accept;
mod bind;
mod cgroup;
mod change_mode;
mod change_owner;
mod change_user;
mod connect;
mod connect_failed;
mod connect_local;
mod enter_cgroup;
mod enter_namespace;
mod exec;
mod exit;
mod fork;
mod kernel;
mod link;
mod listen;
mod load_bpf;
mod load_library;
mod load_module;
mod make_folder;
mod make_ring;
mod make_socket;
mod memory_file;
mod mount;
mod open_read;
mod open_write;
mod plan;
mod receive;
mod redirect;
mod rename;
mod ring_request;
mod symlink;
mod trace;
mod unlink;
mod unshare;
mod use_capability;

pub use kernel::Kernel;
pub(crate) use plan::WITHOUT_CGROUPS;
pub use plan::{Plan, Planned, plan};

/// Something that the agent wants to know about every process that its filter lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// A process replaced its program.
    Exec,
    /// A process was made.
    Fork,
    /// A process ended.
    Exit,
    /// A cgroup was made: a container may be about to start.
    CgroupMade,
    /// A file was opened so that it can be written.
    OpenWrite,
    /// A connection was asked for, or a datagram sent to a new peer.
    Connect,
    /// A socket got a local address.
    Bind,
    /// A socket began to accept connections.
    Listen,
    /// A file was opened for reading, where [`crate::read::Filter::reads`] asks for it.
    OpenRead,
    /// Files removed: `unlinkat`, `unlink`.
    Unlink,
    /// Files renamed: `renameat2`, `renameat`, `rename`.
    Rename,
    /// Hard links made: `linkat`, `link`.
    Link,
    /// Symbolic links made: `symlinkat`, `symlink`.
    Symlink,
    /// Folders made and removed: `mkdirat`, `mkdir`, `rmdir`.
    MakeFolder,
    /// Permissions of files changed: `fchmodat`, `fchmodat2`, `fchmod`, `chmod`.
    ChangeMode,
    /// Owners of files changed: `fchownat`, `fchown`, `chown`, `lchown`.
    ChangeOwner,
    /// Users and groups changed: `setuid`, `setgid`, `setreuid`, `setregid`, `setresuid`, `setresgid`, `capset`.
    ChangeUser,
    /// Namespaces entered: `setns`.
    EnterNamespace,
    /// Namespaces made: `unshare`.
    Unshare,
    /// File systems mounted, roots changed: `mount`, `move_mount`, `umount2`, `pivot_root`, `chroot`.
    Mount,
    /// Processes traced or written to: `ptrace`, `process_vm_writev`.
    Trace,
    /// Kernel modules loaded: `init_module`, `finit_module`.
    LoadModule,
    /// BPF used: `bpf`.
    LoadBpf,
    /// Files made in memory: `memfd_create`, `userfaultfd`.
    MemoryFile,
    /// Standard streams put onto sockets: `dup3`, `dup2`, `dup`.
    Redirect,
    /// Sockets made: `socket`.
    MakeSocket,
    /// Connections accepted: `accept4`, `accept`.
    Accept,
    /// Files mapped to be executed, of containers only.
    LoadLibrary,
    /// Connections to local sockets that have a name, of containers only.
    ConnectLocal,
    /// Capabilities asked for and granted, of containers only.
    UseCapability,
    /// Datagrams received: `recvfrom`, `recvmsg`.
    Receive,
    /// A connection that was asked for failed.
    ConnectFailed,
    /// A process was put into a cgroup.
    EnterCgroup,
    /// What io_uring was asked to do, where no other sensor sees it.
    RingRequest,
    /// Rings made: `io_uring_setup`.
    MakeRing,
}

impl Need {
    /// The system calls that it tells of, all of them together; empty for needs that are no calls.
    pub const fn calls(self) -> &'static [SystemCall] {
        match self {
            Self::Unlink => &[SystemCall::Unlinkat, SystemCall::Unlink],
            Self::Rename => &[SystemCall::Renameat2, SystemCall::Renameat, SystemCall::Rename],
            Self::Link => &[SystemCall::Linkat, SystemCall::Link],
            Self::Symlink => &[SystemCall::Symlinkat, SystemCall::Symlink],
            Self::MakeFolder => &[SystemCall::Mkdirat, SystemCall::Mkdir, SystemCall::Rmdir],
            Self::ChangeMode => &[
                SystemCall::Fchmodat,
                SystemCall::Fchmodat2,
                SystemCall::Fchmod,
                SystemCall::Chmod,
            ],
            Self::ChangeOwner => &[
                SystemCall::Fchownat,
                SystemCall::Fchown,
                SystemCall::Chown,
                SystemCall::Lchown,
            ],
            Self::ChangeUser => &[
                SystemCall::Setuid,
                SystemCall::Setgid,
                SystemCall::Setreuid,
                SystemCall::Setregid,
                SystemCall::Setresuid,
                SystemCall::Setresgid,
                SystemCall::Capset,
            ],
            Self::EnterNamespace => &[SystemCall::Setns],
            Self::Unshare => &[SystemCall::Unshare],
            Self::Mount => &[
                SystemCall::Mount,
                SystemCall::MoveMount,
                SystemCall::Umount2,
                SystemCall::PivotRoot,
                SystemCall::Chroot,
            ],
            Self::Trace => &[SystemCall::Ptrace, SystemCall::ProcessVmWritev],
            Self::LoadModule => &[SystemCall::InitModule, SystemCall::FinitModule],
            Self::LoadBpf => &[SystemCall::Bpf],
            Self::MemoryFile => &[SystemCall::MemfdCreate, SystemCall::Userfaultfd],
            Self::Redirect => &[SystemCall::Dup3, SystemCall::Dup2, SystemCall::Dup],
            Self::MakeSocket => &[SystemCall::Socket],
            Self::Accept => &[SystemCall::Accept4, SystemCall::Accept],
            Self::Receive => &[SystemCall::Recvfrom],
            Self::MakeRing => &[SystemCall::IoUringSetup],
            _ => &[],
        }
    }
}

/// A set of needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs(BTreeSet<Need>);

impl Needs {
    /// Everything that sensors exist for.
    pub fn all() -> Self {
        ALL.iter().map(|sensor| sensor.need()).collect()
    }

    /// What the process tree and container identity cannot do without.
    pub fn tree() -> Self {
        [Need::Exec, Need::Fork, Need::Exit, Need::CgroupMade, Need::EnterCgroup]
            .into_iter()
            .collect()
    }

    /// What profiles and the process tree need whatever the rules say, and what these rules ask for besides.
    pub fn wanted_by(wants: EventNeeds) -> Self {
        let standing = [
            Need::Exec,
            Need::Fork,
            Need::Exit,
            Need::CgroupMade,
            Need::OpenWrite,
            Need::Connect,
            Need::Bind,
            Need::Listen,
            Need::LoadLibrary,
            Need::ConnectLocal,
            Need::UseCapability,
            Need::EnterCgroup,
            Need::RingRequest,
        ];
        let mut needs: Self = standing.into_iter().collect();
        if wants.container.open_read || wants.host.open_read {
            needs.0.insert(Need::OpenRead);
        }
        if wants.failed_connects {
            needs.0.insert(Need::ConnectFailed);
        }
        let calls = wants.container.calls.union(wants.host.calls);
        let asked = ALL.iter().map(|sensor| sensor.need());
        needs
            .0
            .extend(asked.filter(|need| need.calls().iter().any(|call| calls.contains(*call))));
        needs
    }

    /// The same, with `need` too.
    pub fn with(mut self, need: Need) -> Self {
        self.0.insert(need);
        self
    }

    /// Whether `need` is among them.
    pub fn contains(&self, need: Need) -> bool {
        self.0.contains(&need)
    }
}

impl FromIterator<Need> for Needs {
    fn from_iter<I: IntoIterator<Item = Need>>(needs: I) -> Self {
        Self(needs.into_iter().collect())
    }
}

/// A way into the kernel. The order is the order of preference: cheapest and most exact first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mechanism {
    /// BPF security module hook.
    Lsm,
    /// Trampoline at a kernel function's return.
    Fexit,
    /// Typed tracepoint.
    BtfTracepoint,
    /// Hook of the cgroup v2 root.
    CgroupHook,
    /// Tracepoint at the return of one named system call. Costs every call of every process about 40 ns, because the
    /// kernel takes the slow path for all of them.
    SyscallTracepoint,
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lsm => "BPF LSM",
            Self::Fexit => "fexit",
            Self::BtfTracepoint => "typed tracepoint",
            Self::CgroupHook => "cgroup hook",
            Self::SyscallTracepoint => "system call tracepoint",
        })
    }
}

/// Where one program is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    /// `lsm/<hook>`.
    Lsm(&'static str),
    /// `fexit/<function>`.
    Fexit(&'static str),
    /// `tp_btf/<tracepoint>`.
    BtfTracepoint(&'static str),
    /// A socket address hook (`connect`, `sendmsg`) of the cgroup v2 root; which one is in the program's section name.
    CgroupSockAddr,
    /// A socket hook (`post_bind`) of the cgroup v2 root; which one is in the program's section name.
    CgroupSock,
    /// `fexit` of the function behind a system call, by the call's name.
    SystemCall(&'static str),
    /// `syscalls:<name>` by tracefs.
    Tracepoint(&'static str),
}

/// One program of the object file and its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Program {
    /// Name of the function in `runtime/bpf`.
    pub name: &'static str,
    /// Where it is attached.
    pub hook: Hook,
    /// The kernel may lack this hook (an old kernel, another architecture); the way works without it.
    pub is_optional: bool,
}

impl Program {
    const fn new(name: &'static str, hook: Hook) -> Self {
        Self {
            name,
            hook,
            is_optional: false,
        }
    }

    const fn optional(name: &'static str, hook: Hook) -> Self {
        Self {
            name,
            hook,
            is_optional: true,
        }
    }
}

/// One way to fulfil a need: programs of one mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// Which mechanism all its programs use.
    pub mechanism: Mechanism,
    /// The programs, all attached together.
    pub programs: &'static [Program],
    /// What this way cannot see although it works; empty for nothing.
    pub blind_to: &'static str,
}

/// Programs that keep and enforce policies, `bpf/guard.h`. The first ones keep them where their processes are.
pub(crate) const GUARDS: &[Program] = &[
    Program::new("guard_fork", Hook::BtfTracepoint("sched_process_fork")),
    Program::new("guard_exit", Hook::BtfTracepoint("sched_process_exit")),
    Program::new("guard_exec", Hook::Lsm("bprm_check_security")),
    Program::new("guard_open", Hook::Lsm("file_open")),
    // Kernels without CONFIG_SECURITY_PATH lack these.
    Program::optional("guard_unlink", Hook::Lsm("path_unlink")),
    Program::optional("guard_rename", Hook::Lsm("path_rename")),
    Program::optional("guard_link", Hook::Lsm("path_link")),
    Program::optional("guard_symlink", Hook::Lsm("path_symlink")),
    Program::optional("guard_truncate", Hook::Lsm("path_truncate")),
];

/// A sensor: one need and the ways to fulfil it.
pub trait Sensor: Sync {
    /// What it tells.
    fn need(&self) -> Need;
    /// The need in a person's words: `files opened for writing`.
    fn title(&self) -> &'static str;
    /// Ways, best first.
    fn ways(&self) -> &'static [Way];
    /// What the agent does not notice when no way works.
    fn without_it(&self) -> &'static str;
}

/// Every sensor.
pub const ALL: &[&dyn Sensor] = &[
    &exec::Exec,
    &fork::Fork,
    &exit::Exit,
    &cgroup::CgroupMade,
    &open_write::OpenWrite,
    &connect::Connect,
    &bind::Bind,
    &listen::Listen,
    &open_read::OpenRead,
    &unlink::Unlink,
    &rename::Rename,
    &link::Link,
    &symlink::Symlink,
    &make_folder::MakeFolder,
    &change_mode::ChangeMode,
    &change_owner::ChangeOwner,
    &change_user::ChangeUser,
    &enter_namespace::EnterNamespace,
    &unshare::Unshare,
    &mount::Mount,
    &trace::Trace,
    &load_module::LoadModule,
    &load_bpf::LoadBpf,
    &memory_file::MemoryFile,
    &redirect::Redirect,
    &make_socket::MakeSocket,
    &accept::Accept,
    &load_library::LoadLibrary,
    &connect_local::ConnectLocal,
    &use_capability::UseCapability,
    &receive::Receive,
    &connect_failed::ConnectFailed,
    &enter_cgroup::EnterCgroup,
    &ring_request::RingRequest,
    &make_ring::MakeRing,
];

/// What went wrong between us and the kernel.
#[derive(Debug, thiserror::Error)]
pub enum SensorError {
    /// The process tree cannot be kept on this kernel.
    #[error("watch {title} on kernel {release}: {reason}")]
    Blind {
        /// The need in words.
        title: &'static str,
        /// Kernel release.
        release: String,
        /// Why no way works.
        reason: String,
    },
    /// The object file or its maps were refused.
    #[error("load the kernel programs: {reason}")]
    Load {
        /// What the kernel or the loader said.
        reason: String,
    },
    /// One program was refused.
    #[error("attach {program}: {reason}")]
    Attach {
        /// Function in `runtime/bpf`.
        program: &'static str,
        /// What the kernel or the loader said.
        reason: String,
    },
    /// Waiting for or reading kernel events failed.
    #[error("read kernel events: {0}")]
    Read(#[source] std::io::Error),
    /// A map that the programs and we share could not be used.
    #[error("use map {map}: {reason}")]
    Map {
        /// Its name.
        map: &'static str,
        /// What the kernel or the loader said.
        reason: String,
    },
}
