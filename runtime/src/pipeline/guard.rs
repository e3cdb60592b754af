//! What the kernel is told of processes and containers as they come, change and go; and what it says of an act.

use std::sync::Arc;

use plimsoll_model::{Event, EventKind, Phase, ProcessKey};

use super::{Output, Pipeline};
use crate::{alert::observed, enforce::Policy, raw::Verdict, state::Seen};

/// A message to the kernel side.
#[derive(Debug, Clone)]
pub(crate) enum Telling {
    /// Of the program that a process runs, by its exec counter; `None`: it has ended, or there is nothing to say.
    Process(ProcessKey, u64, Option<Arc<Policy>>),
    /// Of a container's processes by their cgroup, in its mount namespace; `None`: it has ended.
    Container(u64, u32, Option<Arc<Policy>>),
}

/// The process that an event may give another policy, and in which phase it was before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    key: ProcessKey,
    exec_id: u64,
    before: Option<Phase>,
    /// It is a new process, or one that runs a new program.
    is_new: bool,
    has_ended: bool,
}

impl Pipeline {
    /// To be asked before an event is placed.
    pub(super) fn change(&self, id: &Arc<str>, seen: &Seen) -> Option<Change> {
        self.setup.guard.as_ref()?;
        let event = &seen.event;
        let (key, is_new) = match &event.kind {
            EventKind::Fork { child } => (child.key, true),
            EventKind::Exec { .. } => (event.process.key, seen.verdict != Some(Verdict::Refused)),
            _ => (event.process.key, false),
        };
        Some(Change {
            key,
            exec_id: seen.exec_id,
            before: self.sandboxes.get(id)?.phase_of(key),
            is_new,
            has_ended: matches!(event.kind, EventKind::Exit { .. }),
        })
    }

    /// To be told after it was placed.
    pub(super) fn guard(&mut self, id: &Arc<str>, change: Change, out: &mut Vec<Output>) {
        let (Some(guard), Some(sandbox)) = (&mut self.setup.guard, self.sandboxes.get(id)) else {
            return;
        };
        let Change { key, exec_id, .. } = change;
        if change.has_ended {
            out.push(Output::Telling(Telling::Process(key, exec_id, None)));
            return;
        }
        let phase = sandbox.phase_of(key);
        if !change.is_new && phase == change.before {
            return;
        }
        let (Some(image), Some(phase), Some(process)) = (&sandbox.image, phase, self.tree.process(key)) else {
            return;
        };
        if let Some(policy) = guard.process(image, process, phase) {
            out.push(Output::Telling(Telling::Process(key, exec_id, Some(policy))));
        }
    }

    /// A container has got its first process, or a scan, or has lost its last process.
    pub(super) fn guard_container(&mut self, id: &Arc<str>, out: &mut Vec<Output>) {
        let (Some(guard), Some(sandbox)) = (&mut self.setup.guard, self.sandboxes.get(id)) else {
            return;
        };
        let policy = sandbox.image.as_ref().and_then(|image| guard.container(image));
        let cgroup_id = sandbox.container.cgroup_id;
        match (sandbox.mount_namespace, policy) {
            (Some(namespace), Some(policy)) => {
                out.push(Output::Telling(Telling::Container(cgroup_id, namespace, Some(policy))));
            }
            (None, Some(_)) => out.push(Output::Telling(Telling::Container(cgroup_id, 0, None))),
            (_, None) => {}
        }
    }

    /// What the kernel was told of a container by a scan that another one replaces.
    pub(super) fn unguard_all(&mut self, id: &Arc<str>, out: &mut Vec<Output>) {
        let (Some(_), Some(sandbox)) = (&self.setup.guard, self.sandboxes.get(id)) else {
            return;
        };
        for key in sandbox.keys() {
            let exec_id = self.tree.exec_id(key).unwrap_or_default();
            out.push(Output::Telling(Telling::Process(key, exec_id, None)));
        }
        let cgroup_id = sandbox.container.cgroup_id;
        out.push(Output::Telling(Telling::Container(cgroup_id, 0, None)));
    }

    /// All processes of a container get the policies of the scan that has come.
    pub(super) fn guard_all(&mut self, id: &Arc<str>, out: &mut Vec<Output>) {
        let keys = self.sandboxes.get(id).map(|sandbox| sandbox.keys());
        for key in keys.into_iter().flatten() {
            let change = Change {
                key,
                exec_id: self.tree.exec_id(key).unwrap_or_default(),
                before: None,
                is_new: true,
                has_ended: false,
            };
            self.guard(id, change, out);
        }
        self.guard_container(id, out);
    }
}

/// What became of the act, for its alert; empty for nothing.
pub(crate) fn outcome(event: &Event, verdict: Option<Verdict>) -> &'static str {
    match verdict {
        None => "",
        Some(Verdict::WouldRefuse) => " (would have been refused)",
        Some(Verdict::Refused) => " (refused)",
        Some(Verdict::Signalled) => match event.kind {
            EventKind::Exec { .. } => " (stopped before it ran)",
            _ => " (the process was stopped at it)",
        },
    }
}

/// For an act that was refused although nothing that is judged here speaks against it: its profile has changed meanwhile.
pub(super) fn refused_without_reason(event: &Event) -> String {
    let container = event.container.as_ref().map_or("", |container| container.name.as_str());
    format!(
        "container {container}: {} was refused in the kernel; nothing speaks against it any more",
        observed(event)
    )
}
