//! The planner: for each need the best way that this kernel has.

use std::{collections::BTreeSet, fmt, path::PathBuf, sync::Arc};

use crate::load::KernelTypes;

use super::{ALL, Kernel, Mechanism, Need, Needs, Sensor, SensorError, Way};

/// What is attached for each need, what is missing and why. Its `Display` is the text of `plimsoll agent doctor`.
pub struct Plan {
    /// `uname -r` of the kernel that it was made for.
    pub release: String,
    /// Mount point of the cgroup v2 hierarchy.
    pub cgroup_root: Option<PathBuf>,
    /// Whether this kernel lets programs refuse an exec and a write: BPF LSM. Without it a process that does what must
    /// not be is killed or stopped instead.
    pub can_refuse: bool,
    /// One entry for each sensor, needed or not, in the order of [`ALL`].
    pub entries: Vec<Planned>,
    /// See [`Kernel`]: what opening the sensors and the snapshot share.
    _types: Option<Arc<KernelTypes>>,
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

    /// Whether every need that was asked for is fulfilled.
    pub fn is_complete(&self) -> bool {
        self.entries.iter().all(|entry| !entry.is_needed || entry.way.is_some())
    }

    /// Fails when a need of the process tree was asked for and cannot be fulfilled: without it nothing can be said.
    pub(crate) fn require_tree(&self) -> Result<(), SensorError> {
        let is_essential = |entry: &&Planned| {
            entry.is_needed && entry.way.is_none() && matches!(entry.need, Need::Exec | Need::Fork | Need::Exit)
        };
        self.entries.iter().find(is_essential).map_or(Ok(()), |entry| {
            Err(SensorError::Blind {
                title: entry.title,
                release: self.release.clone(),
                reason: entry.reasons(),
            })
        })
    }
}

impl Planned {
    fn reasons(&self) -> String {
        let reasons: Vec<String> = self
            .refused
            .iter()
            .map(|(mechanism, reason)| format!("{mechanism}: {reason}"))
            .collect();
        reasons.join("; ")
    }
}

/// Decides how each need is fulfilled on `kernel`.
pub fn plan(needs: &Needs, kernel: &Kernel) -> Plan {
    Plan {
        release: kernel.release.clone(),
        cgroup_root: kernel.cgroup_root.clone(),
        can_refuse: kernel.mechanisms.get(&Mechanism::Lsm).is_some_and(Result::is_ok),
        entries: ALL.iter().map(|sensor| decide(*sensor, needs, kernel)).collect(),
        _types: kernel.types.clone(),
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
        let cgroups = self
            .cgroup_root
            .as_ref()
            .map_or("not mounted".to_owned(), |path| path.display().to_string());
        writeln!(f, "kernel {}, cgroup v2: {cgroups}\n", self.release)?;
        let width = self.entries.iter().map(|entry| entry.title.len()).max().unwrap_or(0);
        for entry in &self.entries {
            match (entry.way, entry.is_needed) {
                (Some(way), _) => writeln!(
                    f,
                    "  yes  {:width$}  {}{}",
                    entry.title,
                    way.mechanism,
                    cost(way.mechanism)
                )?,
                (None, true) => writeln!(f, "  NO   {:width$}  {}", entry.title, entry.reasons())?,
                (None, false) => writeln!(f, "  off  {:width$}  no rule and no profile needs it", entry.title)?,
            }
        }
        if self.ways().any(|way| way.mechanism == Mechanism::SyscallTracepoint) {
            writeln!(f, "\n{COST}")?;
        }
        let (act, connect) = match self.can_refuse {
            true => ("refused (BPF LSM)", "refused (cgroup hook)"),
            false => ("its process is killed or stopped", "refused (cgroup hook)"),
        };
        writeln!(f, "\nwhat --enforce does about acts that must not be:")?;
        writeln!(f, "  exec, write  {act}\n  connect      {connect}")?;
        self.write_blindness(f)?;
        self.write_refusals(f)
    }
}

/// Marks a mechanism that costs those who are not watched.
fn cost(mechanism: Mechanism) -> &'static str {
    match mechanism {
        Mechanism::SyscallTracepoint => " *",
        _ => "",
    }
}

/// Measured on Linux 6.18.
const COST: &str =
    "* costs every system call of every process about 35 ns as long as any is attached; only if a rule needs one";

