//! Merged tree and image config in, expected-behaviour profile out. Pure: reads nothing but its arguments.
//!
//! ```text
//! config ─► explorer (scripts, wrappers, shebangs) ─► edges, entry chain, main program ─► exec, become, write facts
//!                                    main program ─► closure ─► load facts, what it cannot do
//!                                                 └► packs ─► settings (files, arguments) ─► claims ─► facts, denials
//! config (EXPOSE, VOLUME, USER, HEALTHCHECK) ─► declared ─► facts          all of it ─► facets: judged or learned
//! ```

use std::time::Instant;

use plimsoll_model::{
    Action, Confidence, Denial, Facet, Fact, ImageConfig, ImageIdentity, Note, NoteKind, PathPattern, Phase, Profile,
    Sbom, Subject, schema,
};
use plimsoll_rules::packs::Pack;

use crate::{Tree, pod::PodContainer};

mod accounts;
mod claims;
mod closure;
mod content;
mod declared;
mod draft;
mod explorer;
mod facets;
mod limits;
mod lookup;
mod pod;
mod services;
mod settings;
mod shell;
#[cfg(test)]
mod testing;
mod value;
mod view;
mod walk;
mod wrappers;

pub use content::wants_content;
pub use pod::{build_in_pod, config_in_pod};
pub use view::view;

use claims::Claims;
use closure::Closure;
use draft::{Draft, image, program_text};
use explorer::{Call, Explorer, Launch};
use lookup::Lookup;
use value::Value;

/// What a profile is derived from.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// Which image.
    pub image: &'a ImageIdentity,
    /// How it is run.
    pub config: &'a ImageConfig,
    /// Its files.
    pub tree: &'a Tree,
    /// Its packages.
    pub sbom: &'a Sbom,
    /// What is known of software: [`plimsoll_rules::packs::shipped`].
    pub packs: &'a [Pack],
}

/// What the image's container should do, and what could not be read while finding out.
pub fn build(input: &Input<'_>) -> (Profile, Vec<Note>) {
    let begun = Instant::now();
    let built = derive(input, None);
    tracing::debug!(
        image = %input.image.reference,
        facts = built.0.facts.len(),
        milliseconds = begun.elapsed().as_secs_f64() * 1e3,
        "profile derived"
    );
    built
}

fn derive(input: &Input<'_>, pod: Option<&PodContainer>) -> (Profile, Vec<Note>) {
    let lookup = Lookup::new(input.tree, input.config);
    let mut notes = Vec::new();
    let mut explorer = explore_command(input, pod, &lookup, &mut notes);
    services::follow(&mut explorer);
    let main = explorer.main.take();
    let mut draft = Draft::default();

    let user = pod.and_then(pod::user_evidence);
    declared::add(&mut draft, input, &lookup, user);
    let probes = pod.map_or_else(Vec::new, |pod| {
        pod::add(&mut draft, pod, &lookup);
        pod::add_probes(&mut draft, pod, &lookup, &mut notes)
    });
    add_edges(&mut draft, &explorer, main.as_ref());
    let health_check = add_health_check(&mut draft, input, &lookup, &mut notes);
    let closure = main.as_ref().and_then(|launch| {
        let entry = input.tree.get(&launch.program.path.0)?;
        Some(closure::follow(&lookup, entry))
    });
    if let (Some(launch), Some(closure)) = (&main, &closure) {
        add_closure(&mut draft, launch, closure);
    }
    let claims: Vec<Claims<'_>> = main
        .iter()
        .chain(&explorer.services)
        .flat_map(|launch| input.packs.iter().map(move |pack| (pack, launch)))
        .filter_map(|(pack, launch)| Claims::new(pack, input, &lookup, launch, &explorer))
        .collect();
    for claims in &claims {
        claims.add(&mut draft);
    }
    for claims in claims.iter().filter(|_| explorer.services.is_empty()) {
        claims.narrow(&mut draft);
    }
    let known = facets::Known {
        explorer: &explorer,
        main: main.as_ref(),
        closure: closure.as_ref(),
        claims: &claims,
        has_health_check: health_check.is_some() || !probes.is_empty(),
    };
    facets::add(&mut draft, &known);
    if claims.is_empty() {
        add_user_folders(&mut draft, input, &lookup, main.as_ref());
    }

    notes.extend(explorer.notes.iter().cloned());
    let packs = claims.iter().map(Claims::title).collect();
    let (facts, denials, facets) = raise_agreed(draft).finish();
    let profile = profile(
        input,
        main,
        explorer.chain,
        (health_check, probes),
        packs,
        (facts, denials, facets),
    );
    (profile, notes)
}

