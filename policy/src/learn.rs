//! What containers of one image were seen to do in; facts that may be learned from it out, with counts, times, and what
//! waits, is refused, or was learned once and is used no more. Pure: times are those of the events.
//!
//! Only what a profile does not judge is learned. What it judges wrong is for people: it is suggested, never taken, and its
//! container teaches nothing while an alert about it is open.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use plimsoll_model::{
    Action, Confidence, Digest, Event, EventKind, Evidence, EvidenceSource, Fact, Peer, Phase, PortSpec, Profile,
    ScanReport, Subject, Transport,
};
use serde::{Deserialize, Serialize};

use crate::{
    Judgement, KnownFiles,
    address::scope_of,
    judge::is_client_port,
    limits::{LEARNING_PAUSE_NS, MAX_OBSERVED, MAX_OBSERVED_CONTAINERS},
    merge::refusal,
    program::identify,
    text::time_words,
};

/// What was seen on one node: the document `plimsoll.observed/v1`, written by `plimsoll agent --learn`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObservedLog {
    /// [`plimsoll_model::schema::OBSERVED`].
    pub schema: String,
    /// The node.
    pub node: String,
    /// One entry per image.
    pub images: Vec<Observations>,
}

/// What containers of one image were seen to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observations {
    /// Which image.
    pub config_digest: Digest,
    /// Its reference, for people. Hostile text.
    pub reference: String,
    /// Containers that were watched.
    pub containers: Vec<WatchedContainer>,
    /// What they did and no profile judges, and what they did again of what was learned.
    pub acts: Vec<ObservedAct>,
    /// What their profile judges wrong.
    pub suggested: Vec<Suggestion>,
    /// Acts that found no room.
    pub dropped: u64,
}

/// A container that was watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatchedContainer {
    /// Its id.
    pub id: String,
    /// First act, nanoseconds since the Unix epoch.
    pub first_ns: u64,
    /// Last act.
    pub last_ns: u64,
    /// When an alert about it was last raised or added to; `None`: never.
    pub wrong_ns: Option<u64>,
}

/// Something that was done, as a fact without evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObservedAct {
    /// What.
    pub fact: Fact,
    /// How often.
    pub count: u64,
    /// Ids of containers that did it.
    pub containers: BTreeSet<String>,
    /// First time, nanoseconds since the Unix epoch.
    pub first_ns: u64,
    /// Last time.
    pub last_ns: u64,
}

/// Something that a profile judges wrong, and the fact by which a person would allow it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suggestion {
    /// In words.
    pub summary: String,
    /// How often.
    pub count: u64,
    /// `None` where none should allow it.
    pub allow: Option<Fact>,
}

/// What was seen of one image.
#[derive(Debug, Default)]
pub struct Ledger {
    acts: HashMap<Act, ObservedAct>,
    containers: HashMap<String, WatchedContainer>,
    suggested: BTreeMap<String, Suggestion>,
    /// What the profile has learned before: seen again, it stays.
    learned_before: HashSet<Act>,
    /// Acts that found no room.
    pub dropped: u64,
}

/// What makes two facts the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Act {
    subject: Subject,
    action: Action,
    phases: Vec<Phase>,
}

impl Act {
    fn of(fact: &Fact) -> Self {
        Self {
            subject: fact.subject.clone(),
            action: fact.action.clone(),
            phases: fact.phases.clone(),
        }
    }
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
    /// Facts of the profile that were learned once and were not seen for as long as it takes to learn one, and since when.
    pub unused: Vec<(Fact, String)>,
    /// What the profile judges wrong: in words, how often, and the fact by which a person would allow it.
    pub suggested: Vec<(String, u64, Option<Fact>)>,
}

impl Ledger {
    /// A ledger that also notes whether what a profile has learned is still done.
    pub fn of(profile: &Profile) -> Self {
        Self {
            learned_before: profile
                .facts
                .iter()
                .filter(|fact| is_learned(fact))
                .map(Act::of)
                .collect(),
            ..Self::default()
        }
    }

