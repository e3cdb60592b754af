//! What whoever typed `kubectl apply` gets to read: what is wrong with which image, and what to do. Names come from the
//! object, so control characters are escaped and everything is short.

use std::sync::Arc;

use plimsoll_model::{Decision, Verdict, VerdictReason};

use super::{review::Request, workload::ContainerImage};
use crate::store::ImageSummary;

/// One image of an object and what is known of it.
pub(super) enum Judged {
    /// Its reference does not parse.
    Malformed {
        /// The container.
        used: ContainerImage,
    },
    /// No scan report is stored for it.
    Unknown {
        /// The container.
        used: ContainerImage,
        /// Normalised reference.
        reference: String,
    },
    /// The policy has judged it.
    Known {
        /// The container.
        used: ContainerImage,
        /// What was scanned.
        image: Box<ImageSummary>,
        /// What the policy says.
        verdict: Arc<Verdict>,
        /// The object names it by a tag, which can move.
        is_by_tag: bool,
    },
}

impl Judged {
    /// What was decided about an image, as the object names it; `None` when this is another image or no scan is known.
    pub(super) fn decision_about(&self, image: &str) -> Option<Decision> {
        match self {
            Self::Known { used, verdict, .. } if used.image == image => Some(verdict.decision),
            _ => None,
        }
    }
}

/// Reasons that one image's message lists.
const LISTED_REASONS: usize = 3;
/// Characters of a whole refusal; kubectl prints it in one paragraph.
const MAX_MESSAGE_CHARS: usize = 2_000;
/// Kubernetes asks for warnings of at most 120 characters and cuts all of them together at 4096.
const MAX_WARNING_CHARS: usize = 240;
/// Characters of a name.
const MAX_NAME_CHARS: usize = 200;

/// A name that may be shown and stored.
pub(super) fn cut(text: &str) -> String {
    shorten(&escape(text), MAX_NAME_CHARS)
}

fn escape(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            if c.is_control() {
                c.escape_default().collect()
            } else {
                vec![c]
            }
        })
        .collect()
}

fn shorten(text: &str, limit: usize) -> String {
    match text.chars().count() > limit {
        true => text.chars().take(limit.saturating_sub(1)).chain(['…']).collect(),
        false => text.to_owned(),
    }
}

fn warning(text: &str) -> String {
    shorten(text, MAX_WARNING_CHARS)
}

fn image(used: &ContainerImage) -> String {
    match used.container.is_empty() {
        true => format!("image {}", cut(&used.image)),
        false => format!("image {} of container {}", cut(&used.image), cut(&used.container)),
    }
}

/// Name of the object, or what its name will begin with.
pub(super) fn name_of(request: &Request) -> String {
    let metadata = &request.object()["metadata"];
    let given = Some(request.name.as_str())
        .filter(|name| !name.is_empty())
        .or(metadata["name"].as_str());
    match (given, metadata["generateName"].as_str()) {
        (Some(name), _) => cut(name),
        (None, Some(prefix)) => cut(&format!("{prefix}*")),
        (None, None) => String::new(),
    }
}

/// A kind that may hold images where we do not look is worth a word; sub-resources of known kinds are not.
pub(super) fn not_a_workload(request: &Request) -> Vec<String> {
    match request.sub_resource.is_empty() {
        true => vec![warning(&format!(
            "plimsoll does not know the kind {}: its images are not judged",
            cut(&request.kind.kind)
        ))],
        false => Vec::new(),
    }
}

/// What reasons call the object: `Deployment shop/web`.
pub(super) fn object(request: &Request) -> String {
    let (kind, name) = (cut(&request.kind.kind), name_of(request));
    match request.namespace.is_empty() {
        true => format!("{kind} {name}"),
        false => format!("{kind} {}/{name}", cut(&request.namespace)),
    }
}

/// What a rule said of the object.
pub(super) fn object_stopped(reason: &VerdictReason) -> String {
    format!(
        "{} is stopped: {} [{}]",
        reason.subject,
        cut(&reason.message),
        cut(&reason.rule)
    )
}

/// What a rule said of the object, that does not stop it.
pub(super) fn object_warned(reason: &VerdictReason) -> String {
    warning(&format!(
        "plimsoll: {}: {} [{}]",
        reason.subject,
        cut(&reason.message),
        cut(&reason.rule)
    ))
}

pub(super) fn unreadable(request: &Request, problem: &str) -> String {
    format!(
        "plimsoll cannot read the images of this {}: {problem}",
        cut(&request.kind.kind)
    )
}

pub(super) fn malformed(used: &ContainerImage) -> String {
    format!("{} has no valid reference", image(used))
}

pub(super) fn unknown(used: &ContainerImage, consequence: &str) -> String {
    warning(&format!(
        "plimsoll: {} has not been scanned and {consequence}",
        image(used)
    ))
}

pub(super) fn unknown_refused(used: &ContainerImage, namespace: &str) -> String {
    format!(
        "{} has not been scanned, which namespace {} requires; scan it first: plimsoll scan {} --server URL",
        image(used),
        cut(namespace),
        cut(&used.image)
    )
}

pub(super) fn by_tag(used: &ContainerImage, known: &ImageSummary) -> String {
    let digest = known.manifest_digest.as_ref().unwrap_or(&known.config_digest);
    warning(&format!(
        "plimsoll: {} is named by tag and was judged as last scanned, {digest}; a tag can move: name the digest",
        cut(&used.image)
    ))
}

pub(super) fn warned(used: &ContainerImage, verdict: &Verdict) -> String {
    warning(&format!(
        "plimsoll: {}: {}",
        image(used),
        sentence(verdict, Decision::Warn)
    ))
}

pub(super) fn stopped(used: &ContainerImage, known: &ImageSummary, verdict: &Verdict) -> String {
    format!(
        "{} is stopped by policy {}: {}. Rebuild it with the fixed versions, or ask for a waiver; details: image {} in Plimsoll",
        image(used),
        cut(&verdict.policy),
        sentence(verdict, Decision::Stop),
        known.config_digest
    )
}

/// The first reasons of a decision, and how many more there are.
fn sentence(verdict: &Verdict, decision: Decision) -> String {
    let counting: Vec<&VerdictReason> = verdict
        .reasons
        .iter()
        .filter(|reason| reason.decision == decision && reason.waived_by.is_none())
        .collect();
    let mut text = counting
        .iter()
        .take(LISTED_REASONS)
        .map(|reason| format!("{} [{}]", cut(&reason.message), cut(&reason.rule)))
        .collect::<Vec<_>>()
        .join("; ");
    if counting.len() > LISTED_REASONS {
        text.push_str(&format!("; and {} more", counting.len() - LISTED_REASONS));
    }
    text
}

/// The first reasons of a verdict, for the record; waived ones say so.
pub(super) fn reasons(verdict: &Verdict) -> Vec<String> {
    let line = |reason: &VerdictReason| match &reason.waived_by {
        Some(waiver) => format!("{} [{}, waived by {waiver}]", cut(&reason.message), cut(&reason.rule)),
        None => format!("{} [{}]", cut(&reason.message), cut(&reason.rule)),
    };
    verdict.reasons.iter().take(10).map(line).collect()
}

pub(super) fn join(refusals: &[String]) -> String {
    shorten(&format!("plimsoll: {}", refusals.join("; ")), MAX_MESSAGE_CHARS)
}
