//! Upstream's own numbers for flags in, Linux's out. Captures are the same on every architecture, so flags and requests are
//! numbered anew there (falcosecurity/libs `driver/ppm_events_public.h`, `PPM_O_*`, `PPM_CL_*`, `PPM_PTRACE_*`).

use plimsoll_model::FileAccess;

/// The open made the file.
const CREATED: u32 = 1 << 14;

/// Bit there, bit here.
const OPEN: [(u32, u32); 12] = [
    (1 << 2, 0o100),
    (1 << 3, 0o2000),
    (1 << 4, 0o10000),
    (1 << 5, 0o200),
    (1 << 6, 0o4000),
    (1 << 7, 0o4_010_000),
    (1 << 8, 0o1000),
    (1 << 9, 0o40000),
    (1 << 10, 0o200_000),
    (1 << 11, 0o100_000),
    (1 << 12, 0o2_000_000),
    (1 << 13, 0o20_000_000),
];

const CLONE: [(u32, u32); 9] = [
    (1 << 3, 0x0800_0000),
    (1 << 4, 0x4000_0000),
    (1 << 5, 0x0002_0000),
    (1 << 6, 0x2000_0000),
    (1 << 7, 0x0400_0000),
    (1 << 20, 0x1000_0000),
    (1 << 28, 0x0200_0000),
    (1 << 0, 0x0000_0400),
    (1 << 1, 0x0000_0200),
];

/// A thread and not a process was made.
pub(crate) const CLONE_THREAD: u32 = 1 << 13;

/// Requests of ptrace(2), by upstream's numbers from 1.
const PTRACE: [u32; 31] = [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 17, 24, 0x4200, 0x4201, 0x4202, 0x4203, 0x4204, 0x4205, 0x4206, 0x4207, 0x4208,
    0x4209, 0x420a, 0x420b, 12, 13, 14, 15, 18, 19,
];

fn translated(bits: u32, table: &[(u32, u32)]) -> u32 {
    let set = table.iter().filter(|(there, _)| bits & there != 0);
    set.fold(0, |flags, (_, here)| flags | here)
}

/// Flags of an open: Linux's, how the file may be used, and whether the open made it.
pub(crate) fn open(bits: u32) -> (u32, FileAccess, bool) {
    let (access, low) = match bits & 3 {
        3 => (FileAccess::ReadWrite, 2),
        2 => (FileAccess::Write, 1),
        _ => (FileAccess::Read, 0),
    };
    (low | translated(bits, &OPEN), access, bits & CREATED != 0)
}

/// Namespaces and sharing, as unshare(2) and setns(2) take them.
pub(crate) fn clone(bits: u32) -> u32 {
    translated(bits, &CLONE)
}

/// A request of ptrace(2); a number that no request has where it is not known.
pub(crate) fn ptrace(number: u32) -> u32 {
    let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
    index.and_then(|index| PTRACE.get(index)).copied().unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_linuxs() {
        assert_eq!(open(1), (0, FileAccess::Read, false));
        assert_eq!(open(1 | 1 << 12), (0o2_000_000, FileAccess::Read, false));
        assert_eq!(open(2 | 4 | 1 << 8 | CREATED), (0o1101, FileAccess::Write, true));
        assert_eq!(open(3 | 8), (0o2002, FileAccess::ReadWrite, false));
        assert_eq!(clone(1 << 5 | 1 << 20), 0x1002_0000);
        assert_eq!((ptrace(1), ptrace(11), ptrace(20)), (0, 16, 0x4206));
        assert_eq!((ptrace(0), ptrace(99)), (u32::MAX, u32::MAX));
    }
}