/// What hosts on which only cgroup v1 is mounted are told.
pub(crate) const WITHOUT_CGROUPS: &str = "containers: they are told apart by their cgroups of version 2, which is not mounted, \
     so all processes count as the host's, and neither profiles nor rules about containers judge anything";

impl Plan {
    fn write_blindness(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let missing = self
            .entries
            .iter()
            .filter(|entry| entry.is_needed && entry.way.is_none());
        let partial = self
            .entries
            .iter()
            .filter_map(|entry| Some((entry.title, entry.way?.blind_to)));
        let mut lines: Vec<String> = missing
            .map(|entry| format!("{}: {}", entry.title, entry.without_it))
            .collect();
        lines.extend(self.cgroup_root.is_none().then(|| WITHOUT_CGROUPS.to_owned()));
        let mut gaps: Vec<(&str, Vec<&str>)> = Vec::new();
        for (title, gap) in partial.filter(|(_, gap)| !gap.is_empty()) {
            match gaps.iter_mut().find(|(known, _)| *known == gap) {
                Some((_, titles)) => titles.push(title),
                None => gaps.push((gap, vec![title])),
            }
        }
        for (gap, titles) in gaps {
            lines.push(match titles.len() {
                1 => format!("{}: {gap}", titles[0]),
                _ => format!("{gap}:\n    {}", titles.join("\n    ")),
            });
        }
        if lines.is_empty() {
            return Ok(());
        }
        writeln!(f, "\nwhat this agent does not see:")?;
        lines.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }

    fn write_refusals(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let needed = self.entries.iter().filter(|entry| entry.is_needed);
        let refused: BTreeSet<&(Mechanism, String)> = needed.flat_map(|entry| &entry.refused).collect();
        if refused.is_empty() {
            return Ok(());
        }
        writeln!(f, "\nwhat this kernel refuses:")?;
        refused
            .iter()
            .try_for_each(|(mechanism, reason)| writeln!(f, "  {mechanism}: {reason}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel(working: &[Mechanism]) -> Kernel {
        let all = [
            Mechanism::Lsm,
            Mechanism::Fexit,
            Mechanism::BtfTracepoint,
            Mechanism::CgroupHook,
            Mechanism::SyscallTracepoint,
        ];
        let answer = |mechanism| match working.contains(&mechanism) {
            true => (mechanism, Ok(())),
            false => (mechanism, Err("refused".to_owned())),
        };
        Kernel {
            release: "6.1".to_owned(),
            cgroup_root: None,
            mechanisms: all.into_iter().map(answer).collect(),
            types: None,
        }
    }

    fn way_of(plan: &Plan, need: Need) -> Option<Mechanism> {
        plan.entries
            .iter()
            .find(|entry| entry.need == need)?
            .way
            .map(|way| way.mechanism)
    }

    #[test]
    fn takes_the_first_way_that_works() {
        use Mechanism::{BtfTracepoint, Fexit, Lsm, SyscallTracepoint};
        for (working, expected) in [
            (&[Lsm, Fexit, SyscallTracepoint][..], Some(Lsm)),
            (&[Fexit, SyscallTracepoint], Some(Fexit)),
            (&[BtfTracepoint, SyscallTracepoint], Some(SyscallTracepoint)),
            (&[BtfTracepoint], None),
        ] {
            let plan = plan(&Needs::all(), &kernel(working));
            assert_eq!(way_of(&plan, Need::OpenWrite), expected, "with {working:?}");
            assert_eq!(
                plan.require_tree().is_ok(),
                working.contains(&BtfTracepoint),
                "with {working:?}"
            );
        }
    }

    #[test]
    fn attaches_nothing_that_nobody_needs() {
        let kernel = kernel(&[Mechanism::BtfTracepoint, Mechanism::SyscallTracepoint]);
        let plan = plan(&Needs::tree(), &kernel);
        assert!(plan.ways().all(|way| way.mechanism == Mechanism::BtfTracepoint));
        assert!(plan.is_complete());
        assert!(plan.to_string().contains("off  files opened for writing"), "{plan}");
    }

    #[test]
    fn says_what_is_missing_and_what_that_blinds() {
        let text = plan(&Needs::all(), &kernel(&[Mechanism::BtfTracepoint])).to_string();
        for expected in [
            "NO   connections asked for",
            "outgoing connections go unnoticed",
            "cgroup hook: refused",
            "cgroup v2: not mounted",
            "neither profiles nor rules about containers judge anything",
        ] {
            assert!(text.contains(expected), "`{expected}` is missing from:\n{text}");
        }
    }
}
