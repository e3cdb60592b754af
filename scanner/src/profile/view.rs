//! A profile in, text for people out: what is expected, how sure that is, and the evidence of every line.

use std::fmt::Write;

use plimsoll_model::{Evidence, EvidenceSource, FacetState, Fact, Phase, Profile, Subject, Verb};

use super::draft::{object_text, program_text};

/// All verbs with their headings, in the order they are shown.
const VERBS: &[(Verb, &str)] = &[
    (Verb::Exec, "exec"),
    (Verb::Load, "load"),
    (Verb::Listen, "listen"),
    (Verb::Connect, "connect"),
    (Verb::Write, "write"),
    (Verb::Become, "become"),
];

/// The whole profile as text. Control characters of hostile text are escaped.
pub fn view(profile: &Profile) -> String {
    let mut out = String::new();
    let mut line = |label: &str, text: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{label:<13}{}", escape(text));
    };
    line("image", &profile.image);
    line("config", &profile.config_digest.to_string());
    let chain: Vec<String> = profile.entrypoint.iter().map(program_text).collect();
    if !chain.is_empty() {
        line("entrypoint", &chain.join(" then "));
    }
    line("main", &super::main_text(profile));
    if let Some(argv) = &profile.health_check {
        line("health check", &argv.join(" "));
    }
    let packs = if profile.packs.is_empty() {
        "none fits".to_owned()
    } else {
        profile.packs.join(", ")
    };
    line("packs", &packs);
    for (verb, heading) in VERBS {
        section(&mut out, profile, *verb, heading);
    }
    out
}

fn section(out: &mut String, profile: &Profile, verb: Verb, heading: &str) {
    let facts: Vec<&Fact> = profile.facts.iter().filter(|fact| fact.action.verb() == verb).collect();
    let denials: Vec<_> = profile.denials.iter().filter(|denial| denial.verb == verb).collect();
    let facets: Vec<_> = profile.facets.iter().filter(|facet| facet.verb == verb).collect();
    if facts.is_empty() && denials.is_empty() && facets.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{heading}");
    for facet in facets {
        let state = match facet.state {
            FacetState::Closed => "judged",
            FacetState::Open => "learned",
        };
        let _ = writeln!(
            out,
            "  {state} in {}: {}",
            phase_text(facet.phase),
            escape(&facet.reason)
        );
    }
    for denial in denials {
        let object = denial
            .object
            .as_ref()
            .map_or(String::new(), |object| format!(" {object}"));
        let who = subject_text(&denial.subject);
        let _ = writeln!(
            out,
            "  never  {}{} [{:?}, {}]",
            escape(&who),
            escape(&object),
            denial.confidence,
            phases_text(&denial.phases, "always")
        );
        evidence_lines(out, &denial.evidence);
    }
    for fact in facts {
        let _ = writeln!(
            out,
            "  {:?}  {} -> {} [{}]",
            fact.confidence,
            escape(&subject_text(&fact.subject)),
            escape(&object_text(&fact.action)),
            phases_text(&fact.phases, "always but in sessions")
        );
        evidence_lines(out, &fact.evidence);
    }
}

fn evidence_lines(out: &mut String, evidence: &[Evidence]) {
    for item in evidence {
        let source = match item.source {
            EvidenceSource::Image => "image",
            EvidenceSource::Pack => "pack",
            EvidenceSource::Pod => "pod",
            EvidenceSource::Observed => "observed",
            EvidenceSource::User => "user",
        };
        let _ = writeln!(out, "       {source}: {}", escape(&item.detail));
    }
}

fn subject_text(subject: &Subject) -> String {
    match subject {
        Subject::Any => "anybody".to_owned(),
        Subject::Program(program) => program_text(program),
    }
}

fn phase_text(phase: Phase) -> &'static str {
    match phase {
        Phase::Init => "init",
        Phase::Entrypoint => "entrypoint",
        Phase::Serving => "serving",
        Phase::Session => "session",
        Phase::Probe => "probe",
    }
}

fn phases_text(phases: &[Phase], all: &str) -> String {
    match phases {
        [] => all.to_owned(),
        phases => phases
            .iter()
            .map(|phase| phase_text(*phase))
            .collect::<Vec<_>>()
            .join(", "),
    }
}

/// Whatever could steer a terminal is shown as text.
fn escape(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars() {
        match c {
            c if c.is_control() || is_invisible(c) => shown.extend(c.escape_default()),
            c => shown.push(c),
        }
    }
    shown
}

/// Characters that change the direction or order of text around them.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}
