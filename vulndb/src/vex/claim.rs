//! Matches, and those that statements took away, in; what a VEX document of an image says of each out, in words that every
//! format has.

use std::collections::BTreeSet;

use plimsoll_model::{FixState, Match};

use super::{Suppressed, VexStatus};

/// What is said of one match.
#[derive(Debug, Clone)]
pub struct VexClaim<'a> {
    /// The match.
    pub one: &'a Match,
    /// What is said.
    pub status: VexStatus,
    /// The word that the statement gave as its reason, in its own format's language; empty when none.
    pub justification: &'a str,
    /// Prose, hostile text; may be empty.
    pub impact: &'a str,
    /// RFC 3339 time of the statement; empty where it is the document's.
    pub timestamp: &'a str,
}

/// What a document says of itself.
#[derive(Debug, Clone, Copy)]
pub struct VexHeader<'a> {
    /// The image: its package URL or its reference.
    pub product: &'a str,
    /// Who says so.
    pub author: &'a str,
    /// IRI of the document: `urn:uuid:…`.
    pub id: &'a str,
    /// RFC 3339 time of the document.
    pub now: &'a str,
}

/// What is known of each match: affected or being looked into where it stands, else what the statement says that took it
/// away. A package that has a vulnerability twice is told once.
pub fn vex_claims<'a>(matches: &'a [Match], suppressed: &'a [Suppressed]) -> Vec<VexClaim<'a>> {
    let standing = matches.iter().map(|one| {
        let reach = one.reach.as_deref();
        let is_idle = reach.is_some_and(|reach| reach.is_idle);
        VexClaim {
            one,
            status: match one.fix_state {
                // Found not affected by the publisher himself.
                FixState::NotAffected => VexStatus::NotAffected,
                _ if is_idle => VexStatus::NotAffected,
                FixState::UnderInvestigation | FixState::Unknown => VexStatus::UnderInvestigation,
                _ => VexStatus::Affected,
            },
            // Containers were watched, and executed and loaded nothing of the package: for how long is in the words.
            justification: if is_idle { NOT_IN_USE } else { "" },
            impact: match reach {
                Some(reach) if is_idle || reach.used.is_some() => &reach.because,
                _ => "",
            },
            timestamp: "",
        }
    });
    let taken = suppressed.iter().map(|gone| VexClaim {
        one: &gone.one,
        status: gone.statement.status,
        justification: &gone.statement.justification,
        impact: &gone.statement.impact,
        timestamp: &gone.statement.timestamp,
    });
    let mut seen = BTreeSet::new();
    standing
        .chain(taken)
        .filter(|claim| seen.insert((claim.one.package, claim.one.vulnerability.id.as_str())))
        .collect()
}

/// Why something that is not in use is not affected.
const NOT_IN_USE: &str = "vulnerable_code_not_in_execute_path";

/// CycloneDX's words (`impactAnalysisJustification`) and those that OpenVEX and CSAF share.
const WORDS: [(&str, &str); 5] = [
    ("code_not_present", "component_not_present"),
    ("code_not_present", "vulnerable_code_not_present"),
    ("code_not_reachable", "vulnerable_code_not_in_execute_path"),
    (
        "requires_environment",
        "vulnerable_code_cannot_be_controlled_by_adversary",
    ),
    ("protected_by_mitigating_control", "inline_mitigations_already_exist"),
];

/// CycloneDX's other words; OpenVEX and CSAF have no nearer ones.
const PROTECTED: [&str; 3] = [
    "protected_by_compiler",
    "protected_at_runtime",
    "protected_at_perimeter",
];

/// Words of CycloneDX alone.
const REQUIRED: [&str; 2] = ["requires_configuration", "requires_dependency"];

