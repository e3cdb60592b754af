//! Processes that ran before the agent: a walk of the kernel's task list in, [`RawProcess`]es out.

use std::{fs, io::Read};

use plimsoll_model::ExeFile;
use serde::{Deserialize, Serialize};

use crate::{limits, raw::RawTask, sensor::SensorError, wire};

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
