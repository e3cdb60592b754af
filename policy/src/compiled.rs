//! A profile made ready for questions: facts and denials by verb and subject.

use std::collections::HashMap;

use plimsoll_model::{
    Action, Applet, Confidence, Denial, Evidence, Facet, FacetState, Fact, Phase, Process, Profile, Program, Subject,
    Transport, Verb,
};

use crate::program::{applet_name, matches_applet, matches_program, script_of};

/// A [`Profile`] with an index over its subjects.
#[derive(Debug)]
pub struct CompiledProfile {
    profile: Profile,
    facts: [BySubject; VERBS],
    denials: [BySubject; VERBS],
    /// By verb and phase: position in [`Profile::facets`] of the closed facet.
    closed: [[Option<usize>; PHASES]; VERBS],
    /// By executable: names under which the profile knows it.
    applets: HashMap<Box<str>, Vec<Box<str>>>,
    health_check: Vec<Vec<String>>,
}

const VERBS: usize = 6;
const PHASES: usize = 5;

/// Positions in a list, by who they are about.
#[derive(Debug, Default)]
struct BySubject {
    any: Vec<usize>,
    exact: HashMap<Box<str>, Vec<usize>>,
    pattern: Vec<usize>,
}

impl BySubject {
    fn add(&mut self, subject: &Subject, position: usize) {
        match subject {
            Subject::Any => self.any.push(position),
            Subject::Program(program) if program.path.is_exact() => self
                .exact
                .entry(program.path.0.as_str().into())
                .or_default()
                .push(position),
            Subject::Program(_) => self.pattern.push(position),
        }
    }

    /// Most specific subjects first.
    fn candidates(&self, exe: &str) -> impl Iterator<Item = usize> {
        let exact = self.exact.get(exe).map(Vec::as_slice).unwrap_or_default();
        exact.iter().chain(&self.pattern).chain(&self.any).copied()
    }
}

impl CompiledProfile {
    /// Indexes a profile.
    pub fn new(profile: Profile) -> Self {
        let mut compiled = Self {
            facts: Default::default(),
            denials: Default::default(),
            closed: Default::default(),
            applets: HashMap::new(),
            health_check: probe_vectors(&profile),
            profile,
        };
        for (position, fact) in compiled.profile.facts.iter().enumerate() {
            compiled.facts[fact.action.verb() as usize].add(&fact.subject, position);
        }
        for (position, denial) in compiled.profile.denials.iter().enumerate() {
            compiled.denials[denial.verb as usize].add(&denial.subject, position);
        }
        for (position, facet) in compiled.profile.facets.iter().enumerate() {
            let cell = &mut compiled.closed[facet.verb as usize][facet.phase as usize];
            *cell = (facet.state == FacetState::Closed).then_some(position);
        }
        for program in programs(&compiled.profile) {
            if let Some(Applet::Name(name)) = &program.applet {
                let names = compiled.applets.entry(program.path.0.as_str().into()).or_default();
                if !names.iter().any(|known| **known == **name) {
                    names.push(name.as_str().into());
                }
            }
        }
        compiled
    }

    /// The profile as it was given.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Whether this process runs the program that the image is for.
    pub fn is_main(&self, process: &Process) -> bool {
        self.profile
            .main
            .as_ref()
            .is_some_and(|main| matches_program(main, process))
    }

    /// Whether a serving container is expected to listen on this port.
    pub fn serves_port(&self, port: u16, transport: Transport) -> bool {
        let facts = self.profile.facts.iter();
        facts
            .filter(|fact| is_fact_phase(&fact.phases, Phase::Serving))
            .any(|fact| match &fact.action {
                Action::Listen(ports) => ports.transport == transport && (ports.first..=ports.last).contains(&port),
                _ => false,
            })
    }

    /// Whether this process runs an executable, not a script, with which the image's entrypoint begins.
    pub fn is_entry_executable(&self, process: &Process) -> bool {
        script_of(process).is_none()
            && self
                .profile
                .entrypoint
                .iter()
                .any(|program| matches_program(program, process))
    }