    /// Takes in what was written down elsewhere or earlier, as far as there is room.
    pub fn add(&mut self, seen: Observations) {
        self.dropped = self.dropped.saturating_add(seen.dropped);
        for one in seen.containers {
            let Some(known) = self.containers.get_mut(&one.id) else {
                if self.containers.len() < MAX_OBSERVED {
                    self.containers.insert(one.id.clone(), one);
                }
                continue;
            };
            known.first_ns = known.first_ns.min(one.first_ns);
            known.last_ns = known.last_ns.max(one.last_ns);
            known.wrong_ns = known.wrong_ns.max(one.wrong_ns);
        }
        for one in seen.acts {
            let act = Act::of(&one.fact);
            if let Some(known) = self.acts.get_mut(&act) {
                known.count = known.count.saturating_add(one.count);
                known.first_ns = known.first_ns.min(one.first_ns);
                known.last_ns = known.last_ns.max(one.last_ns);
                known.containers.extend(one.containers);
            } else if self.acts.len() < MAX_OBSERVED {
                self.acts.insert(act, one);
            } else {
                self.dropped = self.dropped.saturating_add(one.count);
            }
        }
        for one in seen.suggested {
            if let Some(known) = self.suggested.get_mut(&one.summary) {
                known.count = known.count.saturating_add(one.count);
            } else if self.suggested.len() < MAX_OBSERVED {
                self.suggested.insert(one.summary.clone(), one);
            }
        }
    }

    /// Takes in one act of a container and what its profile says of it.
    pub fn note(&mut self, event: &Event, judgement: &Judgement) {
        let Some(container) = &event.container else { return };
        let Some(is_open) = self.watch(&container.id, event.time_ns) else {
            return;
        };
        match judgement {
            Judgement::Expected if self.learned_before.is_empty() => return,
            Judgement::Deviates(deviations) => {
                let worst = deviations.iter().filter(|one| one.confidence < Confidence::C);
                for deviation in worst {
                    self.trouble(&container.id, event.time_ns);
                    self.suggest(deviation);
                }
                return;
            }
            Judgement::Expected | Judgement::NotJudged => {}
        }
        let Some(fact) = fact_of(event).filter(|_| !is_open) else {
            return;
        };
        let act = Act::of(&fact);
        if *judgement == Judgement::Expected && !self.learned_before.contains(&act) {
            return;
        }
        if self.acts.len() >= MAX_OBSERVED && !self.acts.contains_key(&act) {
            self.dropped += 1;
            return;
        }
        let seen = self.acts.entry(act).or_insert_with(|| ObservedAct {
            fact,
            count: 0,
            containers: BTreeSet::new(),
            first_ns: event.time_ns,
            last_ns: event.time_ns,
        });
        seen.count += 1;
        seen.last_ns = seen.last_ns.max(event.time_ns);
        seen.first_ns = seen.first_ns.min(event.time_ns);
        if seen.containers.len() < MAX_OBSERVED_CONTAINERS && !seen.containers.contains(&container.id) {
            seen.containers.insert(container.id.clone());
        }
    }

    /// An alert about a container was raised, or more was added to it: while it is open, the container teaches nothing.
    pub fn trouble(&mut self, container_id: &str, now_ns: u64) {
        if let Some(watched) = self.containers.get_mut(container_id) {
            watched.wrong_ns = watched.wrong_ns.max(Some(now_ns));
        }
    }

    /// Whether an alert about the container is open; `None` when there is no room for it.
    fn watch(&mut self, id: &str, now_ns: u64) -> Option<bool> {
        if !self.containers.contains_key(id) {
            if self.containers.len() >= MAX_OBSERVED {
                self.dropped += 1;
                return None;
            }
            let fresh = WatchedContainer {
                id: id.to_owned(),
                first_ns: now_ns,
                last_ns: now_ns,
                wrong_ns: None,
            };
            self.containers.insert(id.to_owned(), fresh);
        }
        let watched = self.containers.get_mut(id)?;
        watched.last_ns = watched.last_ns.max(now_ns);
        let wrong = watched.wrong_ns;
        Some(wrong.is_some_and(|wrong| now_ns < wrong.saturating_add(LEARNING_PAUSE_NS)))
    }

