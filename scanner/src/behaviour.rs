//! Two scan reports in; what their containers may do differently out, for the review of a change: ports, outgoing
//! connections, shells and other programs, setuid files, writes, users, libraries, and what is no longer ruled out.

use std::{collections::BTreeMap, fmt::Write as _};

use plimsoll_model::{Action, FacetState, Fact, PathPattern, PeerScope, Profile, ScanReport, Subject};
use serde::Serialize;

use crate::{diff::fact_words, report::shown};

/// Names of programs that run what they are told to.
const SHELLS: &[&str] = &[
    "sh", "bash", "dash", "ash", "ksh", "zsh", "fish", "csh", "tcsh", "busybox", "toybox",
];

/// What a change is about. The order is that of the view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Ports that are served.
    Ports,
    /// Connections to others.
    Outbound,
    /// Shells: files, and facts that start one.
    Shells,
    /// Setuid and setgid files, and such with capabilities.
    Suid,
    /// Other programs that are started.
    Programs,
    /// Files that are written.
    Writes,
    /// Users that processes become.
    Users,
    /// Libraries that are loaded.
    Closure,
    /// What is ruled out, and what is judged at all.
    Rules,
}

impl Kind {
    /// All, with their names.
    pub const ALL: [(Self, &str); 9] = [
        (Self::Ports, "ports"),
        (Self::Outbound, "outbound"),
        (Self::Shells, "shells"),
        (Self::Suid, "suid"),
        (Self::Programs, "programs"),
        (Self::Writes, "writes"),
        (Self::Users, "users"),
        (Self::Closure, "closure"),
        (Self::Rules, "rules"),
    ];
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct BehaviourChange {
    /// What it is about.
    pub kind: Kind,
    /// It lets the container do more, or lets fewer deviations be seen.
    pub is_worse: bool,
    /// It is in the second image only; false: in the first only.
    pub is_new: bool,
    /// What, as a line. Hostile text.
    pub what: String,
    /// Why it is believed; empty when nothing says so. Hostile text.
    pub evidence: String,
}

/// Compares what two images' containers do. Sorted: by kind, what is worse last among equals.
pub fn compare(from: &ScanReport, to: &ScanReport) -> Vec<BehaviourChange> {
    let (old, new) = (lines(from), lines(to));
    let mut changes = Vec::new();
    for (one, other, is_new) in [(&new, &old, true), (&old, &new, false)] {
        for ((kind, what), (evidence, is_guard)) in one {
            if other.contains_key(&(*kind, what.clone())) {
                continue;
            }
            changes.push(BehaviourChange {
                kind: *kind,
                // A guard that is gone is worse; so is an act that is new. A library is mapped because a program needs it.
                is_worse: (is_new != *is_guard) && *kind != Kind::Closure,
                is_new,
                what: what.clone(),
                evidence: evidence.clone(),
            });
        }
    }
    changes.sort();
    changes
}

type Lines = BTreeMap<(Kind, String), (String, bool)>;

fn lines(report: &ScanReport) -> Lines {
    let mut lines = Lines::new();
    for fact in &report.profile.facts {
        let evidence = fact.evidence.first().map_or("", |first| first.detail.as_str());
        lines.insert((kind_of(fact), fact_words(fact)), (evidence.to_owned(), false));
    }
    for file in &report.files {
        let mut bits = Vec::new();
        if file.is_setuid_or_setgid() {
            bits.push(format!("mode {:04o} of user {}", file.mode, file.uid));
        }
        if file.has_capabilities {
            bits.push("file capabilities".to_owned());
        }
        if !bits.is_empty() {
            lines.insert((Kind::Suid, file.path.clone()), (bits.join(", "), false));
        }
        if file.is_executable() && is_shell(&file.path) {
            let what = format!("{} is in the image", file.path);
            lines.insert((Kind::Shells, what), (String::new(), false));
        }
    }
    rules(&report.profile, &mut lines);
    lines
}

fn kind_of(fact: &Fact) -> Kind {
    match &fact.action {
        Action::Exec(program) if is_shell(&program.path.0) && program.applet.is_none() => Kind::Shells,
        Action::Exec(_) => Kind::Programs,
        Action::Load(_) => Kind::Closure,
        Action::Listen(_) => Kind::Ports,
        Action::Connect(peer) if peer.scope == PeerScope::Loopback => Kind::Programs,
        Action::Connect(_) => Kind::Outbound,
        Action::Write(_) => Kind::Writes,
        Action::Become(_) => Kind::Users,
    }
}

fn rules(profile: &Profile, lines: &mut Lines) {
    let name = |word: String| word.to_lowercase();
    for denial in &profile.denials {
        let who = match &denial.subject {
            Subject::Any => "any process".to_owned(),
            Subject::Program(program) => program.path.to_string(),
        };
        let object = denial
            .object
            .as_ref()
            .map_or(String::new(), |PathPattern(path)| format!(" {path}"));
        let verb = name(format!("{:?}", denial.verb));
        let evidence = denial.evidence.first().map_or("", |first| first.detail.as_str());
        lines.insert(
            (Kind::Rules, format!("{who} never: {verb}{object}")),
            (evidence.to_owned(), true),
        );
    }
    for facet in profile.facets.iter().filter(|facet| facet.state == FacetState::Closed) {
        let what = name(format!("{:?} in {:?} is judged", facet.verb, facet.phase));
        lines.insert((Kind::Rules, what), (facet.reason.clone(), true));
    }
}

fn is_shell(path: &str) -> bool {
    SHELLS.contains(&path.rsplit('/').next().unwrap_or(path))
}

/// The changes as lines for people: `!` worse, `+` new, `-` gone. Hostile text is escaped.
pub fn behaviour_view(changes: &[BehaviourChange]) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    for (kind, name) in Kind::ALL {
        let of_kind: Vec<&BehaviourChange> = changes.iter().filter(|change| change.kind == kind).collect();
        if of_kind.is_empty() {
            continue;
        }
        let _ = writeln!(text, "{name}: {}", of_kind.len());
        for change in of_kind {
            let worse = if change.is_worse { '!' } else { ' ' };
            let sign = if change.is_new { '+' } else { '-' };
            let _ = write!(text, "{worse} {sign} {}", shown(&change.what));
            match change.evidence.as_str() {
                "" => text.push('\n'),
                evidence => drop(writeln!(text, "\n       {}", shown(evidence))),
            }
        }
    }
    match text.is_empty() {
        true => "no difference in behaviour\n".to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn report(facts: &Value, denials: &Value, files: &Value) -> ScanReport {
        let digest = format!("sha256:{}", "0".repeat(64));
        serde_json::from_value(json!({
            "schema": "plimsoll.scan/v1",
            "image": { "reference": "demo", "manifest_digest": null, "config_digest": digest, "diff_ids": [],
                       "platform": { "os": "linux", "architecture": "amd64" } },
            "config": {}, "layers": [], "sbom": { "packages": [] }, "files": files, "file_count": 1, "matches": null,
            "findings": [],
            "profile": { "schema": "plimsoll.profile/v1", "image": "demo", "config_digest": digest, "manifest_digest": null,
                         "main": null, "entrypoint": [], "health_check": null, "packs": [], "facts": facts,
                         "denials": denials, "facets": [] },
            "notes": [], "verdict": null,
        }))
        .unwrap()
    }

    fn fact(action: &Value) -> Value {
        json!({ "subject": "any", "action": action, "phases": ["serving"],
                "evidence": [{ "source": "image", "detail": "said\u{1b}[31m" }], "confidence": "A" })
    }

    #[test]
    fn tells_each_kind_of_change_and_which_are_worse() {
        let none = json!([]);
        let empty = report(&none, &none, &none);
        let denial = json!([{ "subject": "any", "verb": "exec", "phases": [], "evidence": [], "confidence": "A" }]);
        let file = |path: &str, mode: u32| json!([{ "path": path, "kind": "regular", "mode": mode, "uid": 0, "gid": 0, "size_bytes": 1, "layer": 0 }]);
        let port = json!({ "verb": "listen", "object": { "transport": "tcp", "first": 80, "last": 80 } });
        let out = json!({ "verb": "connect", "object": { "scope": "public", "port": null } });
        let exec = |path: &str| json!({ "verb": "exec", "object": { "path": path } });
        let load = json!({ "verb": "load", "object": "/usr/lib/x.so" });
        for (other, kind, is_worse) in [
            (report(&json!([fact(&port)]), &none, &none), Kind::Ports, true),
            (report(&json!([fact(&out)]), &none, &none), Kind::Outbound, true),
            (
                report(&json!([fact(&exec("/bin/dash"))]), &none, &none),
                Kind::Shells,
                true,
            ),
            (
                report(&json!([fact(&exec("/bin/id"))]), &none, &none),
                Kind::Programs,
                true,
            ),
            (report(&json!([fact(&load)]), &none, &none), Kind::Closure, false),
            (report(&none, &denial, &none), Kind::Rules, false),
            (report(&none, &none, &file("/bin/bash", 0o755)), Kind::Shells, true),
            (report(&none, &none, &file("/bin/mount", 0o4755)), Kind::Suid, true),
        ] {
            let found = compare(&empty, &other);
            assert_eq!(
                (found.len(), found[0].kind, found[0].is_worse),
                (1, kind, is_worse),
                "{found:?}"
            );
            let back = compare(&other, &empty);
            assert_eq!(back[0].is_worse, kind == Kind::Rules, "{back:?}");
            assert_eq!(compare(&other, &other), []);
            assert!(!behaviour_view(&found).contains('\u{1b}'));
        }
    }
}
