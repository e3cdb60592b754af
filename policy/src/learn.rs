//! What containers were seen to do in; facts that may be learned from it out, with counts, times, and what waits or is
//! refused. Pure: times are those of the events.
//!
//! Only what a profile does not judge is learned. What it judges wrong is for people: it is suggested, never taken, and its
//! container teaches nothing while an alert about it would be open.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use plimsoll_model::{
    Action, Confidence, Digest, Event, EventKind, Evidence, EvidenceSource, Fact, FileEntry, Peer, Phase, PortSpec,
    Profile, ScanReport, Subject, Transport,
};

use crate::{
    Judgement, KnownFiles,
    address::scope_of,
    judge::is_client_port,
    limits::{LEARNING_PAUSE_NS, MAX_OBSERVED},
    merge::refusal,
    program::identify,
};

/// What was seen.
#[derive(Debug, Default)]
pub struct Ledger {
    seen: BTreeMap<String, Seen>,
    containers: HashMap<String, Watched>,
    /// Suggestions by what they say: the fact that would allow it, and how often it was seen.
    suggested: BTreeMap<String, (Option<Fact>, u64)>,
    /// Acts that found no room.
    pub dropped: u64,
}

#[derive(Debug)]
struct Seen {
    fact: Fact,
    count: u64,
    containers: BTreeSet<String>,
    first_ns: u64,
    last_ns: u64,
}

#[derive(Debug)]
struct Watched {
    first_ns: u64,
    last_ns: u64,
    /// When it last did what its profile rules out.
    wrong_ns: Option<u64>,
}

/// How much must have been seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// Containers that did it.
    pub containers: usize,
    /// Hours for which these containers were watched, together.
    pub hours: f64,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Learned {
    /// Facts with enough behind them; confidence B.
    pub facts: Vec<Fact>,
    /// Facts that were not seen enough, and what is missing.
    pub waiting: Vec<(Fact, String)>,
    /// Facts that are never learned, and why.
    pub refused: Vec<(Fact, String)>,
    /// What the profile judges wrong: in words, how often, and the fact by which a person would allow it.
    pub suggested: Vec<(String, u64, Option<Fact>)>,
}

impl Ledger {
    /// Takes in one act of a container and what its profile says of it.
    pub fn note(&mut self, event: &Event, judgement: &Judgement) {
        let Some(container) = &event.container else { return };
        let watched = self.containers.entry(container.id.clone()).or_insert(Watched {
            first_ns: event.time_ns,
            last_ns: event.time_ns,
            wrong_ns: None,
        });
        watched.last_ns = watched.last_ns.max(event.time_ns);
        match judgement {
            Judgement::Expected => return,
            Judgement::Deviates(deviations) => {
                let worst = deviations.iter().filter(|one| one.confidence < Confidence::C);
                for deviation in worst {
                    watched.wrong_ns = Some(event.time_ns);
                    let known = self.suggested.len();
                    if known < MAX_OBSERVED || self.suggested.contains_key(&deviation.summary) {
                        let entry = self.suggested.entry(deviation.summary.clone());
                        entry.or_insert_with(|| (deviation.allow.clone(), 0)).1 += 1;
                    }
                }
                return;
            }
            Judgement::NotJudged => {}
        }
        let is_open = watched
            .wrong_ns
            .is_some_and(|wrong| event.time_ns < wrong.saturating_add(LEARNING_PAUSE_NS));
        let Some(fact) = fact_of(event).filter(|_| !is_open) else {
            return;
        };
        let key = format!("{:?} {:?} {:?}", fact.subject, fact.action, fact.phases);
        if self.seen.len() >= MAX_OBSERVED && !self.seen.contains_key(&key) {
            self.dropped += 1;
            return;
        }
        let seen = self.seen.entry(key).or_insert_with(|| Seen {
            fact,
            count: 0,
            containers: BTreeSet::new(),
            first_ns: event.time_ns,
            last_ns: event.time_ns,
        });
        seen.count += 1;
        seen.last_ns = seen.last_ns.max(event.time_ns);
        seen.first_ns = seen.first_ns.min(event.time_ns);
        seen.containers.insert(container.id.clone());
    }

    /// Containers that were watched.
    pub fn containers(&self) -> usize {
        self.containers.len()
    }

