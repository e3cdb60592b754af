//! One loaded rule.

use plimsoll_model::{Decision, RuleValue};

use crate::{
    AdmissionObservation, ImageObservation, Observation, Priority, Source,
    compile::Term,
    field::{Context, FieldRef, Subject},
    output::{Template, shown},
};

/// A rule that was loaded and compiled.
#[derive(Debug)]
pub struct Rule {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) priority: Priority,
    pub(crate) tags: Vec<String>,
    pub(crate) source: Source,
    pub(crate) condition_text: String,
    pub(crate) expanded: String,
    pub(crate) output_text: String,
    pub(crate) output: Template,
    pub(crate) reads: Vec<Term>,
    pub(crate) read_names: Vec<String>,
    pub(crate) action: Option<Decision>,
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) is_enabled: bool,
    pub(crate) is_capture_wanted: bool,
    pub(crate) capture_duration_ms: u32,
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

    /// Its condition with lists, macros and exceptions put in, in the form in which upstream prints it. Cut when very long.
    pub fn expanded_condition(&self) -> &str {
        &self.expanded
    }

    /// Its output line as written.
    pub fn output_text(&self) -> &str {
        &self.output_text
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

    /// Whether what happens around an event is to be recorded when it fires, and for how many milliseconds (0: as long
    /// as the recorder likes). `None`: not.
    pub fn capture_duration_ms(&self) -> Option<u32> {
        self.is_capture_wanted.then_some(self.capture_duration_ms)
    }

    /// Names of the fields that its condition reads, in the order of their first use.
    pub fn fields(&self) -> &[String] {
        &self.read_names
    }

    /// Its output line, filled in. Missing values read `<NA>`, as upstream; control characters are escaped.
    pub fn output(&self, observation: &Observation<'_>) -> String {
        self.output.render(&Context::new(Subject::Kernel(observation)))
    }

    /// As [`Rule::output`], for an image rule.
    pub fn image_output(&self, observation: &ImageObservation<'_>) -> String {
        self.output.render(&Context::new(Subject::Image(observation)))
    }

    /// As [`Rule::output`], for an audit rule.
    pub fn audit_output(&self, event: &serde_json::Value) -> String {
        self.output.render(&Context::new(Subject::Audit(event)))
    }

    /// As [`Rule::output`], for an admission rule.
    pub fn admission_output(&self, observation: &AdmissionObservation<'_>) -> String {
        self.output.render(&Context::new(Subject::Admission(observation)))
    }

    /// The fields of its output line with their values: Falco's `output_fields`.
    pub fn output_values(&self, observation: &Observation<'_>) -> Vec<RuleValue> {
        self.output.values(&Context::new(Subject::Kernel(observation)))
    }

    /// The fields that its condition reads, with the values they have, in the order of their first use.
    pub fn values(&self, observation: &Observation<'_>) -> Vec<RuleValue> {
        self.values_in(&Context::new(Subject::Kernel(observation)))
    }

    /// As [`Rule::values`], for an image rule.
    pub fn image_values(&self, observation: &ImageObservation<'_>) -> Vec<RuleValue> {
        self.values_in(&Context::new(Subject::Image(observation)))
    }

    /// As [`Rule::values`], for an audit rule.
    pub fn audit_values(&self, event: &serde_json::Value) -> Vec<RuleValue> {
        self.values_in(&Context::new(Subject::Audit(event)))
    }

    fn values_in(&self, context: &Context<'_>) -> Vec<RuleValue> {
        self.reads
            .iter()
            .zip(&self.read_names)
            .map(|(term, name)| RuleValue {
                field: name.clone(),
                value: shown(term, context),
            })
            .collect()
    }
}

/// The terms and names of the fields that a condition reads.
pub(crate) fn reads(fields: &[FieldRef]) -> (Vec<Term>, Vec<String>) {
    fields
        .iter()
        .map(|reference| (Term::Field(reference.clone()), reference.name()))
        .unzip()
}

fn is_technique(tag: &str) -> bool {
    tag.strip_prefix('T')
        .is_some_and(|rest| rest.len() >= 4 && rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))
}
