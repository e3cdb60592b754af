//! What this process uses, from its own `/proc` (proc_pid_stat(5), proc_pid_status(5)).

use std::{fs, path::Path};

use super::ThreadReading;

/// `USER_HZ`, which is 100 on every architecture that we support.
const TICKS_PER_SECOND: f64 = 100.0;
/// Threads that are listed.
const MAX_THREADS: usize = 64;

/// Processor and memory.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Own {
    pub(super) cpu_seconds: f64,
    pub(super) resident_bytes: u64,
    pub(super) peak_bytes: u64,
    pub(super) threads: Vec<ThreadReading>,
}

impl Own {
    /// As it is now; what cannot be read is 0.
    pub(super) fn read() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        Self {
            cpu_seconds: cpu_seconds(Path::new("/proc/self/stat")).map_or(0.0, |(_, seconds)| seconds),
            resident_bytes: kib(&status, "VmRSS:"),
            peak_bytes: kib(&status, "VmHWM:"),
            threads: threads(),
        }
    }
}

fn threads() -> Vec<ThreadReading> {
    let mut threads: Vec<ThreadReading> = Vec::new();
    for entry in fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten()
        .take(MAX_THREADS)
    {
        let Some((name, cpu_seconds)) = cpu_seconds(&entry.path().join("stat")) else {
            continue;
        };
        // Several may do the same.
        match threads.iter_mut().find(|thread| thread.name == name) {
            Some(thread) => thread.cpu_seconds += cpu_seconds,
            None => threads.push(ThreadReading { name, cpu_seconds }),
        }
    }
    threads.sort_by(|a, b| b.cpu_seconds.total_cmp(&a.cpu_seconds));
    threads
}

/// Name and processor time, user and system.
fn cpu_seconds(stat: &Path) -> Option<(String, f64)> {
    parse(&fs::read_to_string(stat).ok()?)
}

fn parse(stat: &str) -> Option<(String, f64)> {
    // The name in parentheses may hold anything.
    let (before, after) = stat.rsplit_once(')')?;
    let name = before.split_once('(')?.1.to_owned();
    let mut fields = after.split_whitespace().skip(11);
    let ticks: u64 = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some((name, ticks as f64 / TICKS_PER_SECOND))
}

fn kib(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    number.unwrap_or(0) * 1_024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_name_that_looks_like_the_rest() {
        let stat = "7 (a) S 1 2) S 1 7 7 0 -1 4194560 100 0 0 0 250 150 0 0 20 0 9 0 5 1 2 3";
        assert_eq!(parse(stat), Some(("a) S 1 2".to_owned(), 4.0)));
        assert_eq!(parse("7 (cut"), None);
    }

    #[test]
    fn this_process_has_memory_and_a_thread() {
        let own = Own::read();
        assert!(
            own.resident_bytes > 0 && own.peak_bytes >= own.resident_bytes,
            "{own:?}"
        );
        assert!(!own.threads.is_empty());
    }
}
