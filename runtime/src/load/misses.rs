//! Times that a program could not run because the hook was entered again, on the same processor, before it was done: events that
//! nobody else counts. Loaded programs in, their sum out; zero on kernels before 5.12, which do not say.

use std::{
    fs::File,
    os::{
        fd::{AsFd, AsRawFd},
        unix::fs::FileExt as _,
    },
};

use aya::Ebpf;

/// What the kernel says of a program is a few lines.
const MAX_INFO_BYTES: usize = 1_024;

/// What the kernel says of each program. Held open: opening it every time would be an event of its own, many times a second.
#[derive(Debug, Default)]
pub(crate) struct Misses(Vec<File>);

impl Misses {
    /// Of all programs that are loaded.
    pub(crate) fn open(object: &Ebpf) -> Self {
        let files = object.programs().filter_map(|(_, program)| {
            let fd = program.fd().ok()?.as_fd().as_raw_fd();
            File::open(format!("/proc/self/fdinfo/{fd}")).ok()
        });
        Self(files.collect())
    }

    /// So far.
    pub(crate) fn count(&self) -> u64 {
        let mut buffer = [0; MAX_INFO_BYTES];
        let counts = self.0.iter().filter_map(|file| {
            let length = file.read_at(&mut buffer, 0).ok()?;
            let text = std::str::from_utf8(&buffer[..length]).ok()?;
            text.lines()
                .find_map(|line| line.strip_prefix("recursion_misses:")?.trim().parse::<u64>().ok())
        });
        counts.sum()
    }
}
