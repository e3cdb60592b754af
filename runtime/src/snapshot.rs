//! What was there before the agent: walks of the kernel's own lists in, [`RawProcess`]es out, and what would have been told
//! of their sockets.

use std::{
    collections::{HashMap, HashSet},
    fs,
    io::Read,
};

use plimsoll_model::ExeFile;
use serde::{Deserialize, Serialize};

use crate::{
    limits,
    raw::{RawEvent, RawKind, RawTask},
    sensor::SensorError,
    state::key_of,
    wire,
};

/// A process that runs already, with what an exec event would have said of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawProcess {
    /// Who.
    pub task: RawTask,
    /// Absolute path of the executable in its root; empty for kernel threads.
    pub exe: String,
    /// Arguments; empty for kernel threads and for processes that ended meanwhile.
    pub args: Vec<String>,
    /// Working directory in its root.
    pub cwd: String,
    /// The executable as a file.
    pub exe_file: ExeFile,
}

/// Walks the kernel's task list with the iterator `file`.
pub(crate) fn read_processes(mut file: fs::File) -> Result<Vec<RawProcess>, SensorError> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(SensorError::Read)?;
    let mut processes = Vec::new();
    let mut rest = &bytes[..];
    while !rest.is_empty() && processes.len() < limits::MAX_SNAPSHOT_PROCESSES {
        let (mut process, length) = wire::decode_process(rest).map_err(|error| SensorError::Map {
            map: "task iterator",
            reason: error.to_string(),
        })?;
        rest = &rest[length..];
        if !process.exe.is_empty() {
            process.args = read_args(&process.task);
        }
        processes.push(process);
    }
    processes.sort_by_key(|process| (process.task.start_time_ns, process.task.pid));
    Ok(processes)
}

/// Walks the kernel's lists of descriptors with the iterator `file`: what listens, and sockets that are standard streams, of
/// these processes. Each is told of the oldest process of its cgroup that holds it, since that is whose it was. Processes that
/// are not listed have begun since, and the stream tells of them.
pub(crate) fn read_sockets(mut file: fs::File, processes: &[RawProcess]) -> Result<Vec<RawEvent>, SensorError> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(SensorError::Read)?;
    let mut events = Vec::new();
    for record in records(&bytes).take(limits::MAX_SNAPSHOT_SOCKETS) {
        events.push(wire::decode(record).map_err(|error| SensorError::Map {
            map: "descriptor iterator",
            reason: error.to_string(),
        })?);
    }
    let listed: HashSet<_> = processes.iter().map(|process| key_of(&process.task)).collect();
    events.retain(|event| listed.contains(&key_of(&event.task)));
    Ok(once_each(events))
}

/// Records behind their lengths, eight bytes each.
fn records(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = bytes.split_first_chunk()?;
        let (record, rest) = rest.split_at_checked(usize::try_from(u64::from_ne_bytes(*length)).ok()?)?;
        bytes = rest;
        Some(record)
    })
}

fn once_each(mut events: Vec<RawEvent>) -> Vec<RawEvent> {
    events.sort_by_key(|event| (event.task.start_time_ns, event.task.pid));
    let mut told: HashMap<u64, Vec<RawKind>> = HashMap::new();
    events.retain(|event| {
        let of_cgroup = told.entry(event.task.cgroup_id).or_default();
        let is_new = !of_cgroup.contains(&event.kind);
        if is_new {
            of_cgroup.push(event.kind.clone());
        }
        is_new
    });
    events
}

/// Arguments from `/proc`; empty when the pid belongs to another process by now.
fn read_args(task: &RawTask) -> Vec<String> {
    let mut bytes = Vec::new();
    let read = fs::File::open(format!("/proc/{}/cmdline", task.pid))
        .and_then(|file| file.take(wire::args_limit() as u64 + 1).read_to_end(&mut bytes));
    if read.is_err() || start_ticks(task.pid) != Some(task.start_time_ns / NS_PER_TICK) {
        return Vec::new();
    }
    let is_cut = bytes.len() > wire::args_limit();
    bytes.truncate(wire::args_limit());
    wire::split_args(&bytes, is_cut)
}

/// `/proc` counts in ticks of `USER_HZ`, which is 100 on every architecture that we support.
const NS_PER_TICK: u64 = 10_000_000;

fn start_ticks(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything; the start time is the 20th field behind it (proc_pid_stat(5), field 22).
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}
