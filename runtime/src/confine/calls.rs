//! The system calls that a running agent makes: a table in, a filter on all threads out. Everything else does not exist for
//! it (`ENOSYS`), as on a kernel that is older: libraries that try a new call first fall back to the one that they know.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

/// Allowed whatever their arguments are.
const PLAIN: &[c_long] = &[
    // Files: reports, rules, engines' records, /proc, the spool, captures.
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_lseek,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_getdents64,
    libc::SYS_getcwd,
    libc::SYS_fcntl,
    libc::SYS_flock,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_fadvise64,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_unlinkat,
    libc::SYS_mkdirat,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_umask,
    libc::SYS_utimensat,
    libc::SYS_copy_file_range,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_pipe2,
    // Waiting.
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_eventfd2,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime,
    libc::SYS_timerfd_gettime,
    libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_gettimeofday,
    // Peers: servers, webhooks, name servers, systemd, whoever reads metrics.
    libc::SYS_socketpair,
    libc::SYS_bind,
    libc::SYS_connect,
    libc::SYS_listen,
    libc::SYS_accept4,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_shutdown,
    // Memory.
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_membarrier,
    libc::SYS_getrandom,
    // Threads of its own.
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_get_robust_list,
    libc::SYS_rseq,
    libc::SYS_set_tid_address,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_getcpu,
    libc::SYS_prctl,
    libc::SYS_capget,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_wait4,
    libc::SYS_waitid,
    // Signals to itself.
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    // What it costs and where it runs.
    libc::SYS_getrusage,
    libc::SYS_times,
    libc::SYS_sysinfo,
    libc::SYS_uname,
    // Sensors.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    // Memory of the shared ring buffer is mapped, and polled, with the calls above.
];

/// Older forms, which only this architecture has.
#[cfg(target_arch = "x86_64")]
const OLD: &[c_long] = &[
    libc::SYS_open,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_rename,
    libc::SYS_unlink,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_chmod,
    libc::SYS_dup2,
    libc::SYS_pipe,
    libc::SYS_poll,
    libc::SYS_select,
    libc::SYS_epoll_create,
    libc::SYS_epoll_wait,
    libc::SYS_accept,
    libc::SYS_time,
    libc::SYS_arch_prctl,
];
#[cfg(not(target_arch = "x86_64"))]
const OLD: &[c_long] = &[libc::SYS_accept];

/// Terminals asked for, non-blocking sockets, tracepoints switched on.
const IOCTLS: &[u64] = &[
    0x5401,      // TCGETS
    0x5413,      // TIOCGWINSZ
    0x541b,      // FIONREAD
    0x5421,      // FIONBIO
    0x5450,      // FIONCLEX
    0x5451,      // FIOCLEX
    0x2400,      // PERF_EVENT_IOC_ENABLE
    0x2401,      // PERF_EVENT_IOC_DISABLE
    0x4004_2408, // PERF_EVENT_IOC_SET_BPF
];