    /// Sorts what was seen.
    pub fn learned(&self, profile: &Profile, files: &KnownFiles, thresholds: Thresholds) -> Learned {
        let mut learned = Learned {
            facts: Vec::new(),
            waiting: Vec::new(),
            refused: Vec::new(),
            suggested: Vec::new(),
        };
        for seen in self.seen.values() {
            let hours = self.hours(seen);
            let mut fact = seen.fact.clone();
            fact.evidence = vec![Evidence {
                source: EvidenceSource::Observed,
                detail: format!(
                    "{} times in {} containers over {hours:.1} h, first {}, last {}",
                    seen.count,
                    seen.containers.len(),
                    time(seen.first_ns),
                    time(seen.last_ns)
                ),
            }];
            if let Some(reason) = refusal(&fact, profile, files) {
                learned.refused.push((fact, reason));
            } else if seen.containers.len() < thresholds.containers {
                let missing = format!("{} of {} containers", seen.containers.len(), thresholds.containers);
                learned.waiting.push((fact, missing));
            } else if hours < thresholds.hours {
                learned
                    .waiting
                    .push((fact, format!("{hours:.1} of {:.1} hours", thresholds.hours)));
            } else {
                learned.facts.push(fact);
            }
        }
        let suggested = self.suggested.iter();
        learned.suggested = suggested
            .map(|(text, (allow, count))| (text.clone(), *count, allow.clone()))
            .collect();
        learned
    }

    /// For how long the containers that did it were watched.
    #[allow(clippy::cast_precision_loss, reason = "hours, for people")]
    fn hours(&self, seen: &Seen) -> f64 {
        let watched = seen.containers.iter().filter_map(|id| self.containers.get(id));
        let total: u64 = watched.map(|one| one.last_ns.saturating_sub(one.first_ns)).sum();
        total as f64 / 3.6e12
    }
}

/// What an act is as a fact; `None` for what profiles do not speak of, and for sessions.
fn fact_of(event: &Event) -> Option<Fact> {
    let phase = event
        .phase
        .filter(|phase| !matches!(phase, Phase::Init | Phase::Session))?;
    let mut subject = &event.process;
    let port = |transport: Transport, port: u16| PortSpec {
        transport,
        first: port,
        last: port,
    };
    let action = match &event.kind {
        EventKind::Exec { previous, .. } => {
            subject = previous;
            Action::Exec(identify(&event.process))
        }
        EventKind::Load { path, .. } => Action::Load(path.as_str().into()),
        EventKind::Open {
            path, access, error: 0, ..
        } if access.can_write() => Action::Write(path.as_str().into()),
        EventKind::Connect { address, transport, .. } => Action::Connect(Peer {
            scope: scope_of(address.ip),
            port: Some(port(*transport, address.port)),
        }),
        EventKind::Listen { address, transport } if !is_client_port(address.port, *transport) => {
            Action::Listen(port(*transport, address.port))
        }
        _ => return None,
    };
    Some(Fact {
        subject: Subject::Program(identify(subject)),
        action,
        phases: vec![phase],
        parent: None,
        evidence: Vec::new(),
        confidence: Confidence::B,
    })
}

