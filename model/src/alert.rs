//! An alert: something crossed the line, with all that a person needs to judge it.

use serde::{Deserialize, Serialize};

use crate::{Confidence, ContainerRuntime, Digest, Evidence, Fact, Phase, Pod, Severity, Verb};

/// A rule or deviation that fired, enriched and deduplicated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alert {
    /// [`crate::schema::ALERT`].
    pub schema: String,
    /// Stable: the same event gives the same id, also after a restart and in a replay.
    pub id: String,
    /// Wall-clock time of the event, nanoseconds since the Unix epoch.
    pub time_ns: u64,
    /// Falco's scale in lower case: `emergency alert critical error warning notice informational debug`.
    pub priority: String,
    /// The reason that decided the priority: a rule's name, or the deviation's kind.
    pub rule: String,
    /// One sentence: what happened.
    pub summary: String,
    /// Everything that fired on this event, worst first.
    pub reasons: Vec<Reason>,
    /// Node that it happened on.
    pub node: String,
    /// Container id; `None` on the host.
    pub container_id: Option<String>,
    /// Container name.
    pub container_name: Option<String>,
    /// Who runs the container.
    pub runtime: Option<ContainerRuntime>,
    /// Its image.
    pub image: Option<AlertImage>,
    /// Its pod.
    pub pod: Option<Pod>,
    /// Phase of the process.
    pub phase: Option<Phase>,
    /// The process that did it; `None` when it came through a cluster's API (Kubernetes audit).
    pub process: Option<ProcessSummary>,
    /// Its ancestors, nearest first.
    pub ancestry: Vec<ProcessSummary>,
    /// What it did: `exec /bin/sh -c id`, `connect tcp 10.0.0.5:4444`.
    pub observed: String,
    /// What the profile expects of this subject, verb and phase, at most [`MAX_EXPECTED`]; empty means nothing at all.
    pub expected: Vec<ExpectedFact>,
    /// Where the executable comes from; `None` when there is no scan of the image.
    pub executable: Option<ExecutableOrigin>,
    /// MITRE ATT&CK technique ids: `T1059.004`.
    pub techniques: Vec<String>,
    /// Events lost on this node in the minute before.
    pub lost_events: u64,
    /// The fact that would allow it, if that is what is wanted; `None` where none should.
    pub allow: Option<Fact>,
    /// What the same cause did next; filled until the alert is closed.
    pub follow_ups: Vec<FollowUp>,
    /// How many events this alert stands for.
    pub count: u64,
}

/// Most expected facts that an alert lists.
pub const MAX_EXPECTED: usize = 8;

/// The image in an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertImage {
    /// Reference.
    pub reference: String,
    /// Manifest digest.
    pub manifest_digest: Option<Digest>,
    /// Config digest.
    pub config_digest: Option<Digest>,
}

/// One reason why an alert fired.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Reason {
    /// A profile does not expect it.
    Deviation {
        /// Stable kebab-case kind: `unexpected-exec`, `exec-not-in-image`, `unexpected-connect`, …
        kind: String,
        /// Which verb was judged.
        verb: Verb,
        /// One sentence that names evidence.
        explanation: String,
        /// What says that it is wrong: a denial's or the closed facet's evidence.
        evidence: Vec<Evidence>,
        /// How sure.
        confidence: Confidence,
    },
    /// A rule's condition was true.
    Rule {
        /// Its name.
        name: String,
        /// Its output line, filled in.
        output: String,
        /// Its condition as written, macros not expanded.
        condition: String,
        /// Fields that the condition read, with the values that it saw.
        values: Vec<RuleValue>,
        /// Its tags.
        tags: Vec<String>,
        /// Its priority.
        priority: String,
    },
}

/// A field and its value at the moment that a rule fired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleValue {
    /// `proc.name`.
    pub field: String,
    /// As shown to people; `None` when the field was missing.
    pub value: Option<String>,
}

/// An expected fact, with its text for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedFact {
    /// `redis-server listens on tcp/6379`.
    pub text: String,
    /// Its evidence.
    pub evidence: Vec<Evidence>,
    /// How sure.
    pub confidence: Confidence,
}

/// One process, short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessSummary {
    /// Host process id.
    pub pid: i32,
    /// Executable.
    pub exe: String,
    /// Arguments joined by blanks, quoted where needed, control characters escaped.
    pub command_line: String,
    /// Effective user id.
    pub euid: u32,
}

/// Where an executable comes from: file → package → layer → vulnerabilities.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExecutableOrigin {
    /// Resolved path.
    pub path: String,
    /// Whether the image has a file at this path.
    pub is_in_image: bool,
    /// Whether it was written after the container started.
    pub is_modified: bool,
    /// Content digest in the image.
    pub digest: Option<Digest>,
    /// Owning package: name and version.
    pub package: Option<String>,
    /// Digest of the layer that brought it.
    pub layer_diff_id: Option<Digest>,
    /// The build instruction of that layer.
    pub layer_created_by: Option<String>,
    /// The package's vulnerabilities, worst first: id and severity, at most 5.
    pub vulnerabilities: Vec<(String, Severity)>,
    /// How many there are in all.
    pub vulnerability_count: u32,
    /// Any of them is known to be exploited.
    pub known_exploited: bool,
}

/// Something that the cause of an alert did afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FollowUp {
    /// Wall-clock time, nanoseconds since the Unix epoch.
    pub time_ns: u64,
    /// What was observed.
    pub observed: String,
    /// Names of rules or deviations that would have fired on their own.
    pub rules: Vec<String>,
}
