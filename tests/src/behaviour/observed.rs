//! The agent's recording of normal work in, how well the static profiles foretold it out.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::Path,
};

use anyhow::bail;
use plimsoll_model::{Action, Confidence, Event, EventKind, Fact, Phase, Profile, ScanReport, Transport, Verb};
use plimsoll_policy::{Judgement, identify, is_client_port, matches_program};
use plimsoll_runtime::{
    agent::{Observed, observe},
    capture,
};

use super::outcome::ImageOutcome;

/// Which containers did normal work, and when.
#[derive(Debug, Default)]
pub struct Recorded {
    by_container: HashMap<String, Window>,
}

#[derive(Debug, Clone)]
struct Window {
    row: String,
    image: String,
    from_ns: u64,
    until_ns: u64,
}

/// One verb's figures: how many of what the profile says was seen, and how much of what was seen it says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Facts of A and B about the image.
    pub facts: usize,
    /// Of these, seen at least once.
    pub seen_facts: usize,
    /// Different things that were done: programs started, ports, folders written to.
    pub done: usize,
    /// Of these, expected.
    pub expected: usize,
}

/// Figures of exec, listen and write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Agreement {
    /// By verb: `exec`, `listen`, `write`.
    pub counts: BTreeMap<&'static str, Count>,
    /// What was done and not foretold, for people.
    pub surprises: Vec<String>,
}

const VERBS: [(&str, Verb); 3] = [("exec", Verb::Exec), ("listen", Verb::Listen), ("write", Verb::Write)];

impl Recorded {
    /// A container of this row and image did normal work from then until then.
    pub(super) fn add(&mut self, (row, image): (&str, &str), container_id: &str, from_ns: u64, until_ns: u64) {
        let window = Window {
            row: row.to_owned(),
            image: image.to_owned(),
            from_ns,
            until_ns,
        };
        self.by_container.insert(container_id.to_owned(), window);
    }

    /// Compares recording and profiles.
    pub(super) fn compare(
        &self,
        reports: &Path,
        recording: &Path,
        outcomes: &mut BTreeMap<String, ImageOutcome>,
    ) -> anyhow::Result<()> {
        let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
        for window in self.by_container.values() {
            let report = std::fs::read(reports.join(format!("{}.json", window.image)))?;
            let report: ScanReport = serde_json::from_slice(&report)?;
            tallies.insert(window.row.clone(), Tally::new(report.profile));
        }
        let mut heard: BTreeSet<&str> = BTreeSet::new();
        observe(reports, &capture::Recorded::new(recording), |observed| {
            let id = observed.event.container.as_ref().map(|container| container.id.as_str());
            let Some(window) = id.and_then(|id| self.by_container.get(id)) else {
                return;
            };
            if (window.from_ns..window.until_ns).contains(&observed.event.time_ns)
                && let Some(tally) = tallies.get_mut(&window.row)
            {
                heard.insert(&window.row);
                tally.take(&observed);
            }
        })?;
        // Silence here would look like a profile that foretold nothing of nothing.
        if let Some(image) = tallies.keys().find(|image| !heard.contains(image.as_str())) {
            bail!(
                "the recording holds nothing that {image} did: agent and suite are of different builds; build both: cargo \
                 build -p plimsoll-cli -p plimsoll-tests --bins"
            );
        }
        for (image, tally) in tallies {
            if let Some(outcome) = outcomes.get_mut(&image) {
                outcome.agreement = tally.finish();
            }
        }
        Ok(())
    }
}

struct Tally {
    profile: Profile,
    /// Positions of facts that count, by verb.
    facts: BTreeMap<&'static str, Vec<usize>>,
    seen: BTreeSet<usize>,
    /// By verb and thing: whether it was expected each time.
    done: BTreeMap<(&'static str, String), bool>,
}

impl Tally {
    fn new(profile: Profile) -> Self {
        let mut facts: BTreeMap<&'static str, Vec<usize>> = BTreeMap::new();
        for (position, fact) in profile.facts.iter().enumerate() {
            let name = VERBS.iter().find(|(_, verb)| *verb == fact.action.verb());
            if let Some((name, _)) = name.filter(|_| counts(fact)) {
                facts.entry(name).or_default().push(position);
            }
        }
        Self {
            profile,
            facts,
            seen: BTreeSet::new(),
            done: BTreeMap::new(),
        }
    }

