//! `struct task_record` in, a [`RawTask`] out.

use plimsoll_model::Credentials;

use super::{Cursor, WireError, text};
use crate::raw::RawTask;

/// Size of `struct task_record`.
pub(super) const BYTES: usize = 128;

pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<RawTask, WireError> {
    let mut task = RawTask {
        start_time_ns: cursor.u64()?,
        parent_start_time_ns: cursor.u64()?,
        cgroup_id: cursor.u64()?,
        pid: cursor.i32()?,
        tid: cursor.i32()?,
        parent_pid: cursor.i32()?,
        container_pid: cursor.i32()?,
        pid_namespace: cursor.u32()?,
        mount_namespace: cursor.u32()?,
        credentials: Credentials {
            uid: cursor.u32()?,
            gid: cursor.u32()?,
            euid: cursor.u32()?,
            egid: cursor.u32()?,
            login_uid: Some(cursor.u32()?).filter(|&uid| uid != u32::MAX),
            capabilities: None,
            permitted_capabilities: None,
        },
        session_id: cursor.i32()?,
        tty: encode_device(cursor.u32()?, cursor.u32()?),
        comm: text::until_nul(&cursor.array::<16>()?),
        exec_id: 0,
        group_id: 0,
        container_group_id: 0,
    };
    task.credentials.capabilities = Some(cursor.u64()?);
    task.exec_id = cursor.u64()?;
    task.credentials.permitted_capabilities = Some(cursor.u64()?);
    task.container_group_id = cursor.i32()?;
    task.group_id = cursor.i32()?;
    Ok(task)
}

/// As `stat(2)` and `/proc/PID/stat` write a device number (`new_encode_dev`).
fn encode_device(major: u32, minor: u32) -> u32 {
    (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12)
}
