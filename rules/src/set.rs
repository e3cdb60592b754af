//! A set of rules: loaded together, evaluated together.

use crate::{Diagnostic, ImageObservation, Observation, Rule};

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
    rules: Vec<Rule>,
}

impl RuleSet {
    /// Loads files in the given order: later files may append to, override and disable what earlier ones define.
    ///
    /// # Errors
    /// Every error (and warning) of all files, in file order. Nothing is loaded then.
    pub fn load(files: &[RuleFile]) -> Result<Loaded, Vec<Diagnostic>> {
        let _ = files;
        Ok(Loaded {
            rules: Self::default(),
            diagnostics: Vec::new(),
        })
    }

    /// The rules that Plimsoll ships for kernel events. They hold no error: a test loads them.
    pub fn shipped() -> Self {
        Self::default()
    }

    /// The files of [`RuleSet::shipped`], to be loaded together with a user's own.
    pub fn shipped_files() -> Vec<RuleFile> {
        Vec::new()
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
        let _ = (observation, fired);
    }

    /// Calls `fired` for every enabled rule of the subject's source whose condition is true, in load order.
    pub fn evaluate_image<'s>(&'s self, observation: &ImageObservation<'_>, fired: &mut dyn FnMut(&'s Rule)) {
        let _ = (observation, fired);
    }

    /// What can possibly make an enabled `syscall` rule true: what sensors must deliver.
    pub fn wants(&self) -> EventNeeds {
        EventNeeds::default()
    }
}

/// What the enabled `syscall` rules of a set can possibly need: an over-approximation, never less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EventNeeds {
    /// Needed from processes in containers.
    pub container: EventKinds,
    /// Needed from processes on the host.
    pub host: EventKinds,
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
}
