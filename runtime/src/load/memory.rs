//! What was needed to start and is needed no more: memory that was freed, and pages of the program itself.

use std::{env, ffi::CStr, fs, os::unix::ffi::OsStrExt as _, ptr};

use tikv_jemalloc_sys::mallctl;

/// All arenas at once (jemalloc(3), `MALLCTL_ARENAS_ALL`).
const PURGE_ALL: &CStr = c"arena.4096.purge";

/// Gives freed memory back to the system: reading the kernel's types and scan reports takes tens of megabytes for a moment. The
/// allocator does so by itself while it is asked for more; threads that only wait do not ask.
#[allow(unsafe_code)]
pub(crate) fn give_back() {
    // SAFETY: the name is a C string, and a command that takes and gives no value wants no pointers; the allocator locks itself.
    let code = unsafe { mallctl(PURGE_ALL.as_ptr(), ptr::null_mut(), ptr::null_mut(), ptr::null_mut(), 0) };
    if code != 0 {
        tracing::debug!(code, "the allocator keeps what is free");
    }
}

/// Also lets go of the program's own pages: arguments, rules and sensors were read by megabytes of code that does not run again.
/// What is needed comes back from the page cache.
#[allow(unsafe_code)]
pub(crate) fn give_back_start() {
    give_back();
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let Ok(own) = env::current_exe() else { return };
    for (start, length) in pages_of(&maps, &String::from_utf8_lossy(own.as_os_str().as_bytes())) {
        // SAFETY: the range is a private mapping of a file, readable or executable and from the beginning never writable, so
        // what is dropped is read again with the same content; the running program's file cannot be written (ETXTBSY).
        unsafe {
            libc::madvise(start as *mut libc::c_void, length, libc::MADV_DONTNEED);
        }
    }
}

/// Ranges of a file's code and constants (proc_pid_maps(5)). What is read-only behind the code was written once, by the dynamic
/// loader, and would be lost.
fn pages_of(maps: &str, path: &str) -> Vec<(usize, usize)> {
    let ranges = maps.lines().filter_map(|line| {
        let mut fields = line.splitn(6, ' ');
        let (range, rights, offset) = (fields.next()?, fields.next()?, fields.next()?);
        let name = fields.nth(2)?.trim_start();
        let is_constant = rights == "r--p" && offset.bytes().all(|digit| digit == b'0');
        if name != path || !(rights == "r-xp" || is_constant) {
            return None;
        }
        let (start, end) = range.split_once('-')?;
        let (start, end) = (
            usize::from_str_radix(start, 16).ok()?,
            usize::from_str_radix(end, 16).ok()?,
        );
        Some((start, end.checked_sub(start)?))
    });
    ranges.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_never_written_is_let_go() {
        let maps = "\
1000-3000 r--p 00000000 fe:00 7                          /opt/a b
3000-5000 r-xp 00002000 fe:00 7                          /opt/a b
5000-6000 r--p 00004000 fe:00 7                          /opt/a b
6000-7000 rw-p 00005000 fe:00 7                          /opt/a b
7000-8000 rw-p 00000000 00:00 0                          [heap]
8000-9000 r-xp 00001000 fe:00 8                          /usr/lib/libc.so.6
9000-a000 r--p 00000000 fe:00 8                          /usr/lib/libc.so.6
";
        assert_eq!(pages_of(maps, "/opt/a b"), [(0x1000, 0x2000), (0x3000, 0x2000)]);
    }

    #[test]
    fn the_program_goes_on() {
        let before = format!("{:?}", env::args().collect::<Vec<_>>());
        give_back_start();
        assert_eq!(format!("{:?}", env::args().collect::<Vec<_>>()), before);
    }
}