    fn take(&mut self, observed: &Observed) {
        let event = &observed.event;
        let is_working = matches!(event.phase, Some(Phase::Entrypoint | Phase::Serving | Phase::Probe));
        let Some((name, thing)) = thing(event).filter(|_| is_working) else {
            return;
        };
        for position in self.facts.get(name).into_iter().flatten() {
            if !self.seen.contains(position) && shows(&self.profile.facts[*position], event) {
                self.seen.insert(*position);
            }
        }
        let is_expected = observed.judgement == Judgement::Expected;
        let all = self.done.entry((name, thing)).or_insert(true);
        *all &= is_expected;
    }

    fn finish(self) -> Agreement {
        let mut agreement = Agreement::default();
        for (name, _) in VERBS {
            let facts = self.facts.get(name).map(Vec::as_slice).unwrap_or_default();
            let done = self.done.iter().filter(|((verb, _), _)| *verb == name);
            let count = Count {
                facts: facts.len(),
                seen_facts: facts.iter().filter(|position| self.seen.contains(position)).count(),
                done: done.clone().count(),
                expected: done.filter(|(_, is_expected)| **is_expected).count(),
            };
            agreement.counts.insert(name, count);
        }
        let surprises = self.done.iter().filter(|(_, is_expected)| !**is_expected);
        agreement.surprises = surprises.map(|((verb, thing), _)| format!("{verb} {thing}")).collect();
        agreement
    }
}

/// Facts that only rank say nothing, and those that hold for every program are not about this image.
fn counts(fact: &Fact) -> bool {
    fact.confidence <= Confidence::B
        && !fact.evidence.iter().all(|one| one.detail.starts_with("any program:"))
        && (fact.phases.is_empty()
            || fact
                .phases
                .iter()
                .any(|phase| *phase != Phase::Init && *phase != Phase::Session))
}

/// What is done, in the grain in which facts speak.
fn thing(event: &Event) -> Option<(&'static str, String)> {
    match &event.kind {
        EventKind::Exec { .. } => {
            let program = identify(&event.process);
            let applet = program.applet.map(|applet| format!(" {applet:?}")).unwrap_or_default();
            Some(("exec", format!("{}{applet}", program.path)))
        }
        EventKind::Listen { address, transport } => Some(("listen", format!("{transport:?} {}", address.port))),
        EventKind::Bind { address, transport }
            if *transport != Transport::Tcp && !is_client_port(address.port, *transport) =>
        {
            Some(("listen", format!("{transport:?} {}", address.port)))
        }
        EventKind::Open { path, access, .. } if access.can_write() && is_file(path) => {
            Some(("write", path.rsplit_once('/')?.0.to_owned()))
        }
        _ => None,
    }
}

fn is_file(path: &str) -> bool {
    path.starts_with('/')
        && !["/dev/", "/proc/", "/memfd:", "/SYSV"]
            .iter()
            .any(|prefix| path.starts_with(prefix))
}

/// Whether an event is what a fact speaks of, whoever did it.
fn shows(fact: &Fact, event: &Event) -> bool {
    let is_phase = fact.phases.is_empty() || event.phase.is_some_and(|phase| fact.phases.contains(&phase));
    is_phase
        && match (&fact.action, &event.kind) {
            (Action::Exec(program), EventKind::Exec { .. }) => matches_program(program, &event.process),
            (
                Action::Listen(ports),
                EventKind::Listen { address, transport } | EventKind::Bind { address, transport },
            ) => ports.transport == *transport && (ports.first..=ports.last).contains(&address.port),
            (Action::Write(pattern), EventKind::Open { path, .. }) => pattern.matches(path),
            _ => false,
        }
}