    /// Whether this process runs a program of the chain with which the image's entrypoint begins.
    pub(crate) fn is_entry(&self, process: &Process) -> bool {
        self.profile
            .entrypoint
            .iter()
            .any(|program| matches_program(program, process))
    }

    /// Whether these are the arguments of the image's health check.
    pub fn is_health_check(&self, args: &[String]) -> bool {
        self.health_check.iter().any(|vector| {
            vector.len() == args.len() && vector[1..] == args[1..] && base_name(&vector[0]) == base_name(&args[0])
        })
    }

    /// What people call the program that a process runs: the script's name, the name under which the profile knows a
    /// multi-call executable, else the executable's.
    pub fn display_name<'a>(&self, process: &'a Process) -> &'a str {
        let known = self.applets.get(process.exe.as_str()).map(Vec::as_slice);
        let named = applet_name(process).filter(|name| known.is_some_and(|names| names.iter().any(|n| **n == **name)));
        named.unwrap_or_else(|| process.name())
    }

    /// Whether facts of this verb are judged in this phase, and why.
    pub fn closed_facet(&self, verb: Verb, phase: Phase) -> Option<&Facet> {
        self.closed[verb as usize][phase as usize].map(|position| &self.profile.facets[position])
    }

    /// The first fact, most specific first, that lets `subject` do what `matches` describes.
    pub(crate) fn find_fact(
        &self,
        verb: Verb,
        subject: &Process,
        phase: Phase,
        matches: impl Fn(&Fact) -> bool,
    ) -> Option<&Fact> {
        self.expected(verb, subject, phase)
            .find(|fact| matches(fact) && is_started_by(fact.parent.as_deref(), subject))
    }

    /// All facts that let `subject` do something.
    pub(crate) fn facts_of(&self, verb: Verb, subject: &Process, phase: Phase) -> impl Iterator<Item = &Fact> {
        self.expected(verb, subject, phase)
            .filter(|fact| is_started_by(fact.parent.as_deref(), subject))
    }

    /// The strongest denial of this verb for `subject`; `object` is the path that it is about, where there is one.
    pub(crate) fn find_denial(
        &self,
        verb: Verb,
        subject: &Process,
        phase: Phase,
        object: Option<&str>,
    ) -> Option<&Denial> {
        self.denials_of(verb, subject, phase)
            .filter(|denial| match (&denial.object, object) {
                (None, _) => true,
                (Some(pattern), Some(path)) => pattern.matches(path),
                (Some(_), None) => false,
            })
            .min_by_key(|denial| denial.confidence)
    }

    /// All denials of this verb for `subject`.
    pub(crate) fn denials_of(&self, verb: Verb, subject: &Process, phase: Phase) -> impl Iterator<Item = &Denial> {
        self.denials[verb as usize]
            .candidates(&subject.exe)
            .map(|position| &self.profile.denials[position])
            .filter(move |denial| {
                (denial.phases.is_empty() || denial.phases.contains(&phase)) && is_subject(&denial.subject, subject)
            })
    }

    /// What `subject` is expected to do of this verb in this phase, most specific first.
    pub(crate) fn expected(&self, verb: Verb, subject: &Process, phase: Phase) -> impl Iterator<Item = &Fact> {
        self.facts[verb as usize]
            .candidates(&subject.exe)
            .map(|position| &self.profile.facts[position])
            .filter(move |fact| is_fact_phase(&fact.phases, phase) && is_subject(&fact.subject, subject))
    }

    /// Evidence of the facts that made a facet closed, for people: what the profile rests on.
    pub(crate) fn facet_evidence(&self, facet: &Facet) -> Vec<Evidence> {
        let strong = self.facts[facet.verb as usize]
            .exact
            .values()
            .flatten()
            .map(|&position| (position, &self.profile.facts[position]))
            .filter(|(_, fact)| fact.confidence < Confidence::C && is_fact_phase(&fact.phases, facet.phase));
        let first = strong.min_by_key(|(position, fact)| (fact.confidence, *position));
        first.map(|(_, fact)| fact.evidence.clone()).unwrap_or_default()
    }
}

