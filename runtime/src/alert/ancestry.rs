//! A process in, what an alert shows of its ancestors out. Of a container's alert nobody needs more of the host than who
//! brought the process in: the host's command lines may hold secrets, and alerts travel.

use plimsoll_model::{Process, ProcessSummary};
use plimsoll_policy::{escape, quote_arguments};

use crate::limits::{MAX_ALERT_ANCESTORS, MAX_ALERT_HOST_ANCESTORS};

/// Ancestors, nearest first. `inside` is how many of them belong to the container; behind these, the first process
/// outside is shown by its name alone. `None`: the process is the host's, and so are its ancestors.
pub(crate) fn ancestry(process: &Process, inside: Option<usize>) -> Vec<ProcessSummary> {
    let ancestors = process.lineage().skip(1);
    let Some(inside) = inside else {
        return ancestors.take(MAX_ALERT_HOST_ANCESTORS).map(summarise).collect();
    };
    let chain: Vec<&Process> = ancestors.take(inside + 1).collect();
    // A copy of the runtime that has not started a program of the container yet still has the runtime's arguments.
    let outside = chain.get(inside).copied();
    let is_copy = |ancestor: &Process| outside.is_some_and(|one| ancestor.exe == one.exe && ancestor.args == one.args);
    let copies = chain.iter().rev().take_while(|ancestor| is_copy(ancestor)).count();
    let own = chain.len() - copies;
    chain
        .into_iter()
        .take(MAX_ALERT_ANCESTORS)
        .enumerate()
        .map(|(position, ancestor)| match position < own {
            true => summarise(ancestor),
            false => named(ancestor),
        })
        .collect()
}

/// One process as alerts show it.
pub(crate) fn summarise(process: &Process) -> ProcessSummary {
    ProcessSummary {
        pid: process.key.pid,
        exe: match process.exe.is_empty() {
            true => format!("[{}]", escape(&process.comm)),
            false => escape(&process.exe),
        },
        command_line: quote_arguments(&process.args),
        euid: process.credentials.euid,
    }
}

/// The same without what it was told to do.
fn named(process: &Process) -> ProcessSummary {
    ProcessSummary {
        command_line: match process.exe.is_empty() {
            true => escape(&process.comm),
            false => escape(process.name()),
        },
        ..summarise(process)
    }
}
