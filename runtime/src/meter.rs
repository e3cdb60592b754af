//! What the agent itself costs and does: counted where it happens, read by whoever runs it. Judged events in, a [`Reading`]
//! and text for Prometheus out.

use std::collections::HashMap;

use plimsoll_model::{Event, EventKind, SystemCall};

use crate::limits::{MAX_COUNTED_NAMES, MAX_HOT, MAX_HOT_SHOWN};

mod hot;
mod own;
mod prometheus;
mod reading;
mod serve;

pub use reading::{Counted, HotProgram, Loss, OutputReading, Queue, Reading, SCHEMA, ThreadReading};
pub use serve::{Listeners, MeterError, RUN_FOLDER};

pub(crate) use serve::About;

use hot::Hot;

/// Kinds of events that are no calls; those that a newer model has are `other`.
const KINDS: &[&str] = &[
    "exec",
    "fork",
    "exit",
    "open",
    "connect",
    "bind",
    "listen",
    "load",
    "lost",
    "connect-local",
    "use-capability",
    "other",
];
const OTHER: usize = KINDS.len() - 1;

/// Counts of the thread that judges.
#[derive(Debug, Clone)]
pub(crate) struct Meter {
    kinds: Vec<u64>,
    /// Times that each rule's condition held.
    rules: HashMap<Box<str>, u64>,
    /// Alerts told, by title: a rule's name or a deviation's.
    titles: HashMap<Box<str>, u64>,
    programs: Hot<HotProgram>,
    /// Events that waited for the identity of their cgroup.
    pub(crate) waited: u64,
    /// Cgroups whose identity did not come in time.
    pub(crate) timed_out: u64,
    /// Cgroups and ended containers that were forgotten because there were too many.
    pub(crate) forgotten: u64,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            kinds: vec![0; KINDS.len() + SystemCall::ALL.len()],
            rules: HashMap::new(),
            titles: HashMap::new(),
            programs: Hot::new(MAX_HOT),
            waited: 0,
            timed_out: 0,
            forgotten: 0,
        }
    }
}

impl Meter {
    /// An event is about to be judged.
    pub(crate) fn saw(&mut self, event: &Event) {
        self.kinds[slot(&event.kind)] += 1;
        let container = event.container.as_deref().map_or("", |container| container.id.as_str());
        let exe = event.process.exe.as_str();
        self.programs.count(&[exe, container], || HotProgram {
            program: match exe {
                "" => event.process.comm.clone(),
                exe => exe.to_owned(),
            },
            container: event.container.as_deref().map(|container| container.name.clone()),
            pid: event.process.key.pid,
            events: 0,
        });
    }

    /// A rule's condition held.
    pub(crate) fn matched(&mut self, rule: &str) {
        count(&mut self.rules, rule);
    }

    /// An alert was told.
    pub(crate) fn alerted(&mut self, title: &str) {
        count(&mut self.titles, title);
    }

    /// Events by kind, most frequent first, none that never happened.
    pub(crate) fn kinds(&self) -> Vec<Counted> {
        let calls = SystemCall::ALL.iter().map(|call| call.as_str());
        let named = KINDS.iter().copied().chain(calls).zip(&self.kinds);
        sorted(named.map(|(name, count)| (name, *count)))
    }

    /// Rules by how often they held.
    pub(crate) fn rules(&self) -> Vec<Counted> {
        sorted(self.rules.iter().map(|(name, count)| (&**name, *count)))
    }

    /// Alerts by title.
    pub(crate) fn titles(&self) -> Vec<Counted> {
        sorted(self.titles.iter().map(|(name, count)| (&**name, *count)))
    }

    /// Programs that did most, most first.
    pub(crate) fn programs(&self) -> Vec<HotProgram> {
        let most = self.programs.most().into_iter().take(MAX_HOT_SHOWN);
        most.map(|(program, events)| HotProgram {
            events,
            ..program.clone()
        })
        .collect()
    }
}

fn slot(kind: &EventKind) -> usize {
    match kind {
        EventKind::Exec { .. } => 0,
        EventKind::Fork { .. } => 1,
        EventKind::Exit { .. } => 2,
        EventKind::Open { .. } => 3,
        EventKind::Connect { .. } => 4,
        EventKind::Bind { .. } => 5,
        EventKind::Listen { .. } => 6,
        EventKind::Load { .. } => 7,
        EventKind::Lost { .. } => 8,
        EventKind::ConnectLocal { .. } => 9,
        EventKind::UseCapability { .. } => 10,
        EventKind::Call(call) => KINDS.len() + call.call as usize,
        _ => OTHER,
    }
}

/// Names come from rule files, which are bounded; what is beyond is counted together.
fn count(counts: &mut HashMap<Box<str>, u64>, name: &str) {
    if let Some(count) = counts.get_mut(name) {
        *count += 1;
    } else {
        let name = if counts.len() < MAX_COUNTED_NAMES {
            name
        } else {
            "(others)"
        };
        *counts.entry(name.into()).or_default() += 1;
    }
}

fn sorted<'n>(counts: impl Iterator<Item = (&'n str, u64)>) -> Vec<Counted> {
    let mut sorted: Vec<Counted> = counts
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| Counted {
            name: name.to_owned(),
            count,
        })
        .collect();
    sorted.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_the_rest_is_counted_together() {
        let mut meter = Meter::default();
        for number in 0..MAX_COUNTED_NAMES + 5 {
            meter.matched(&format!("rule {number}"));
        }
        meter.matched("rule 0");
        let rules = meter.rules();
        assert_eq!(rules.len(), MAX_COUNTED_NAMES + 1);
        assert_eq!((rules[0].name.as_str(), rules[0].count), ("(others)", 5));
        assert_eq!((rules[1].name.as_str(), rules[1].count), ("rule 0", 2));
    }
}
