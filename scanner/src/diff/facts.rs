//! Facts of two profiles in, changes out. Evidence and confidence may differ without the behaviour being another one.

use std::collections::BTreeMap;

use plimsoll_model::{Action, Fact, PeerScope, PortSpec, Profile, Program, Subject, Transport};

use super::{Area, Change};

pub(super) fn facts(from: &Profile, to: &Profile, changes: &mut Vec<Change>) {
    let (old, new) = (lines(from), lines(to));
    for (line, evidence) in &new {
        if !old.contains_key(line) {
            changes.push(Change {
                area: Area::Profile,
                name: line.clone(),
                before: None,
                after: Some((*evidence).to_owned()),
                // A library is mapped because a program needs it, which is a change of its own.
                is_worse: !line.contains(" loads "),
            });
        }
    }
    for (line, evidence) in &old {
        if !new.contains_key(line) {
            changes.push(Change {
                area: Area::Profile,
                name: line.clone(),
                before: Some((*evidence).to_owned()),
                after: None,
                is_worse: false,
            });
        }
    }
}

/// What each fact says, with its first evidence.
fn lines(profile: &Profile) -> BTreeMap<String, &str> {
    let mut all = BTreeMap::new();
    for fact in &profile.facts {
        all.entry(fact_words(fact))
            .or_insert(fact.evidence.first().map_or("", |first| first.detail.as_str()));
    }
    all
}

fn program(program: &Program) -> String {
    match &program.applet {
        None => program.path.to_string(),
        Some(plimsoll_model::Applet::Name(name)) => format!("{} as {name}", program.path),
        Some(plimsoll_model::Applet::Script(script)) => format!("{} running {script}", program.path),
    }
}

fn ports(spec: &PortSpec) -> String {
    let transport = match spec.transport {
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
        Transport::Other => "other",
    };
    match spec.first == spec.last {
        true => format!("{transport}/{}", spec.first),
        false => format!("{transport}/{}-{}", spec.first, spec.last),
    }
}

/// A fact as a line for people: `/usr/bin/redis-server listens on tcp/6379 (serving)`. Hostile text: escape it.
pub fn fact_words(fact: &Fact) -> String {
    let who = match &fact.subject {
        Subject::Any => "any process".to_owned(),
        Subject::Program(subject) => program(subject),
    };
    let does = match &fact.action {
        Action::Exec(started) => format!("starts {}", program(started)),
        Action::Load(path) => format!("loads {path}"),
        Action::Listen(spec) => format!("listens on {}", ports(spec)),
        Action::Connect(peer) => {
            let whom = match peer.scope {
                PeerScope::Loopback => "itself",
                PeerScope::Private => "private networks",
                PeerScope::Public => "public networks",
                PeerScope::Any => "anybody",
            };
            let port = peer
                .port
                .as_ref()
                .map_or(String::new(), |spec| format!(" at {}", ports(spec)));
            format!("connects to {whom}{port}")
        }
        Action::Write(path) => format!("writes {path}"),
        Action::Become(user) => match &user.name {
            Some(name) => format!("becomes {name} ({})", user.uid),
            None => format!("becomes user {}", user.uid),
        },
    };
    let phases: Vec<String> = fact
        .phases
        .iter()
        .map(|phase| format!("{phase:?}").to_lowercase())
        .collect();
    match phases.is_empty() {
        true => format!("{who} {does}"),
        false => format!("{who} {does} ({})", phases.join(", ")),
    }
}
