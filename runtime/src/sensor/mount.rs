//! Sensor: file systems mounted, roots changed.

use super::{Hook, Mechanism, Need, Program, Sensor, Way};

// The kernel defines umount2(2) under the name `umount`.
const BLIND_TO: &str = "paths as they were before the caller changed them: they are read when the call returns";

const WAYS: &[Way] = &[
    Way {
        mechanism: Mechanism::Fexit,
        programs: &[
            Program::optional("call_mount", Hook::SystemCall("mount")),
            Program::optional("call_move_mount", Hook::SystemCall("move_mount")),
            Program::optional("call_umount2", Hook::SystemCall("umount")),
            Program::optional("call_pivot_root", Hook::SystemCall("pivot_root")),
            Program::optional("call_chroot", Hook::SystemCall("chroot")),
        ],
        blind_to: BLIND_TO,
    },
    Way {
        mechanism: Mechanism::SyscallTracepoint,
        programs: &[
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_mount")),
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_move_mount")),
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_umount")),
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_pivot_root")),
            Program::optional("on_call_returned", Hook::Tracepoint("sys_exit_chroot")),
        ],
        blind_to: BLIND_TO,
    },
];

/// Tells of file systems mounted, roots changed.
pub(super) struct Mount;

impl Sensor for Mount {
    fn need(&self) -> Need {
        Need::Mount
    }

    fn title(&self) -> &'static str {
        "file systems mounted, roots changed"
    }

    fn ways(&self) -> &'static [Way] {
        WAYS
    }

    fn without_it(&self) -> &'static str {
        "mounts go unnoticed"
    }
}
