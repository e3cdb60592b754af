//! Waivers: exceptions from a policy, each with a reason, an owner and a last day. YAML in, checked waivers out.

use jiff::civil::Date;
use plimsoll_model::{ImageIdentity, ImageRef, star_matches};
use serde::Deserialize;

use crate::limits;

/// An exception from a policy. What it names must all fit; what it leaves out fits anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiver {
    /// Unique among the waivers that are used together.
    pub id: String,
    /// Exact name of the rule that it silences; `None`: any.
    pub rule: Option<String>,
    /// What it is about, `*` stands for any characters: the whole subject as a verdict writes it, or for a vulnerability
    /// its id or its package's name; `None`: anything.
    pub subject: Option<String>,
    /// Image, `*` stands for any characters: the reference as given or normalised, or a config or manifest digest;
    /// `None`: all images.
    pub image: Option<String>,
    /// Why the exception is right.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// Last day on which it counts, UTC.
    pub until: Date,
}

/// Why waivers are refused.
#[derive(Debug, thiserror::Error)]
pub enum WaiverError {
    /// Not YAML, or of the wrong shape.
    #[error("read waivers {name}: {detail}")]
    Syntax {
        /// Which file.
        name: String,
        /// Place and reason.
        detail: String,
    },
    /// A waiver that says too little.
    #[error("read waivers {name}: waiver `{id}` {problem}")]
    Content {
        /// Which file.
        name: String,
        /// Which waiver.
        id: String,
        /// `has no reason`, ….
        problem: &'static str,
    },
    /// More than [`limits::MAX_WAIVERS`], or more than [`limits::MAX_WAIVER_FILE_BYTES`].
    #[error("read waivers {name}: there are more than {limit}")]
    Limit {
        /// Which file.
        name: String,
        /// `10000 waivers`.
        limit: String,
    },
}

/// One entry of a waiver file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: String,
    rule: Option<String>,
    subject: Option<String>,
    image: Option<String>,
    reason: String,
    owner: String,
    until: String,
}

/// Reads a waiver file: a YAML list. `name` is for messages.
///
/// # Errors
/// The first thing that is wrong; nothing is taken then.
pub fn parse_waivers(name: &str, text: &str) -> Result<Vec<Waiver>, WaiverError> {
    let limit = |limit: String| WaiverError::Limit {
        name: name.to_owned(),
        limit,
    };
    if text.len() > limits::MAX_WAIVER_FILE_BYTES {
        return Err(limit(format!("{} bytes", limits::MAX_WAIVER_FILE_BYTES)));
    }
    let entries: Option<Vec<Entry>> = serde_saphyr::from_str(text).map_err(|error| WaiverError::Syntax {
        name: name.to_owned(),
        detail: error.to_string(),
    })?;
    let entries = entries.unwrap_or_default();
    if entries.len() > limits::MAX_WAIVERS {
        return Err(limit(format!("{} waivers", limits::MAX_WAIVERS)));
    }
    let mut waivers: Vec<Waiver> = Vec::with_capacity(entries.len());
    for entry in entries {
        let waiver = check(entry).map_err(|(id, problem)| WaiverError::Content {
            name: name.to_owned(),
            id,
            problem,
        })?;
        if waivers.iter().any(|other| other.id == waiver.id) {
            return Err(WaiverError::Content {
                name: name.to_owned(),
                id: waiver.id,
                problem: "is there twice",
            });
        }
        waivers.push(waiver);
    }
    Ok(waivers)
}