    fn suggest(&mut self, deviation: &crate::Deviation) {
        let summary = &deviation.summary;
        if self.suggested.len() < MAX_OBSERVED || self.suggested.contains_key(summary) {
            let entry = self.suggested.entry(summary.clone()).or_insert_with(|| Suggestion {
                summary: summary.clone(),
                count: 0,
                allow: deviation.allow.clone(),
            });
            entry.count += 1;
        }
    }

    /// Containers that were watched.
    pub fn containers(&self) -> usize {
        self.containers.len()
    }

    /// All of it, as it is written down.
    pub fn observations(&self, report: &ScanReport) -> Observations {
        let mut containers: Vec<WatchedContainer> = self.containers.values().cloned().collect();
        containers.sort_by(|a, b| a.id.cmp(&b.id));
        Observations {
            config_digest: report.image.config_digest,
            reference: report.image.reference.clone(),
            containers,
            acts: self.sorted().into_iter().cloned().collect(),
            suggested: self.suggested.values().cloned().collect(),
            dropped: self.dropped,
        }
    }

    fn sorted(&self) -> Vec<&ObservedAct> {
        let mut acts: Vec<&ObservedAct> = self.acts.values().collect();
        acts.sort_by_cached_key(|act| format!("{:?} {:?} {:?}", act.fact.subject, act.fact.action, act.fact.phases));
        acts
    }

    /// Sorts what was seen.
    pub fn learned(&self, profile: &Profile, files: &KnownFiles, thresholds: Thresholds) -> Learned {
        let mut learned = Learned {
            facts: Vec::new(),
            waiting: Vec::new(),
            refused: Vec::new(),
            unused: self.unused(profile, thresholds),
            suggested: Vec::new(),
        };
        for seen in self.sorted() {
            let hours = self.hours(seen);
            let mut fact = seen.fact.clone();
            fact.evidence = vec![Evidence {
                source: EvidenceSource::Observed,
                detail: format!(
                    "{} times in {} containers over {hours:.1} h, first {}, last {}",
                    seen.count,
                    seen.containers.len(),
                    time_words(seen.first_ns),
                    time_words(seen.last_ns)
                ),
            }];
            // What comes from a file is as sure as what is seen.
            fact.confidence = Confidence::B;
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
        let suggested = self.suggested.values();
        learned.suggested = suggested
            .map(|one| (one.summary.clone(), one.count, one.allow.clone()))
            .collect();
        learned
    }

    /// Learned facts of a profile that enough containers did without for long enough.
    fn unused(&self, profile: &Profile, thresholds: Thresholds) -> Vec<(Fact, String)> {
        let mut unused = Vec::new();
        for fact in profile.facts.iter().filter(|fact| is_learned(fact)) {
            let seen = self.acts.get(&Act::of(fact));
            let last_ns = seen.map_or(0, |seen| seen.last_ns);
            let since = self.containers.values().filter(|one| one.last_ns > last_ns);
            let (mut containers, mut total_ns) = (0_usize, 0_u64);
            for one in since {
                containers += 1;
                total_ns = total_ns.saturating_add(one.last_ns.saturating_sub(one.first_ns.max(last_ns)));
            }
            let hours = hours_of(total_ns);
            if containers >= thresholds.containers && hours >= thresholds.hours {
                let last = seen.map_or_else(
                    || "never seen".to_owned(),
                    |seen| format!("last seen {}", time_words(seen.last_ns)),
                );
                unused.push((
                    fact.clone(),
                    format!("{last}; {containers} containers did without it for {hours:.1} h"),
                ));
            }
        }
        unused
    }

    /// For how long the containers that did it were watched.
    fn hours(&self, seen: &ObservedAct) -> f64 {
        let watched = seen.containers.iter().filter_map(|id| self.containers.get(id));
        hours_of(
            watched
                .map(|one| one.last_ns.saturating_sub(one.first_ns))
                .fold(0, u64::saturating_add),
        )
    }
}

#[allow(clippy::cast_precision_loss, reason = "hours, for people")]
fn hours_of(time_ns: u64) -> f64 {
    time_ns as f64 / 3.6e12
}

/// Whether a fact rests on what was seen alone.
pub fn is_learned(fact: &Fact) -> bool {
    !fact.evidence.is_empty() && fact.evidence.iter().all(|one| one.source == EvidenceSource::Observed)
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

#[cfg(test)]
mod tests;
