//! A set of rules: loaded together, evaluated together.

use std::{cell::Cell, collections::BTreeSet};

use plimsoll_model::{CallSet, EventKind};

use crate::{
    AdmissionObservation, Diagnostic, ImageObservation, ImageSubject, Observation, Rule, Source,
    assemble::assemble,
    compile::{Gate, Graph, Location, Mask, Memo, NodeId, ReadPaths, WIDTH, WritePaths, variant},
    diagnostic::{Code, Collector, Finding},
    field::{Context, KindSet, Subject},
    load::{self, Version},
    shipped,
};

/// A rule file, already read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleFile {
    /// Name for diagnostics: its path.
    pub name: String,
    /// Its content.
    pub text: String,
}

/// Rules that were loaded, and what is to be said about them.
#[derive(Debug)]
pub struct Loaded {
    /// The rules.
    pub rules: RuleSet,
    /// Warnings only.
    pub diagnostics: Vec<Diagnostic>,
}

/// Compiled rules. Immutable: a reload makes a new one.
#[derive(Debug, Default)]
pub struct RuleSet {
    pub(crate) rules: Vec<Rule>,
    pub(crate) graph: Graph,
    /// For each kind of event and place: rules that can be true, with what is left to ask.
    pub(crate) by_variant: Vec<Vec<(u32, NodeId)>>,
    /// For the kinds that open files: rules of `by_variant` that a path lets through.
    pub(crate) gates: Vec<Option<Gate>>,
    /// Rules of all other sources.
    pub(crate) by_source: Vec<(Source, u32, NodeId)>,
    pub(crate) needs: EventNeeds,
    pub(crate) read_paths: ReadPaths,
    pub(crate) write_paths: WritePaths,
}

thread_local! {
    static MEMO: Cell<Memo> = const { Cell::new(Memo::new()) };
}

impl RuleSet {
    /// Loads files in the given order: later files may append to, override and disable what earlier ones define.
    ///
    /// # Errors
    /// Every error (and warning) of all files. Nothing is loaded then.
    pub fn load(files: &[RuleFile]) -> Result<Loaded, Vec<Diagnostic>> {
        let mut diagnostics = Collector::new(files);
        let catalog = load::read(files, &mut diagnostics);
        for (requirement, place) in &catalog.plugins {
            if !requirement.is_met_by(&BUILT_IN_PLUGINS) {
                let (name, version) = &requirement.alternatives[0];
                let message = format!("the rules need plugin {name} {version}, which does not exist here");
                diagnostics.warn(Finding::new(Code::LoadUnknownSource, place.clone(), "", message));
            }
        }
        if diagnostics.has_errors() {
            return Err(diagnostics.finish());
        }
        let rules = assemble(files, &catalog, &mut diagnostics);
        if diagnostics.has_errors() {
            return Err(diagnostics.finish());
        }
        Ok(Loaded {
            rules,
            diagnostics: diagnostics.finish(),
        })
    }

    /// The rules that Plimsoll ships for kernel events. They hold no error: a test loads them.
    pub fn shipped() -> Self {
        Self::load(&Self::shipped_files())
            .map(|loaded| loaded.rules)
            .unwrap_or_default()
    }

    /// The files of [`RuleSet::shipped`], to be loaded together with a user's own.
    pub fn shipped_files() -> Vec<RuleFile> {
        shipped::files()
    }

    /// The files of the rules over Kubernetes audit events that Plimsoll ships.
    pub fn shipped_audit_files() -> Vec<RuleFile> {
        shipped::audit_files()
    }

