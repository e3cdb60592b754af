//! What a profile says of one process as patterns: for those who decide where no judge can run, in the kernel. A profile, a
//! process and its phase in, an [`Envelope`] out.

use plimsoll_model::{
    Action, Applet, Confidence, EvidenceSource, Fact, PathPattern, Peer, Phase, Process, Subject, Verb,
};

use crate::CompiledProfile;

/// What a process may do, and what speaks against the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Envelope {
    /// Files that it is expected to write.
    pub writes: Vec<PathPattern>,
    /// Programs that it is expected to start, and scripts.
    pub execs: Vec<PathPattern>,
    /// Of these, what a person or the pod allowed: also when the file is not the image's.
    pub by_hand: Vec<PathPattern>,
    /// Whom it is expected to connect to.
    pub peers: Vec<Peer>,
    /// What speaks against writes that nobody expects; the object `None` is every file.
    pub against_writes: Vec<Against>,
    /// The same of programs started.
    pub against_execs: Vec<Against>,
    /// The same of connections, whose objects are always `None`.
    pub against_connects: Vec<Against>,
}

/// Something that is wrong unless a fact expects it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Against {
    /// Of which objects; `None`: of all.
    pub object: Option<PathPattern>,
    /// How sure: a denial's own, B of a closed facet.
    pub confidence: Confidence,
}

impl CompiledProfile {
    /// What it says of `subject` in `phase`: exactly the facts and denials that [`crate::judge`] would find.
    pub fn envelope(&self, subject: &Process, phase: Phase) -> Envelope {
        let mut envelope = Envelope::default();
        for verb in [Verb::Write, Verb::Exec, Verb::Connect] {
            for fact in self.facts_of(verb, subject, phase) {
                envelope.add(fact);
            }
            let closed = self.closed_facet(verb, phase).map(|_| Against {
                object: None,
                confidence: Confidence::B,
            });
            let denials = self.denials_of(verb, subject, phase).map(|denial| Against {
                object: denial.object.clone(),
                confidence: denial.confidence,
            });
            let against: Vec<Against> = denials.chain(closed).collect();
            envelope.against(verb, against);
        }
        envelope
    }

    /// What holds for every process of the container at any time: denials that name nobody and no phase, and all facts of
    /// anybody.
    pub fn common_envelope(&self) -> Envelope {
        let mut envelope = Envelope::default();
        let profile = self.profile();
        profile.facts.iter().for_each(|fact| envelope.add(fact));
        for verb in [Verb::Write, Verb::Exec, Verb::Connect] {
            let common = profile
                .denials
                .iter()
                .filter(|denial| denial.verb == verb && denial.subject == Subject::Any && denial.phases.is_empty());
            let against = common.map(|denial| Against {
                object: denial.object.clone(),
                confidence: denial.confidence,
            });
            envelope.against(verb, against.collect());
        }
        envelope
    }
}

impl Envelope {
    fn add(&mut self, fact: &Fact) {
        match &fact.action {
            Action::Write(pattern) => self.writes.push(pattern.clone()),
            Action::Connect(peer) => self.peers.push(*peer),
            Action::Exec(program) => {
                let mut files = vec![program.path.clone()];
                if let Some(Applet::Script(script)) = &program.applet {
                    files.push(PathPattern(script.clone()));
                }
                let is_by_hand = fact
                    .evidence
                    .iter()
                    .any(|evidence| matches!(evidence.source, EvidenceSource::User | EvidenceSource::Pod));
                if is_by_hand {
                    self.by_hand.extend(files.iter().cloned());
                }
                self.execs.extend(files);
            }
            Action::Load(_) | Action::Listen(_) | Action::Become(_) => {}
        }
    }

    fn against(&mut self, verb: Verb, against: Vec<Against>) {
        match verb {
            Verb::Write => self.against_writes = against,
            Verb::Exec => self.against_execs = against,
            Verb::Connect => self.against_connects = against,
            Verb::Load | Verb::Listen | Verb::Become => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_model::{Denial, Evidence, Program};

    use super::*;
    use crate::{judge::tests::profile, program::tests::process};

    fn fact(subject: Subject, action: Action, phases: &[Phase], source: EvidenceSource) -> Fact {
        Fact {
            subject,
            action,
            phases: phases.to_vec(),
            parent: None,
            evidence: vec![Evidence {
                source,
                detail: "said".to_owned(),
            }],
            confidence: Confidence::A,
        }
    }

    fn program(path: &str) -> Program {
        Program {
            path: path.into(),
            applet: None,
        }
    }

    #[test]
    fn says_of_each_process_what_the_judge_would() {
        let server = || Subject::Program(program("/usr/bin/server"));
        let mut profile = profile();
        profile.facts = vec![
            fact(
                server(),
                Action::Write("/data/**".into()),
                &[Phase::Serving],
                EvidenceSource::Image,
            ),
            fact(
                Subject::Any,
                Action::Write("/tmp/**".into()),
                &[],
                EvidenceSource::Image,
            ),
            fact(
                server(),
                Action::Exec(program("/usr/bin/id")),
                &[],
                EvidenceSource::User,
            ),
        ];
        profile.denials = vec![Denial {
            subject: server(),
            verb: Verb::Exec,
            object: None,
            phases: vec![Phase::Serving],
            evidence: Vec::new(),
            confidence: Confidence::A,
        }];
        profile.facets = Vec::new();
        let profile = CompiledProfile::new(profile);
        let paths = |patterns: &[PathPattern]| patterns.iter().map(ToString::to_string).collect::<Vec<_>>();
        for (exe, phase, writes, denials) in [
            ("/usr/bin/server", Phase::Serving, &["/data/**", "/tmp/**"][..], 1),
            ("/usr/bin/server", Phase::Entrypoint, &["/tmp/**"], 0),
            ("/usr/bin/server", Phase::Session, &[], 0),
            ("/bin/sh", Phase::Serving, &["/tmp/**"], 0),
        ] {
            let envelope = profile.envelope(&process(exe, &[exe]), phase);
            assert_eq!(paths(&envelope.writes), writes, "{exe} {phase:?}");
            assert_eq!(envelope.against_execs.len(), denials, "{exe} {phase:?}");
        }
        let common = profile.common_envelope();
        assert_eq!(paths(&common.writes), ["/data/**", "/tmp/**"]);
        assert_eq!(
            (common.against_execs.len(), paths(&common.by_hand)),
            (0, vec!["/usr/bin/id".to_owned()])
        );
    }
}
