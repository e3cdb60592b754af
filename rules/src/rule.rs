//! One loaded rule.

use plimsoll_model::{Decision, RuleValue};

use crate::{ImageObservation, Observation, Priority};

/// What a rule judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// Kernel events.
    Syscall,
    /// Kubernetes audit events.
    K8sAudit,
    /// An image as a whole.
    Image,
    /// One package of an image.
    Package,
    /// One vulnerability of a package.
    Vulnerability,
    /// One file of an image.
    File,
    /// One secret found in an image.
    Secret,
    /// One other finding of an image check.
    Finding,
    /// The profile of an image.
    Profile,
    /// One container of a workload that is to be admitted.
    Admission,
}

/// A rule that was loaded and compiled.
#[derive(Debug)]
pub struct Rule {
    name: String,
    description: String,
    priority: Priority,
    tags: Vec<String>,
    source: Source,
    condition_text: String,
    action: Option<Decision>,
    file: String,
    line: usize,
    is_enabled: bool,
}

impl Rule {
    /// Its name, unique in the set.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is for (`desc`).
    pub fn description(&self) -> &str {
        &self.description
    }

    /// How urgent it is.
    pub fn priority(&self) -> Priority {
        self.priority
    }

    /// Its tags, as written.
    pub fn tags(&self) -> &[String] {
        &self.tags
    }

    /// MITRE ATT&CK technique ids among its tags: `T1059`, `T1059.004`.
    pub fn techniques(&self) -> impl Iterator<Item = &str> {
        self.tags.iter().map(String::as_str).filter(|tag| is_technique(tag))
    }

    /// What it judges.
    pub fn source(&self) -> Source {
        self.source
    }

    /// Its condition as written, macros not expanded.
    pub fn condition_text(&self) -> &str {
        &self.condition_text
    }

    /// What a policy decides when it fires: our key `action`; `None` for rules that only alert.
    pub fn action(&self) -> Option<Decision> {
        self.action
    }

    /// File and line (from 1) that define it.
    pub fn origin(&self) -> (&str, usize) {
        (&self.file, self.line)
    }

    /// Whether it is evaluated.
    pub fn is_enabled(&self) -> bool {
        self.is_enabled
    }

    /// Its output line, filled in. Missing values read `<NA>`, as upstream; control characters are escaped.
    pub fn output(&self, observation: &Observation<'_>) -> String {
        let _ = observation;
        String::new()
    }

    /// As [`Rule::output`], for an image rule.
    pub fn image_output(&self, observation: &ImageObservation<'_>) -> String {
        let _ = observation;
        String::new()
    }

    /// The fields that its condition reads, with the values they have, in the order of their first use.
    pub fn values(&self, observation: &Observation<'_>) -> Vec<RuleValue> {
        let _ = observation;
        Vec::new()
    }

    /// As [`Rule::values`], for an image rule.
    pub fn image_values(&self, observation: &ImageObservation<'_>) -> Vec<RuleValue> {
        let _ = observation;
        Vec::new()
    }
}

fn is_technique(tag: &str) -> bool {
    tag.strip_prefix('T')
        .is_some_and(|rest| rest.len() >= 4 && rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))
}