fn profile(
    input: &Input<'_>,
    main: Option<Launch>,
    entrypoint: Vec<plimsoll_model::Program>,
    (health_check, probes): (Option<Vec<String>>, Vec<Vec<String>>),
    packs: Vec<String>,
    (facts, denials, facets): (Vec<Fact>, Vec<Denial>, Vec<Facet>),
) -> Profile {
    Profile {
        schema: schema::PROFILE.to_owned(),
        image: input.image.reference.clone(),
        config_digest: input.image.config_digest,
        manifest_digest: input.image.manifest_digest,
        main: main.map(|launch| launch.program),
        entrypoint,
        health_check,
        probes,
        packs,
        facts,
        denials,
        facets,
    }
}

/// Follows ENTRYPOINT and CMD.
fn explore_command<'a>(
    input: &Input<'_>,
    pod: Option<&PodContainer>,
    lookup: &'a Lookup<'a>,
    notes: &mut Vec<Note>,
) -> Explorer<'a> {
    let mut explorer = Explorer::new(lookup);
    let argv: Vec<&String> = input.config.entrypoint.iter().chain(&input.config.cmd).collect();
    let Some((name, arguments)) = argv.split_first() else {
        explorer.open("config", "the image names no command");
        return explorer;
    };
    let arguments: Vec<Value> = arguments.iter().map(|text| Value::from(text.as_str())).collect();
    let instruction = if input.config.entrypoint.is_empty() {
        "CMD"
    } else {
        "ENTRYPOINT"
    };
    let by_pod = pod.and_then(|pod| pod::first_reason(pod, name));
    let call = Call::first(by_pod.unwrap_or_else(|| format!("{instruction} {name}")));
    if lookup.find(name, &[]).is_none() {
        let detail = format!("{instruction} {name} is no executable of the image");
        explorer.open("config", &detail);
        notes.push(Note::new(NoteKind::Hint, "config", detail));
        return explorer;
    }
    explorer.run(name, &arguments, &call);
    explorer
}

/// Facts from what the entry scripts start, write and become.
fn add_edges(draft: &mut Draft, explorer: &Explorer<'_>, main: Option<&Launch>) {
    let is_main = |program: &plimsoll_model::Program| main.is_some_and(|launch| &launch.program == program);
    for edge in &explorer.edges {
        let mut phases = vec![Phase::Entrypoint];
        if edge.from.is_none() {
            phases.insert(0, Phase::Init);
        }
        // The exec of the main program is where one phase ends and the next begins; a script that is the main program
        // itself starts its commands in the next.
        if is_main(&edge.to) || edge.from.as_ref().is_some_and(is_main) || edge.serves {
            phases.push(Phase::Serving);
        }
        let subject = edge.from.clone().map_or(Subject::Any, Subject::Program);
        draft.fact(
            subject,
            Action::Exec(edge.to.clone()),
            &phases,
            pod::said(edge.because.clone()),
            edge.confidence,
        );
    }
    for (program, identity, because) in &explorer.becomes {
        let subject = Subject::Program(program.clone());
        draft.fact(
            subject,
            Action::Become(identity.clone()),
            &[Phase::Entrypoint],
            pod::said(because.clone()),
            Confidence::A,
        );
    }
    for write in &explorer.writes {
        let path = PathPattern(explorer.lookup.resolve(&write.path));
        let evidence = pod::said(write.because.clone());
        draft.fact(
            Subject::Any,
            Action::Write(path),
            &[Phase::Entrypoint],
            evidence,
            Confidence::C,
        );
    }
}