/// Families of sockets; `AF_NETLINK` is how the resolver learns which addresses this machine has.
const FAMILIES: &[libc::c_int] = &[libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

/// How many calls there are, for people.
pub(super) fn count() -> usize {
    PLAIN.len() + OLD.len() + conditional().map_or(0, |rules| rules.len())
}

/// Puts the filter on all threads of this process and on those to come. Needs `no_new_privs`.
pub(super) fn install() -> Result<(), String> {
    let program = compile().map_err(|error| error.to_string())?;
    seccompiler::apply_filter_all_threads(&program).map_err(|error| error.to_string())
}

type Rules = BTreeMap<c_long, Vec<SeccompRule>>;
type Built<T> = Result<T, seccompiler::BackendError>;

fn compile() -> Built<BpfProgram> {
    let mut rules = conditional()?;
    for call in PLAIN.iter().chain(OLD) {
        rules.insert(*call, Vec::new());
    }
    let missing = u32::try_from(libc::ENOSYS).unwrap_or_default();
    SeccompFilter::new(
        rules,
        SeccompAction::Errno(missing),
        SeccompAction::Allow,
        std::env::consts::ARCH.try_into()?,
    )?
    .try_into()
}

/// Calls that some arguments allow.
fn conditional() -> Built<Rules> {
    let (write, exec) = (libc::PROT_WRITE as u64, libc::PROT_EXEC as u64);
    // Memory may be written or executed, never both.
    let either = || -> Built<Vec<SeccompRule>> {
        Ok(vec![
            one(2, SeccompCmpOp::MaskedEq(write), 0)?,
            one(2, SeccompCmpOp::MaskedEq(exec), 0)?,
        ])
    };
    let equal = |argument: u8, values: &mut dyn Iterator<Item = u64>| -> Built<Vec<SeccompRule>> {
        values.map(|value| one(argument, SeccompCmpOp::Eq, value)).collect()
    };
    let thread = libc::CLONE_THREAD as u64;
    let own = u64::from(std::process::id());
    Ok([
        (libc::SYS_mmap, either()?),
        (libc::SYS_mprotect, either()?),
        // A thread, no process. `clone3` hides its flags in memory, so it does not exist.
        (libc::SYS_clone, vec![one(0, SeccompCmpOp::MaskedEq(thread), thread)?]),
        (libc::SYS_tgkill, equal(0, &mut std::iter::once(own))?),
        (libc::SYS_ioctl, equal(1, &mut IOCTLS.iter().copied())?),
        (
            libc::SYS_socket,
            equal(0, &mut FAMILIES.iter().filter_map(|family| u64::try_from(*family).ok()))?,
        ),
        // Limits are read, not set.
        (libc::SYS_prlimit64, vec![is_null(2)?]),
    ]
    .into_iter()
    .collect())
}

fn one(argument: u8, operator: SeccompCmpOp, value: u64) -> Built<SeccompRule> {
    let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)?;
    SeccompRule::new(vec![condition])
}

/// The whole of an argument that is an address.
fn is_null(argument: u8) -> Built<SeccompRule> {
    let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, 0)?;
    SeccompRule::new(vec![condition])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an intruder would call first.
    const NEVER: &[c_long] = &[
        libc::SYS_execve,
        libc::SYS_execveat,
        libc::SYS_clone3,
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_init_module,
        libc::SYS_finit_module,
        libc::SYS_delete_module,
        libc::SYS_kexec_load,
        libc::SYS_mount,
        libc::SYS_umount2,
        libc::SYS_move_mount,
        libc::SYS_fsopen,
        libc::SYS_pivot_root,
        libc::SYS_chroot,
        libc::SYS_setns,
        libc::SYS_unshare,
        libc::SYS_setuid,
        libc::SYS_setresuid,
        libc::SYS_capset,
        libc::SYS_kill,
        libc::SYS_tkill,
        libc::SYS_rt_sigqueueinfo,
        libc::SYS_pidfd_send_signal,
        libc::SYS_pidfd_getfd,
        libc::SYS_open_by_handle_at,
        libc::SYS_io_uring_setup,
        libc::SYS_memfd_create,
        libc::SYS_userfaultfd,
        libc::SYS_keyctl,
        libc::SYS_reboot,
        libc::SYS_personality,
        libc::SYS_mknodat,
        libc::SYS_linkat,
        libc::SYS_symlinkat,
        libc::SYS_fchownat,
    ];

    #[test]
    fn what_an_intruder_would_call_is_not_in_the_table() {
        let rules = conditional().unwrap();
        for call in NEVER {
            assert!(!PLAIN.contains(call) && !OLD.contains(call), "{call}");
            assert!(!rules.contains_key(call), "{call}");
        }
    }

    #[test]
    fn the_filter_compiles_and_names_each_call_once() {
        assert!(!compile().unwrap().is_empty());
        let mut all: Vec<_> = PLAIN.iter().chain(OLD).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