fn programs(profile: &Profile) -> impl Iterator<Item = &Program> {
    let subjects = profile.facts.iter().map(|fact| &fact.subject);
    let denied = profile.denials.iter().map(|denial| &denial.subject);
    let acting = subjects.chain(denied).filter_map(|subject| match subject {
        Subject::Program(program) => Some(program),
        Subject::Any => None,
    });
    let started = profile.facts.iter().filter_map(|fact| match &fact.action {
        plimsoll_model::Action::Exec(program) => Some(program),
        _ => None,
    });
    profile
        .main
        .iter()
        .chain(&profile.entrypoint)
        .chain(acting)
        .chain(started)
}

fn is_fact_phase(phases: &[Phase], phase: Phase) -> bool {
    if phases.is_empty() {
        phase != Phase::Session
    } else {
        phases.contains(&phase)
    }
}

fn is_subject(subject: &Subject, process: &Process) -> bool {
    match subject {
        Subject::Any => true,
        // The index compared exact paths already; patterns and applets are left.
        Subject::Program(program) => program.path.matches(&process.exe) && matches_applet(program, process),
    }
}

/// The process was started by a program: its nearest ancestor that runs something else. A script is as good a name for
/// that ancestor as its interpreter.
fn is_started_by(parent: Option<&str>, process: &Process) -> bool {
    let Some(parent) = parent else { return true };
    process
        .lineage()
        .find(|ancestor| ancestor.exe != process.exe)
        .is_some_and(|ancestor| ancestor.exe == parent || script_of(ancestor).is_some_and(|script| script == parent))
}

/// All argument vectors that the node starts in the container: the image's health check, and the pod's probes.
fn probe_vectors(profile: &Profile) -> Vec<Vec<String>> {
    let mut vectors = health_check_vectors(profile.health_check.as_deref().unwrap_or_default());
    vectors.extend(profile.probes.iter().filter(|probe| !probe.is_empty()).cloned());
    vectors
}

/// Docker writes `["CMD", …]` or `["CMD-SHELL", command]`; a profile may hold the argument vector itself.
fn health_check_vectors(test: &[String]) -> Vec<Vec<String>> {
    match test {
        [] => Vec::new(),
        [first, ..] if first == "NONE" => Vec::new(),
        [first, command] if first == "CMD-SHELL" => {
            vec![vec!["/bin/sh".to_owned(), "-c".to_owned(), command.clone()]]
        }
        [first, rest @ ..] if first == "CMD" && !rest.is_empty() => vec![rest.to_vec()],
        vector => vec![vector.to_vec()],
    }
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::profile;

    #[test]
    fn recognises_the_health_check_however_it_is_written() {
        let argv = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        for (test, args, expected) in [
            (
                &["CMD-SHELL", "redis-cli ping || exit 1"][..],
                &["/bin/sh", "-c", "redis-cli ping || exit 1"][..],
                true,
            ),
            (&["CMD-SHELL", "redis-cli ping"], &["sh", "-c", "redis-cli ping"], true),
            (
                &["CMD-SHELL", "redis-cli ping"],
                &["sh", "-c", "redis-cli flushall"],
                false,
            ),
            (&["CMD", "redis-cli", "ping"], &["redis-cli", "ping"], true),
            (&["redis-cli", "ping"], &["/usr/bin/redis-cli", "ping"], true),
            (&["redis-cli", "ping"], &["redis-cli", "ping", "x"], false),
            (&["NONE"], &["NONE"], false),
            (&[], &["sh"], false),
        ] {
            let compiled = CompiledProfile::new(Profile {
                health_check: Some(argv(test)),
                ..profile()
            });
            assert_eq!(compiled.is_health_check(&argv(args)), expected, "{test:?} {args:?}");
        }
        assert!(!CompiledProfile::new(profile()).is_health_check(&[]));
    }
}
