//! The planner: for each need the best way that this kernel has.

use std::{fmt, path::PathBuf};

use super::{ALL, Kernel, Mechanism, Need, Needs, Sensor, SensorError, Way};

/// What is attached for each need, what is missing and why.
pub struct Plan {
    /// `uname -r` of the kernel that it was made for.
    pub release: String,
    /// Mount point of the cgroup v2 hierarchy.
    pub cgroup_root: Option<PathBuf>,
    /// One entry for each sensor, needed or not, in the order of [`ALL`].
    pub entries: Vec<Planned>,
}

/// The decision about one sensor.
pub struct Planned {
    /// Which need.
    pub need: Need,
    /// The need in words.
    pub title: &'static str,
    /// Whether somebody asked for it.
    pub is_needed: bool,
    /// What will be attached; `None` when nothing works or nobody asked.
    pub way: Option<&'static Way>,
    /// Better ways that do not work here, with the reason.
    pub refused: Vec<(Mechanism, String)>,
    /// What goes unnoticed without it.
    pub without_it: &'static str,
}

impl Plan {
    /// The ways that will be attached.
    pub fn ways(&self) -> impl Iterator<Item = &'static Way> {
        self.entries.iter().filter_map(|entry| entry.way)
    }

    /// Fails when a need of the process tree was asked for and cannot be fulfilled: without it nothing can be said.
    pub(crate) fn require_tree(&self) -> Result<(), SensorError> {
        let essential = |entry: &&Planned| {
            entry.is_needed && entry.way.is_none() && matches!(entry.need, Need::Exec | Need::Fork | Need::Exit)
        };
        self.entries.iter().find(essential).map_or(Ok(()), |entry| {
            Err(SensorError::Blind {
                title: entry.title,
                release: self.release.clone(),
                reason: entry
                    .refused
                    .iter()
                    .map(|(_, reason)| reason.as_str())
                    .collect::<Vec<_>>()
                    .join("; "),
            })
        })
    }
}

/// Decides how each need is fulfilled on `kernel`.
pub fn plan(needs: &Needs, kernel: &Kernel) -> Plan {
    Plan {
        release: kernel.release.clone(),
        cgroup_root: kernel.cgroup_root.clone(),
        entries: ALL.iter().map(|sensor| decide(*sensor, needs, kernel)).collect(),
    }
}

fn decide(sensor: &dyn Sensor, needs: &Needs, kernel: &Kernel) -> Planned {
    let is_needed = needs.contains(sensor.need());
    let mut refused = Vec::new();
    let mut way = None;
    for candidate in sensor.ways() {
        match kernel.mechanisms.get(&candidate.mechanism) {
            Some(Ok(())) => {
                way = Some(candidate);
                break;
            }
            Some(Err(reason)) => refused.push((candidate.mechanism, reason.clone())),
            None => refused.push((candidate.mechanism, "was not probed".to_owned())),
        }
    }
    Planned {
        need: sensor.need(),
        title: sensor.title(),
        is_needed,
        way: way.filter(|_| is_needed),
        refused,
        without_it: sensor.without_it(),
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "kernel {}", self.release)
    }
}
