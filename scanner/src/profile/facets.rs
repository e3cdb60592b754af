//! Facts, openings of scripts and the closure in, which verbs are judged in which phases out.

use plimsoll_model::{Confidence, Denial, FacetState, Phase, Subject, Verb};

use super::{
    claims::Claims,
    closure::Closure,
    declared,
    draft::{Draft, image, program_text},
    explorer::{Explorer, Launch},
    lookup::{SHELLS, base_name},
};

/// What facets are decided from.
pub(crate) struct Known<'a> {
    pub(crate) explorer: &'a Explorer<'a>,
    pub(crate) main: Option<&'a Launch>,
    pub(crate) closure: Option<&'a Closure>,
    pub(crate) claims: &'a [Claims<'a>],
    pub(crate) has_health_check: bool,
}

/// Adds denials from what the closure does not import, then all facets.
pub(crate) fn add(draft: &mut Draft, known: &Known<'_>) {
    add_negative_evidence(draft, known);
    add_exec(draft, known);
    add_listen(draft, known);
    add_write(draft, known);
    add_connect_become_load(draft, known);
}

impl Known<'_> {
    /// The reason why packs close a pair. With several services each of them must.
    fn pack_closes(&self, verb: Verb, phase: Phase) -> Option<String> {
        let services = &self.explorer.services;
        let has_pack = |launch: &Launch| self.claims.iter().any(|claims| std::ptr::eq(claims.launch(), launch));
        let is_known = services.iter().all(has_pack) && self.main.is_some_and(has_pack);
        if !services.is_empty() && !is_known {
            return None;
        }
        let reasons: Option<Vec<String>> = self.claims.iter().map(|claims| claims.closes(verb, phase)).collect();
        reasons
            .filter(|reasons| !reasons.is_empty())
            .map(|reasons| reasons.join("; "))
    }

    fn doubt(&self) -> Option<&str> {
        self.claims.iter().find_map(Claims::doubt)
    }

    /// What the closure cannot do, how sure that is, and why.
    fn cannot(&self, verb: Verb) -> Option<(Confidence, String)> {
        // Only the main program's closure is known.
        let closure = self
            .closure
            .filter(|closure| closure.is_complete && self.explorer.services.is_empty())?;
        let (imports, what) = match verb {
            Verb::Exec => (closure.imports.exec, "execve, posix_spawn, system or popen"),
            // Name lookup connects from inside the C library.
            Verb::Connect => (closure.imports.connect, "connect or sendto"),
            Verb::Listen => (closure.imports.listen, "listen or accept"),
            Verb::Become => (closure.imports.become_user, "setuid and its kin"),
            Verb::Load => (closure.imports.dlopen, "dlopen"),
            Verb::Write => return None,
        };
        if imports {
            return None;
        }
        let mut confidence = Confidence::A;
        let mut text = format!(
            "neither the main program nor its {} libraries import {what}",
            closure.libraries.len()
        );
        for (has, group, name) in [
            (closure.imports.dlopen, "dlopen", "dlopen"),
            (closure.imports.raw_syscall, "raw_syscall", "syscall"),
        ] {
            if has && verb != Verb::Load {
                confidence = Confidence::B;
                text.push_str(&format!("; {} imports {name}", closure.importers[group]));
            }
        }
        if verb == Verb::Connect {
            confidence = Confidence::B;
        }
        Some((confidence, text))
    }
}

fn add_negative_evidence(draft: &mut Draft, known: &Known<'_>) {
    let Some(main) = known.main else {
        return;
    };
    for verb in [Verb::Exec, Verb::Listen, Verb::Connect] {
        // What the image itself says that it does is not denied.
        let is_claimed = draft.facts().iter().any(|fact| {
            fact.action.verb() == verb
                && fact.phases.contains(&Phase::Serving)
                && (verb != Verb::Exec || fact.subject == Subject::Program(main.program.clone()))
        });
        if let Some((confidence, reason)) = known.cannot(verb).filter(|_| !is_claimed) {
            draft.deny(Denial {
                subject: Subject::Program(main.program.clone()),
                verb,
                object: None,
                phases: vec![Phase::Serving],
                evidence: vec![image(reason)],
                confidence,
            });
            if verb == Verb::Connect {
                declared::add_name_lookup(draft, &Subject::Program(main.program.clone()));
            }
        }
    }
}

fn add_exec(draft: &mut Draft, known: &Known<'_>) {
    let openings = &known.explorer.openings;
    let opening = openings.iter().next().map(|opening| {
        let more = if openings.len() > 1 {
            format!(" (and {} more)", openings.len() - 1)
        } else {
            String::new()
        };
        format!("{}: {}{more}", opening.place, opening.what)
    });
    let entrypoint = (known.pack_closes(Verb::Exec, Phase::Entrypoint), &opening);
    match entrypoint {
        (Some(reason), None) => draft.facet(Verb::Exec, Phase::Entrypoint, FacetState::Closed, reason),
        (Some(reason), Some(opening)) => {
            draft.facet(
                Verb::Exec,
                Phase::Entrypoint,
                FacetState::Closed,
                format!("{reason}; although {opening}"),
            );
        }
        (None, Some(opening)) => draft.facet(Verb::Exec, Phase::Entrypoint, FacetState::Open, opening.clone()),
        (None, None) if known.explorer.edges.is_empty() => {
            draft.facet(
                Verb::Exec,
                Phase::Entrypoint,
                FacetState::Open,
                "the image names no command that it has",
            );
        }
        (None, None) => {
            let reason = "every command of the entry scripts is known";
            draft.facet(Verb::Exec, Phase::Entrypoint, FacetState::Closed, reason);
        }
    }
    add_serving_exec(draft, known, opening.is_some());
    draft.facet(
        Verb::Exec,
        Phase::Session,
        FacetState::Closed,
        "nobody is expected to start programs in a running container",
    );
    let reason = match known.has_health_check {
        true => "a probe runs the image's health check and what that starts",
        false => "the image has no health check",
    };
    draft.facet(Verb::Exec, Phase::Probe, FacetState::Closed, reason);
}

