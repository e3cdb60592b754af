//! Words and small texts that several formats share: severities, fix states, links.

use plimsoll_model::{FixState, Match, Severity};

use super::shown;

/// `critical`, …; the same words as in JSON.
pub(super) fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::High => "high",
        Severity::Medium => "medium",
        Severity::Low => "low",
        Severity::Negligible => "negligible",
        Severity::Unknown => "unknown",
    }
}

/// The version to go to, else why there is none.
pub(super) fn fix(found: &Match) -> String {
    match (found.fix_state, &found.fixed_version) {
        (FixState::Fixed, Some(version)) => shown(version),
        (state, _) => fix_state(state).to_owned(),
    }
}

fn fix_state(state: FixState) -> &'static str {
    match state {
        FixState::Fixed => "fixed",
        FixState::Affected => "no fix yet",
        FixState::WillNotFix => "will not be fixed",
        FixState::Deferred => "fix deferred",
        FixState::EndOfLife => "end of life",
        FixState::UnderInvestigation => "being investigated",
        FixState::NotAffected => "not affected",
        FixState::Unknown => "unknown",
    }
}

/// `1 layer`, `2 layers`.
pub(super) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Where people read about a vulnerability; `None` for ids that no known register gives out.
pub(super) fn link(id: &str) -> Option<String> {
    let is_plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !is_plain {
        return None;
    }
    if id.starts_with("CVE-") {
        return Some(format!("https://www.cve.org/CVERecord?id={id}"));
    }
    id.starts_with("GHSA-")
        .then(|| format!("https://github.com/advisories/{id}"))
}

/// How near a match's package is to being used: a rung of the ladder, `not in use`, or nothing when nobody asked.
pub(super) fn reach(found: &Match) -> &'static str {
    match &found.reach {
        Some(reach) if reach.is_idle => "not in use",
        Some(reach) => reach.rung.name(),
        None => "",
    }
}