fn time(time_ns: u64) -> String {
    let time = jiff::Timestamp::from_nanosecond(i128::from(time_ns)).unwrap_or_default();
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Facts that were learned on one image and hold for another: those whose programs and libraries are the same bytes in
/// both. The rest comes with the reason.
pub fn carry_over(facts: Vec<Fact>, from: &ScanReport, to: &ScanReport) -> (Vec<Fact>, Vec<(Fact, String)>) {
    let index = |report: &ScanReport| -> HashMap<String, Option<Digest>> {
        let entry = |file: &FileEntry| (file.path.clone(), file.digest);
        report.files.iter().map(entry).collect()
    };
    let (old, new) = (index(from), index(to));
    let (mut kept, mut dropped) = (Vec::new(), Vec::new());
    for fact in facts {
        let changed = paths_of(&fact).into_iter().find(|path| {
            let (before, after) = (
                old.get(path.as_str()).copied().flatten(),
                new.get(path.as_str()).copied().flatten(),
            );
            before.is_none() || before != after
        });
        match changed {
            None => kept.push(fact),
            Some(path) => dropped.push((fact, format!("{path} is another file, or gone"))),
        }
    }
    (kept, dropped)
}

fn paths_of(fact: &Fact) -> Vec<String> {
    let mut paths = Vec::new();
    let mut add = |program: &plimsoll_model::Program| {
        paths.push(program.path.0.clone());
        if let Some(plimsoll_model::Applet::Script(script)) = &program.applet {
            paths.push(script.clone());
        }
    };
    if let Subject::Program(program) = &fact.subject {
        add(program);
    }
    match &fact.action {
        Action::Exec(program) => add(program),
        Action::Load(path) => paths.push(path.0.clone()),
        _ => {}
    }
    paths
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use plimsoll_model::{Container, ContainerRuntime, FileAccess};

    use super::*;
    use crate::{judge::tests::profile, program::tests::process};

    const HOUR_NS: u64 = 3_600_000_000_000;

    fn wrote(container: &str, path: &str, time_ns: u64) -> Event {
        Event {
            sequence: 1,
            time_ns,
            cpu: 0,
            process: Arc::new(process("/usr/bin/server", &["server"])),
            container: Some(Arc::new(Container {
                id: container.to_owned(),
                name: container.to_owned(),
                runtime: ContainerRuntime::Podman,
                image: None,
                cgroup_id: 1,
                cgroup_path: String::new(),
                init_pid: 1,
                privileged: None,
                pod: None,
            })),
            phase: Some(Phase::Serving),
            kind: EventKind::Open {
                path: path.to_owned(),
                flags: 1,
                access: FileAccess::Write,
                created: true,
                inode: 1,
                asked: None,
                error: 0,
            },
        }
    }

    fn files() -> KnownFiles {
        let file = serde_json::json!([{ "path": "/usr/bin/server", "kind": "regular", "mode": 0o755, "uid": 0, "gid": 0,
            "size_bytes": 1, "layer": 0 }]);
        KnownFiles::new(&serde_json::from_value::<Vec<FileEntry>>(file).unwrap())
    }

    #[test]
    fn learns_what_enough_containers_did_for_long_enough() {
        let mut ledger = Ledger::default();
        for container in ["a", "b"] {
            ledger.note(&wrote(container, "/data/x", 1), &Judgement::NotJudged);
            ledger.note(&wrote(container, "/usr/bin/x", 1), &Judgement::NotJudged);
            ledger.note(&wrote(container, "/data/known", HOUR_NS), &Judgement::Expected);
        }
        ledger.note(&wrote("a", "/data/once", 2), &Judgement::NotJudged);
        let mut profile = profile();
        profile.denials.clear();
        let count = |containers, hours| {
            let learned = ledger.learned(&profile, &files(), Thresholds { containers, hours });
            (learned.facts.len(), learned.waiting.len(), learned.refused.len())
        };
        assert_eq!(count(1, 0.5), (2, 0, 1));
        assert_eq!(count(2, 1.9), (1, 1, 1));
        assert_eq!(count(2, 3.0), (0, 2, 1));
        let learned = ledger.learned(
            &profile,
            &files(),
            Thresholds {
                containers: 2,
                hours: 1.0,
            },
        );
        assert!(
            learned.facts[0].evidence[0]
                .detail
                .starts_with("2 times in 2 containers over 2.0 h, first 1970-01-01T")
        );
    }

    #[test]
    fn a_container_teaches_nothing_while_its_alert_is_open() {
        let wrong = crate::Deviation {
            kind: crate::DeviationKind::UnexpectedWrite,
            verb: plimsoll_model::Verb::Write,
            summary: "server wrote".to_owned(),
            explanation: String::new(),
            evidence: Vec::new(),
            confidence: Confidence::B,
            priority: plimsoll_rules::Priority::Warning,
            expected: Vec::new(),
            allow: None,
        };
        let mut ledger = Ledger::default();
        ledger.note(&wrote("a", "/etc/cron.d/x", 1), &Judgement::Deviates(vec![wrong]));
        ledger.note(&wrote("a", "/data/dropped", 2), &Judgement::NotJudged);
        ledger.note(&wrote("b", "/data/other", 2), &Judgement::NotJudged);
        ledger.note(&wrote("a", "/data/later", 2 * LEARNING_PAUSE_NS), &Judgement::NotJudged);
        let mut profile = profile();
        profile.denials.clear();
        let learned = ledger.learned(
            &profile,
            &files(),
            Thresholds {
                containers: 1,
                hours: 0.0,
            },
        );
        let paths: Vec<String> = learned.facts.iter().map(|fact| format!("{:?}", fact.action)).collect();
        assert!(
            paths.len() == 2 && !paths.iter().any(|path| path.contains("dropped")),
            "{paths:?}"
        );
        assert_eq!(learned.suggested, [("server wrote".to_owned(), 1, None)]);
    }
}