impl VexClaim<'_> {
    /// The reason in the words that OpenVEX and CSAF share; `None` where it has none of them.
    pub(super) fn justification_word(&self) -> Option<&'static str> {
        if PROTECTED.contains(&self.justification) {
            return Some("inline_mitigations_already_exist");
        }
        let is_own = |(_, own): &&(&str, &str)| *own == self.justification;
        // Where two words fall together, the weaker one is said.
        let is_theirs = |(theirs, _): &&(&str, &str)| *theirs == self.justification;
        let found = WORDS.iter().find(is_own).or_else(|| WORDS.iter().rev().find(is_theirs));
        found.map(|(_, word)| *word)
    }

    /// The reason in CycloneDX's words; `None` where it has none of them.
    pub(super) fn cyclonedx_word(&self) -> Option<&'static str> {
        let other = PROTECTED
            .iter()
            .chain(&REQUIRED)
            .find(|word| **word == self.justification);
        let known = || {
            let is_it = |(theirs, own): &&(&str, &str)| [*theirs, *own].contains(&self.justification);
            WORDS.iter().find(is_it).map(|(theirs, _)| *theirs)
        };
        other.copied().or_else(known)
    }

    /// Why something is not affected, as prose: never empty, because a statement without a reason is worth nothing.
    pub(super) fn reason(&self) -> String {
        let parts = [self.justification.replace('_', " "), self.impact.to_owned()];
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        match parts.is_empty() {
            true => format!("{} says so", self.one.evidence.source),
            false => parts.join(": "),
        }
    }

    /// What to do about it.
    pub(super) fn action(&self) -> String {
        let one = self.one;
        let name = &one.evidence.compared_name;
        match (one.fix_state, &one.fixed_version) {
            (FixState::Fixed, Some(version)) => format!("Update {name} to {version}."),
            (FixState::WillNotFix, _) => format!("The publisher will not fix {name} in this release."),
            (FixState::Deferred, _) => format!("The publisher has put the fix of {name} off."),
            (FixState::EndOfLife, _) => format!("{name} gets no more fixes in this release: move to a newer one."),
            _ => format!("There is no fix of {name} yet."),
        }
    }
}

/// Each name once, in their order.
pub(super) fn unique(names: &[String]) -> Vec<&str> {
    let mut seen = BTreeSet::new();
    names
        .iter()
        .map(String::as_str)
        .filter(|name| seen.insert(*name))
        .collect()
}

#[cfg(test)]
mod tests {
    use plimsoll_model::{MatchEvidence, PackageUse, Reach, Rung, Severity, Vulnerability};

    use super::*;

    fn one(fix_state: FixState, reach: Option<Reach>) -> Match {
        Match {
            package: 0,
            vulnerability: Vulnerability {
                id: "CVE-1".to_owned(),
                aliases: Vec::new(),
                severity: Severity::High,
                cvss_score: None,
                known_exploited: false,
                epss: None,
                summary: String::new(),
            },
            fix_state,
            fixed_version: None,
            evidence: MatchEvidence {
                advisory: "CVE-1".to_owned(),
                source: "debian".to_owned(),
                ecosystem: "Debian:12".to_owned(),
                compared_name: "a".to_owned(),
                compared_version: "1".to_owned(),
                range: "any version".to_owned(),
            },
            reach: reach.map(Box::new),
        }
    }

    fn reach(is_idle: bool, used: Option<PackageUse>) -> Option<Reach> {
        Some(Reach {
            rung: if used.is_some() { Rung::Loaded } else { Rung::Present },
            because: "watched for a day".to_owned(),
            is_idle,
            used,
        })
    }

    #[test]
    fn what_containers_do_not_use_is_not_affected_until_it_is_used() {
        let used = PackageUse {
            executed: 0,
            loaded: 1,
            listens: false,
            first_ns: 1,
            last_ns: 1,
            after_seconds: 90_000,
        };
        for (fix_state, reach, status, justification, impact) in [
            (FixState::Affected, None, VexStatus::Affected, "", ""),
            (FixState::Affected, reach(false, None), VexStatus::Affected, "", ""),
            (
                FixState::Affected,
                reach(true, None),
                VexStatus::NotAffected,
                "vulnerable_code_not_in_execute_path",
                "watched for a day",
            ),
            (
                FixState::Affected,
                reach(false, Some(used)),
                VexStatus::Affected,
                "",
                "watched for a day",
            ),
            (
                FixState::Unknown,
                reach(false, Some(used)),
                VexStatus::UnderInvestigation,
                "",
                "watched for a day",
            ),
        ] {
            let matches = [one(fix_state, reach)];
            let claims = vex_claims(&matches, &[]);
            let found = &claims[0];
            assert_eq!(
                (found.status, found.justification, found.impact),
                (status, justification, impact),
                "{:?}",
                matches[0]
            );
        }
    }
}