fn add_serving_exec(draft: &mut Draft, known: &Known<'_>, is_open: bool) {
    match known.main {
        None => draft.facet(
            Verb::Exec,
            Phase::Serving,
            FacetState::Open,
            "the main program is not known",
        ),
        Some(main) => {
            let is_shell = SHELLS.contains(&base_name(&main.program.path.0)) && main.program.applet.is_none();
            let is_script = known.explorer.chain.contains(&main.program);
            let reason = match known
                .pack_closes(Verb::Exec, Phase::Serving)
                .or_else(|| known.cannot(Verb::Exec).map(|(_, reason)| reason))
            {
                Some(reason) => Some(reason),
                None if is_shell || is_script && is_open => None,
                None => Some(format!(
                    "the main program {} is known; what it starts must be a fact",
                    program_text(&main.program)
                )),
            };
            match reason {
                Some(reason) => draft.facet(Verb::Exec, Phase::Serving, FacetState::Closed, reason),
                None => draft.facet(
                    Verb::Exec,
                    Phase::Serving,
                    FacetState::Open,
                    "the main program is a shell",
                ),
            }
        }
    }
}

fn add_listen(draft: &mut Draft, known: &Known<'_>) {
    let strong = draft.facts().iter().filter(|fact| {
        fact.action.verb() == Verb::Listen && fact.confidence <= Confidence::B && fact.phases.contains(&Phase::Serving)
    });
    let count = strong.count();
    let reason = known
        .pack_closes(Verb::Listen, Phase::Serving)
        .or_else(|| (count > 0).then(|| "the image declares its ports".to_owned()))
        .or_else(|| known.cannot(Verb::Listen).map(|(_, reason)| reason));
    match reason.filter(|_| known.doubt().is_none() || count > 0) {
        Some(reason) => {
            for phase in [Phase::Entrypoint, Phase::Serving, Phase::Session] {
                draft.facet(Verb::Listen, phase, FacetState::Closed, reason.clone());
            }
        }
        None => draft.facet(
            Verb::Listen,
            Phase::Serving,
            FacetState::Open,
            "no strong fact about ports",
        ),
    }
}

fn add_write(draft: &mut Draft, known: &Known<'_>) {
    let has_volume = draft.facts().iter().any(|fact| {
        fact.action.verb() == Verb::Write
            && fact
                .evidence
                .iter()
                .any(|evidence| evidence.detail.starts_with("VOLUME"))
    });
    let reason = known
        .pack_closes(Verb::Write, Phase::Serving)
        .or_else(|| has_volume.then(|| "the image declares where its data is (VOLUME)".to_owned()));
    match (reason, known.doubt()) {
        (Some(reason), None) => draft.facet(Verb::Write, Phase::Serving, FacetState::Closed, reason),
        (_, Some(doubt)) => draft.facet(Verb::Write, Phase::Serving, FacetState::Open, doubt),
        (None, None) => draft.facet(
            Verb::Write,
            Phase::Serving,
            FacetState::Open,
            "no strong fact about files that are written",
        ),
    }
    if let Some(reason) = known.pack_closes(Verb::Write, Phase::Entrypoint) {
        draft.facet(Verb::Write, Phase::Entrypoint, FacetState::Closed, reason);
    }
}

fn add_connect_become_load(draft: &mut Draft, known: &Known<'_>) {
    let dials = draft.facts().iter().any(|fact| {
        fact.action.verb() == Verb::Connect && fact.phases.contains(&Phase::Serving) && fact.confidence < Confidence::C
    });
    let connect = known
        .pack_closes(Verb::Connect, Phase::Serving)
        .or_else(|| known.cannot(Verb::Connect).filter(|_| !dials).map(|(_, reason)| reason));
    match connect {
        Some(reason) => draft.facet(Verb::Connect, Phase::Serving, FacetState::Closed, reason),
        None => draft.facet(
            Verb::Connect,
            Phase::Serving,
            FacetState::Open,
            known.doubt().unwrap_or("no strong fact about outgoing connections"),
        ),
    }
    let becomes = known
        .pack_closes(Verb::Become, Phase::Serving)
        .or_else(|| known.cannot(Verb::Become).map(|(_, reason)| reason));
    match becomes {
        Some(reason) => draft.facet(Verb::Become, Phase::Serving, FacetState::Closed, reason),
        None => draft.facet(
            Verb::Become,
            Phase::Serving,
            FacetState::Open,
            "the main program can change its user",
        ),
    }
    match (known.cannot(Verb::Load), known.closure) {
        (Some((_, reason)), _) => draft.facet(Verb::Load, Phase::Serving, FacetState::Closed, reason),
        (None, Some(closure)) => {
            let reason = match (closure.importers.get("dlopen"), closure.missing.iter().next()) {
                (Some(path), _) => format!("{path} imports dlopen"),
                (None, Some(name)) => format!("{name} is not in the image"),
                (None, None) => "the main program is static, or its libraries are not known".to_owned(),
            };
            draft.facet(Verb::Load, Phase::Serving, FacetState::Open, reason);
        }
        (None, None) => draft.facet(
            Verb::Load,
            Phase::Serving,
            FacetState::Open,
            "the main program is not known",
        ),
    }
}
