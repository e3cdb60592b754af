//! tracefs, where nobody mounted it: in a mount namespace of our own. The only module that mounts anything.

use std::{io, path::Path, thread};

use crate::sensor::SensorError;

/// Where it is expected; the second is an automount of debugfs.
const TRACEFS: &[&str] = &["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

fn is_in_sight() -> bool {
    TRACEFS.iter().any(|path| Path::new(path).join("events").is_dir())
}

/// Lets the calling thread, and those that it starts from now on, see tracefs for good: later it may not mount it any more.
pub(crate) fn keep_in_sight() -> io::Result<()> {
    match is_in_sight() {
        true => Ok(()),
        false => mount_tracefs_privately(),
    }
}

/// Runs `work` where tracefs can be seen. When nobody mounted it, that is a thread of its own with a private mount
/// namespace: the mount is gone when the thread ends, what was attached stays.
pub(super) fn with_tracefs<T: Send>(
    is_needed: bool,
    work: impl FnOnce() -> Result<T, SensorError> + Send,
) -> Result<T, SensorError> {
    if !is_needed || is_in_sight() {
        return work();
    }
    thread::scope(|scope| {
        scope
            .spawn(|| {
                mount_tracefs_privately().map_err(|error| SensorError::Load {
                    reason: format!("mount tracefs: {error}"),
                })?;
                work()
            })
            .join()
            .unwrap_or_else(|_| {
                Err(SensorError::Load {
                    reason: "the loading thread panicked".to_owned(),
                })
            })
    })
}

/// Mounts are still taken over from the host, whose engines mount file systems of containers; none is given back.
#[allow(unsafe_code)]
fn mount_tracefs_privately() -> io::Result<()> {
    let checked = |result: libc::c_int| match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    };
    // SAFETY: all strings are literals with their NUL; unshare changes this thread only.
    unsafe {
        checked(libc::unshare(libc::CLONE_NEWNS))?;
        checked(libc::mount(
            c"none".as_ptr(),
            c"/".as_ptr(),
            std::ptr::null(),
            libc::MS_REC | libc::MS_SLAVE,
            std::ptr::null(),
        ))?;
        checked(libc::mount(
            c"tracefs".as_ptr(),
            c"/sys/kernel/tracing".as_ptr(),
            c"tracefs".as_ptr(),
            libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC,
            std::ptr::null(),
        ))
    }
}