fn check(entry: Entry) -> Result<Waiver, (String, &'static str)> {
    let problem = if entry.id.trim().is_empty() {
        Some("has no id")
    } else if entry.reason.trim().is_empty() {
        Some("has no reason")
    } else if entry.owner.trim().is_empty() {
        Some("has no owner")
    } else if entry.rule.is_none() && entry.subject.is_none() && entry.image.is_none() {
        Some("names neither rule, subject nor image: it would waive everything")
    } else {
        None
    };
    if let Some(problem) = problem {
        return Err((entry.id, problem));
    }
    let Ok(until) = entry.until.parse() else {
        return Err((entry.id, "has no day such as `2026-12-31` under `until`"));
    };
    Ok(Waiver {
        id: entry.id,
        rule: entry.rule,
        subject: entry.subject,
        image: entry.image,
        reason: entry.reason,
        owner: entry.owner,
        until,
    })
}

/// What a reason is about, by every name that a waiver may use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    /// As the verdict writes it.
    pub(crate) text: &'a str,
    /// Vulnerability id and package name.
    pub(crate) names: [Option<&'a str>; 2],
}

impl Waiver {
    /// Whether it still counts.
    pub(crate) fn is_current(&self, today: Date) -> bool {
        self.until >= today
    }

    /// Whether it is for this image.
    pub(crate) fn is_for(&self, image: &ImageIdentity) -> bool {
        let Some(pattern) = &self.image else { return true };
        let normalised = image
            .reference
            .parse::<ImageRef>()
            .map(|reference| reference.to_string());
        let manifest = image.manifest_digest.map(|digest| digest.to_string());
        fits(pattern, &image.reference)
            || normalised.is_ok_and(|reference| fits(pattern, &reference))
            || fits(pattern, &image.config_digest.to_string())
            || manifest.is_some_and(|digest| fits(pattern, &digest))
    }

    /// Whether it covers what a rule said of a subject.
    pub(crate) fn covers(&self, rule: &str, subject: Subject<'_>) -> bool {
        let names_rule = self.rule.as_deref().is_none_or(|name| name == rule);
        names_rule
            && self.subject.as_deref().is_none_or(|pattern| {
                fits(pattern, subject.text) || subject.names.into_iter().flatten().any(|name| fits(pattern, name))
            })
    }
}

/// `*` stands for any run of characters.
pub(crate) fn fits(pattern: &str, text: &str) -> bool {
    star_matches(pattern.as_bytes(), text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "
- id: w1
  subject: CVE-2024-1
  image: '*/team/redis:*'
  reason: not reachable, see ticket 12
  owner: ann
  until: 2026-12-31
";

    #[test]
    fn reads_waivers_and_says_what_is_wrong() {
        let waivers = parse_waivers("w.yaml", GOOD).unwrap();
        assert_eq!((waivers.len(), waivers[0].until), (1, jiff::civil::date(2026, 12, 31)));
        assert!(parse_waivers("w.yaml", "").unwrap().is_empty());
        for (from, to, expected) in [
            ("owner: ann", "owner: ' '", "`w1` has no owner"),
            ("until: 2026-12-31", "until: soon", "2026-12-31"),
            ("reason: not reachable, see ticket 12", "reasons: x", "reason"),
            (
                "  subject: CVE-2024-1\n  image: '*/team/redis:*'\n",
                "",
                "waive everything",
            ),
            (
                "- id: w1",
                "- id: w1\n  rule: x\n  reason: r\n  owner: o\n  until: 2026-01-01\n- id: w1",
                "there twice",
            ),
        ] {
            let text = GOOD.replace(from, to);
            let error = parse_waivers("w.yaml", &text).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("w.yaml"), "{error}");
        }
    }

    #[test]
    fn a_star_fits_any_characters() {
        for (pattern, text, expected) in [
            ("CVE-2024-1", "CVE-2024-1", true),
            ("CVE-2024-1", "CVE-2024-12", false),
            ("CVE-2024-*", "CVE-2024-12", true),
            ("*openssl*", "CVE-2024-1 in openssl 3", true),
            ("*", "", true),
            ("a*b*c", "axxbxb", false),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} on {text}");
        }
        let slow = "*a".repeat(2_000);
        assert!(!fits(&slow, &"a".repeat(1_999)));
    }
}