    /// All rules in load order, disabled ones included.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule of that name.
    pub fn rule(&self, name: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.name() == name)
    }

    /// Calls `fired` for every enabled `syscall` rule whose condition is true, in load order.
    pub fn evaluate<'s>(&'s self, observation: &Observation<'_>, fired: &mut dyn FnMut(&'s Rule)) {
        let Some(kind) = KindSet::position(observation.event) else {
            return;
        };
        let place = match observation.event.container {
            Some(_) => Location::Container,
            None => Location::Host,
        };
        let variant = variant(kind, place);
        let Some(candidates) = self.by_variant.get(variant).filter(|rules| !rules.is_empty()) else {
            return;
        };
        let mut passing = match (self.gates.get(variant), &observation.event.kind) {
            (Some(Some(gate)), EventKind::Open { path, .. }) => gate.passes(path),
            _ => Mask::MAX,
        };
        if passing == 0 && candidates.len() <= WIDTH {
            return;
        }
        let context = Context::new(Subject::Kernel(observation));
        let mut memo = MEMO.take();
        memo.start(self.graph.len());
        let mut ask = |(index, node): &(u32, NodeId)| {
            if self.graph.holds(*node, &context, &mut memo) {
                fired(&self.rules[*index as usize]);
            }
        };
        let (first, rest) = candidates.split_at(candidates.len().min(WIDTH));
        while let Some(candidate) = first.get(passing.trailing_zeros() as usize) {
            passing &= passing - 1;
            ask(candidate);
        }
        rest.iter().for_each(ask);
        MEMO.set(memo);
    }

    /// Calls `fired` for every enabled rule of the subject's source whose condition is true, in load order.
    pub fn evaluate_image<'s>(&'s self, observation: &ImageObservation<'_>, fired: &mut dyn FnMut(&'s Rule)) {
        let source = source_of(&observation.subject);
        self.evaluate_source(source, &Context::new(Subject::Image(observation)), fired);
    }

    /// Calls `fired` for every enabled `k8s_audit` rule whose condition is true of one audit event (audit.k8s.io/v1, a JSON
    /// object), in load order.
    pub fn evaluate_audit<'s>(&'s self, event: &serde_json::Value, fired: &mut dyn FnMut(&'s Rule)) {
        // Upstream knows audit events by their id.
        if event.get("auditID").is_none() {
            return;
        }
        self.evaluate_source(Source::K8sAudit, &Context::new(Subject::Audit(event)), fired);
    }

    /// Calls `fired` for every enabled `admission` rule whose condition is true of one request, in load order.
    pub fn evaluate_admission<'s>(&'s self, observation: &AdmissionObservation<'_>, fired: &mut dyn FnMut(&'s Rule)) {
        let context = Context::new(Subject::Admission(observation));
        self.evaluate_source(Source::Admission, &context, fired);
    }

    fn evaluate_source<'s>(&'s self, source: Source, context: &Context<'_>, fired: &mut dyn FnMut(&'s Rule)) {
        let mut memo = MEMO.take();
        memo.start(self.graph.len());
        for (_, index, node) in self.by_source.iter().filter(|(of, ..)| *of == source) {
            if self.graph.holds(*node, context, &mut memo) {
                fired(&self.rules[*index as usize]);
            }
        }
        MEMO.set(memo);
    }

    /// Conditions that are asked of opens for reading in containers.
    #[cfg(test)]
    pub(crate) fn candidates_of_reads(&self) -> Vec<NodeId> {
        let opens = self.by_variant[variant(3, Location::Container)].iter();
        opens.map(|(_, node)| *node).collect()
    }

    /// What can possibly make an enabled `syscall` rule true: what sensors must deliver.
    pub fn wants(&self) -> EventNeeds {
        self.needs
    }

    /// Which files' reading can make an enabled `syscall` rule true: an over-approximation, never less.
    pub fn read_paths(&self) -> ReadPaths {
        self.read_paths.clone()
    }

    /// Which variables of programs' environments enabled `syscall` rules name.
    pub fn environment(&self) -> Environment {
        let mut environment = Environment::default();
        let rules = self.rules.iter().filter(|rule| rule.is_enabled);
        for text in rules.flat_map(|rule| [&rule.expanded, &rule.condition_text, &rule.output_text]) {
            environment.add(text);
        }
        environment
    }

    /// Which files' writing, in a container and as its profile expects it, can make an enabled `syscall` rule true: an
    /// over-approximation, never less.
    pub fn write_paths(&self) -> WritePaths {
        self.write_paths.clone()
    }
}

/// What upstream needs plugins for and we do without: the newest versions whose rules we read.
const BUILT_IN_PLUGINS: [(&str, Version); 3] = [
    ("container", Version::new(0, 99, 0)),
    ("k8saudit", Version::new(0, 99, 0)),
    ("json", Version::new(0, 99, 0)),
];

fn source_of(subject: &ImageSubject<'_>) -> Source {
    match subject {
        ImageSubject::Image => Source::Image,
        ImageSubject::Package(_) => Source::Package,
        ImageSubject::Vulnerability(_) => Source::Vulnerability,
        ImageSubject::File(_) => Source::File,
        ImageSubject::Finding(finding) if finding.check.starts_with("secret") => Source::Secret,
        ImageSubject::Finding(_) => Source::Finding,
        ImageSubject::Profile => Source::Profile,
    }
}

/// What the enabled `syscall` rules of a set can possibly need: an over-approximation, never less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EventNeeds {
    /// Needed from processes in containers.
    pub container: EventKinds,
    /// Needed from processes on the host.
    pub host: EventKinds,
    /// A rule reads paths as the caller wrote them (`fd.nameraw`).
    pub asked_paths: bool,
    /// A rule asks whether connections failed (`evt.failed`, `evt.res`, `evt.rawres`, `fd.connected`).
    pub failed_connects: bool,
}

/// Variables of programs' environments: an over-approximation, never less.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Environment {
    /// All of them.
    pub everything: bool,
    /// Names, sorted.
    pub names: BTreeSet<String>,
}

impl Environment {
    /// What a condition or an output names by `proc.env`.
    fn add(&mut self, text: &str) {
        for (at, _) in text.match_indices("proc.env") {
            let rest = &text[at + "proc.env".len()..];
            match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
                Some((name, _)) => {
                    self.names.insert(name.trim().trim_matches(['"', '\'']).to_owned());
                }
                None => self.everything = true,
            }
        }
    }

    /// Whether nobody asks for anything.
    pub fn is_empty(&self) -> bool {
        !self.everything && self.names.is_empty()
    }

    /// Whether a variable, `NAME=value`, is asked for.
    pub fn asks_for(&self, variable: &str) -> bool {
        self.everything
            || variable
                .split_once('=')
                .is_some_and(|(name, _)| self.names.contains(name))
    }
}

/// Kinds of events that sensors can be told to deliver or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EventKinds {
    /// Programs started.
    pub exec: bool,
    /// Processes made.
    pub fork: bool,
    /// Processes ended.
    pub exit: bool,
    /// Files opened for reading only.
    pub open_read: bool,
    /// Files opened for writing, or made.
    pub open_write: bool,
    /// Outgoing connections.
    pub connect: bool,
    /// Local addresses taken.
    pub bind: bool,
    /// Sockets that begin to accept.
    pub listen: bool,
    /// System calls by their names.
    pub calls: CallSet,
}
