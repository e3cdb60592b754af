//! Facts, denials and facets as they are found in, one list of each without duplicates out.

use super::limits::MAX_EVIDENCE;
use plimsoll_model::{
    Action, Confidence, Denial, Evidence, EvidenceSource, Facet, FacetState, Fact, PathPattern, Peer, Phase, PortSpec,
    Program, Subject, Verb,
};

/// A profile in the making.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    facts: Vec<Fact>,
    denials: Vec<Denial>,
    facets: Vec<Facet>,
}

/// Evidence from the image.
pub(crate) fn image(detail: impl Into<String>) -> Evidence {
    Evidence {
        source: EvidenceSource::Image,
        detail: detail.into(),
    }
}

impl Draft {
    /// Adds a fact; one that says the same of the same subject and phases gains the evidence instead.
    pub(crate) fn fact(
        &mut self,
        subject: Subject,
        action: Action,
        phases: &[Phase],
        evidence: Evidence,
        confidence: Confidence,
    ) {
        let same = self
            .facts
            .iter_mut()
            .find(|fact| fact.subject == subject && fact.action == action && fact.phases == phases);
        match same {
            Some(fact) => {
                // A better confidence comes from better evidence, which is to be read first.
                let at = if confidence < fact.confidence {
                    0
                } else {
                    fact.evidence.len()
                };
                let same_source = fact
                    .evidence
                    .iter()
                    .filter(|known| known.source == evidence.source)
                    .count();
                if !fact.evidence.contains(&evidence) && (same_source < MAX_EVIDENCE || at == 0) {
                    fact.evidence.insert(at, evidence);
                }
                fact.confidence = fact.confidence.min(confidence);
            }
            None => self.facts.push(Fact {
                subject,
                action,
                phases: phases.to_vec(),
                parent: None,
                evidence: vec![evidence],
                confidence,
            }),
        }
    }

    /// In these phases, what the image says of everybody's writes in a folder holds no more.
    pub(crate) fn narrow_writes(&mut self, folder: &PathPattern, phases: &[Phase]) {
        self.facts.retain_mut(|fact| {
            let is_general = fact.subject == Subject::Any
                && fact.action == Action::Write(folder.clone())
                && fact.evidence.iter().all(|one| one.source == EvidenceSource::Image);
            if !is_general {
                return true;
            }
            if fact.phases.is_empty() {
                fact.phases = vec![Phase::Init, Phase::Entrypoint, Phase::Serving, Phase::Probe];
            }
            fact.phases.retain(|phase| !phases.contains(phase));
            // Without a phase it would hold in all of them.
            !fact.phases.is_empty()
        });
    }

    /// Adds a denial.
    pub(crate) fn deny(&mut self, denial: Denial) {
        let same = self.denials.iter_mut().find(|known| {
            known.subject == denial.subject
                && known.verb == denial.verb
                && known.object == denial.object
                && known.phases == denial.phases
        });
        match same {
            Some(known) => {
                known.evidence.extend(denial.evidence);
                known.confidence = known.confidence.min(denial.confidence);
            }
            None => self.denials.push(denial),
        }
    }

    /// Says whether a verb is judged in a phase; the first word counts.
    pub(crate) fn facet(&mut self, verb: Verb, phase: Phase, state: FacetState, reason: impl Into<String>) {
        if !self
            .facets
            .iter()
            .any(|facet| facet.verb == verb && facet.phase == phase)
        {
            self.facets.push(Facet {
                verb,
                phase,
                state,
                reason: reason.into(),
            });
        }
    }

    /// Makes those facts sure that `agrees` says are.
    pub(crate) fn raising(mut self, agrees: impl Fn(&Fact) -> bool) -> Self {
        for fact in &mut self.facts {
            if agrees(fact) {
                fact.confidence = Confidence::A;
            }
        }
        self
    }

    /// Facts so far.
    pub(crate) fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// Facts, denials and facets in the order that people read them.
    pub(crate) fn finish(mut self) -> (Vec<Fact>, Vec<Denial>, Vec<Facet>) {
        self.facts.sort_by(|a, b| {
            let key = |fact: &Fact| {
                (
                    fact.action.verb(),
                    fact.phases.clone(),
                    fact.subject.clone(),
                    object_text(&fact.action),
                )
            };
            key(a).cmp(&key(b))
        });
        self.denials.sort_by(|a, b| {
            (a.verb, &a.subject, &a.object, &a.phases).cmp(&(b.verb, &b.subject, &b.object, &b.phases))
        });
        self.facets.sort_by_key(|facet| (facet.verb, facet.phase));
        (self.facts, self.denials, self.facets)
    }
}

/// The object of an action for people, and to sort by.
pub(crate) fn object_text(action: &Action) -> String {
    match action {
        Action::Exec(program) => program_text(program),
        Action::Load(PathPattern(path)) | Action::Write(PathPattern(path)) => path.clone(),
        Action::Listen(port) => port_text(port),
        Action::Connect(Peer { scope, port }) => {
            let scope = format!("{scope:?}").to_ascii_lowercase();
            match port {
                Some(port) => format!("{scope} {}", port_text(port)),
                None => scope,
            }
        }
        Action::Become(identity) => match &identity.name {
            Some(name) => format!("{name} ({})", identity.uid),
            None => identity.uid.to_string(),
        },
    }
}

/// A program for people.
pub(crate) fn program_text(program: &Program) -> String {
    match &program.applet {
        None => program.path.0.clone(),
        Some(plimsoll_model::Applet::Name(name)) => format!("{} as {name}", program.path),
        Some(plimsoll_model::Applet::Script(script)) => format!("{} running {script}", program.path),
    }
}

fn port_text(port: &PortSpec) -> String {
    let transport = format!("{:?}", port.transport).to_ascii_lowercase();
    match (port.first, port.last) {
        (1, u16::MAX) => transport,
        (first, last) if first == last => format!("{transport}/{first}"),
        (first, last) => format!("{transport}/{first}-{last}"),
    }
}