/// Facts of the health check; its argument vector as the runtime starts it.
fn add_health_check(
    draft: &mut Draft,
    input: &Input<'_>,
    lookup: &Lookup<'_>,
    notes: &mut Vec<Note>,
) -> Option<Vec<String>> {
    let test = &input.config.health_check.as_ref()?.test;
    let argv: Vec<String> = match test.split_first() {
        Some((kind, argv)) if kind == "CMD" => argv.to_vec(),
        Some((kind, text)) if kind == "CMD-SHELL" => ["/bin/sh", "-c"]
            .iter()
            .map(|word| (*word).to_owned())
            .chain(text.iter().cloned())
            .collect(),
        _ => return None,
    };
    let (name, arguments) = argv.split_first()?;
    let mut explorer = Explorer::new(lookup);
    let arguments: Vec<Value> = arguments.iter().map(|text| Value::from(text.as_str())).collect();
    explorer.run(
        name,
        &arguments,
        &Call::first(format!("HEALTHCHECK {}", argv.join(" "))),
    );
    add_probe_edges(draft, &explorer);
    notes.extend(explorer.notes.iter().cloned());
    declared::add_probe(draft);
    Some(argv)
}

/// What a command leads to that is started from outside to see how the container is.
fn add_probe_edges(draft: &mut Draft, explorer: &Explorer<'_>) {
    for edge in &explorer.edges {
        let subject = edge.from.clone().map_or(Subject::Any, Subject::Program);
        draft.fact(
            subject,
            Action::Exec(edge.to.clone()),
            &[Phase::Probe],
            pod::said(edge.because.clone()),
            edge.confidence,
        );
    }
    if let Some(opening) = explorer.openings.iter().next() {
        let reason = format!("{}: {}", opening.place, opening.what);
        draft.facet(
            plimsoll_model::Verb::Exec,
            Phase::Probe,
            plimsoll_model::FacetState::Open,
            reason,
        );
    }
}

fn add_closure(draft: &mut Draft, launch: &Launch, closure: &Closure) {
    for (path, parent) in &closure.libraries {
        let subject = Subject::Program(launch.program.clone());
        let evidence = image(format!("needed by {parent}"));
        draft.fact(
            subject,
            Action::Load(PathPattern(path.clone())),
            &[],
            evidence,
            Confidence::A,
        );
    }
    if closure.uses_musl {
        declared::add_resolver(draft);
    }
}

/// Folders that the user who runs the main program may write to.
fn add_user_folders(draft: &mut Draft, input: &Input<'_>, lookup: &Lookup<'_>, main: Option<&Launch>) {
    let user = main.and_then(|launch| launch.user.clone());
    let user = user.or_else(|| accounts::find(lookup, &input.config.user).map(|account| account.identity));
    if let Some(user) = user {
        let name = user.name.clone().unwrap_or_else(|| user.uid.to_string());
        declared::add_writable_folders(draft, input, user.uid, &name);
    }
}

/// A port that EXPOSE and a pack or setting agree on is sure.
fn raise_agreed(draft: Draft) -> Draft {
    draft.raising(|fact| {
        let sources: std::collections::BTreeSet<_> = fact.evidence.iter().map(|evidence| evidence.source).collect();
        matches!(fact.action, Action::Listen(_)) && sources.len() > 1
    })
}

/// The main program for people; for logs.
pub(crate) fn main_text(profile: &Profile) -> String {
    profile
        .main
        .as_ref()
        .map_or_else(|| "not known".to_owned(), program_text)
}

#[cfg(test)]
mod tests;
