//! One event with what speaks against it in, an alert that explains itself out.

use std::sync::Arc;

use plimsoll_model::{
    Alert, AlertImage, Confidence, Event, EventKind, ExecutableOrigin, ExpectedFact, MAX_EXPECTED, Reason,
    SocketAddress, Transport, schema,
};
use plimsoll_policy::{Deviation, escape, quote_arguments, telling_capability};
use plimsoll_rules::{Observation, Priority, Rule};
use sha2::{Digest as _, Sha256};

use crate::{pipeline::outcome, raw::Verdict};

mod ancestry;
mod causes;

use ancestry::{ancestry, summarise};
pub(crate) use causes::{Causes, Told};

/// An alert before it is known whether it is news.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    /// The alert as it would be told.
    pub(crate) alert: Alert,
    /// Its priority as a value.
    pub(crate) priority: Priority,
    /// Container, title, subject and object: alerts that agree in these are one.
    pub(crate) key: CauseKey,
    /// What this process and its children do next is a consequence: it should not run at all.
    pub(crate) is_tree: bool,
    /// The file that was written, where that may be the first half of one act.
    pub(crate) written: Option<String>,
    /// The files that were run: executable and script.
    pub(crate) run: Vec<String>,
}

/// See [`Draft::key`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct CauseKey {
    pub(crate) container: Option<String>,
    pub(crate) title: String,
    pub(crate) subject: String,
    pub(crate) object: String,
}

/// What an alert is made of.
pub(crate) struct Material<'a> {
    pub(crate) event: &'a Event,
    /// Of the event's kinds that alert: none of confidence C.
    pub(crate) deviations: &'a [Deviation],
    pub(crate) rules: &'a [&'a Rule],
    pub(crate) observation: &'a Observation<'a>,
    pub(crate) origin: Option<&'a Arc<ExecutableOrigin>>,
    pub(crate) node: &'a str,
    pub(crate) boot_id: &'a str,
    pub(crate) boot_offset_ns: u64,
    pub(crate) lost_events: u64,
    /// What a policy in the kernel made of it.
    pub(crate) verdict: Option<Verdict>,
    /// How many ancestors belong to the container; `None` on the host.
    pub(crate) inside_ancestors: Option<usize>,
}

/// Puts an alert together; `None` when nothing speaks against the event.
pub(crate) fn draft(material: &Material<'_>) -> Option<Draft> {
    let event = material.event;
    let mut found: Vec<Found<'_>> = material.deviations.iter().map(Found::Deviation).collect();
    found.extend(material.rules.iter().map(|rule| Found::Rule(rule)));
    found.sort_by_key(Found::rank);
    let top = found.first()?;
    let priority = top.priority();
    let observed = observed(event);
    let mut summary = match top {
        Found::Deviation(deviation) => deviation.summary.clone(),
        Found::Rule(rule) => match rule.output(material.observation) {
            output if output.is_empty() => format!("{}: {observed}", rule.name()),
            output => output,
        },
    };
    summary.push_str(outcome(event, material.verdict));
    let title = top.title().to_owned();
    let container = event.container.as_deref();
    let image = container.and_then(|container| container.image.as_ref());
    let alert = Alert {
        schema: schema::ALERT.to_owned(),
        id: id(material),
        time_ns: event.time_ns,
        priority: priority.as_str().to_owned(),
        rule: title.clone(),
        summary: escape(&summary),
        reasons: found.iter().map(|one| one.reason(material.observation)).collect(),
        node: material.node.to_owned(),
        container_id: container.map(|container| container.id.clone()),
        container_name: container.map(|container| container.name.clone()),
        runtime: container.map(|container| container.runtime),
        image: image.map(|image| AlertImage {
            reference: image.reference.clone(),
            manifest_digest: image.manifest_digest,
            config_digest: image.config_digest,
        }),
        pod: container.and_then(|container| container.pod.clone()),
        phase: event.phase,
        process: Some(summarise(&event.process)),
        ancestry: ancestry(&event.process, material.inside_ancestors),
        observed: observed.clone(),
        expected: expected(material.deviations),
        executable: material.origin.map(|origin| (**origin).clone()),
        techniques: techniques(&found),
        lost_events: material.lost_events,
        allow: material
            .deviations
            .first()
            .and_then(|deviation| deviation.allow.clone()),
        follow_ups: Vec::new(),
        count: 1,
    };
    Some(Draft {
        key: CauseKey {
            container: alert.container_id.clone(),
            title,
            subject: subject(event),
            object: object(event, observed),
        },
        alert,
        priority,
        is_tree: matches!(event.kind, EventKind::Exec { .. }),
        written: written(event).map(str::to_owned),
        run: run(event),
    })
}

/// One thing that speaks against an event.
enum Found<'a> {
    Deviation(&'a Deviation),
    Rule(&'a Rule),
}

impl Found<'_> {
    /// Worst first; among equals a deviation, since it explains most, and the most telling kind.
    fn rank(&self) -> (Priority, usize, u8) {
        match self {
            Self::Deviation(deviation) => (deviation.priority, 0, deviation.kind as u8),
            Self::Rule(rule) => (rule.priority(), 1, 0),
        }
    }

    fn priority(&self) -> Priority {
        self.rank().0
    }

    fn title(&self) -> &str {
        match self {
            Self::Deviation(deviation) => deviation.kind.as_str(),
            Self::Rule(rule) => rule.name(),
        }
    }

    fn reason(&self, observation: &Observation<'_>) -> Reason {
        match self {
            Self::Deviation(deviation) => deviation.reason(),
            Self::Rule(rule) => Reason::Rule {
                name: rule.name().to_owned(),
                output: rule.output(observation),
                condition: rule.condition_text().to_owned(),
                values: rule.values(observation),
                tags: rule.tags().to_vec(),
                priority: rule.priority().as_str().to_owned(),
            },
        }
    }
}

/// Deviations that are worth an alert.
pub(crate) fn alerting(deviations: Vec<Deviation>) -> Vec<Deviation> {
    deviations
        .into_iter()
        .filter(|deviation| deviation.confidence < Confidence::C)
        .collect()
}

/// What a process did, in a few words; hostile text escaped.
pub(crate) fn observed(event: &Event) -> String {
    match &event.kind {
        EventKind::Exec { .. } => {
            let process = &event.process;
            let rest = quote_arguments(process.args.get(1..).unwrap_or_default());
            format!("exec {} {rest}", escape(&process.exe)).trim_end().to_owned()
        }
        EventKind::Fork { child } => format!("fork {}", child.key.pid),
        EventKind::Exit { status } => format!("exit {status}"),
        EventKind::Open {
            path, access, created, ..
        } => {
            let verb = match (access.can_write(), created) {
                (true, true) => "create",
                (true, false) => "write",
                (false, _) => "read",
            };
            format!("{verb} {}", escape(path))
        }
        EventKind::Connect { address, transport, .. } => format!("connect {}", socket(*address, *transport)),
        EventKind::Bind { address, transport } => format!("bind {}", socket(*address, *transport)),
        EventKind::Listen { address, transport } => format!("listen {}", socket(*address, *transport)),
        EventKind::Load { path, .. } => format!("load {}", escape(path)),
        EventKind::ConnectLocal { path } => format!("connect {}", escape(path)),
        EventKind::UseCapability { number } => match telling_capability(*number) {
            Some(name) => format!("use {name}"),
            None => format!("use capability {number}"),
        },
        EventKind::Lost { count, .. } => format!("lost {count} events"),
        EventKind::Call(call) => format!("{} {}", call.call.as_str(), quote_arguments(&call.texts))
            .trim_end()
            .to_owned(),
        _ => "an event of a kind without words".to_owned(),
    }
}

fn socket(address: SocketAddress, transport: Transport) -> String {
    let transport = match transport {
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
        Transport::Other => "ip",
    };
    format!("{transport} {}", std::net::SocketAddr::new(address.ip, address.port))
}

/// Who is asked to explain: for an exec the program before it.
fn subject(event: &Event) -> String {
    match &event.kind {
        EventKind::Exec { previous, .. } => previous.exe.clone(),
        _ => event.process.exe.clone(),
    }
}

/// What makes two acts the same: for files their folder, so that a thousand files in one place are one alert; for served
/// ports the port, whichever address family.
fn object(event: &Event, observed: String) -> String {
    match &event.kind {
        EventKind::Exec { .. } => run(event).join(" "),
        EventKind::Bind { address, transport } | EventKind::Listen { address, transport } => {
            format!("{transport:?} {}", address.port)
        }
        EventKind::Open { path, .. } => path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned(),
        _ => observed,
    }
}

fn written(event: &Event) -> Option<&str> {
    match &event.kind {
        EventKind::Open { path, access, .. } if access.can_write() => Some(path),
        _ => None,
    }
}

fn run(event: &Event) -> Vec<String> {
    match &event.kind {
        EventKind::Exec { filename, .. } => {
            let mut files = vec![event.process.exe.clone()];
            if *filename != event.process.exe {
                files.push(filename.clone());
            }
            files
        }
        EventKind::Load { path, .. } => vec![path.clone()],
        _ => Vec::new(),
    }
}

fn expected(deviations: &[Deviation]) -> Vec<ExpectedFact> {
    let mut facts: Vec<ExpectedFact> = Vec::new();
    for fact in deviations.iter().flat_map(|deviation| &deviation.expected) {
        if facts.len() < MAX_EXPECTED && !facts.contains(fact) {
            facts.push(fact.clone());
        }
    }
    facts
}

fn techniques(found: &[Found<'_>]) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    let mut add = |id: &str| {
        if !ids.iter().any(|known| known == id) {
            ids.push(id.to_owned());
        }
    };
    for one in found {
        match one {
            Found::Deviation(deviation) => deviation.kind.techniques().iter().copied().for_each(&mut add),
            Found::Rule(rule) => rule.techniques().for_each(&mut add),
        }
    }
    ids
}

/// From what the kernel said, so that a restart and a replay give the same.
fn id(material: &Material<'_>) -> String {
    let event = material.event;
    let mut hasher = Sha256::new();
    hasher.update(material.boot_id.as_bytes());
    for number in [
        event.time_ns.saturating_sub(material.boot_offset_ns),
        u64::from(event.cpu),
        u64::from(event.process.key.pid.unsigned_abs()),
        event.process.key.start_time_ns,
    ] {
        hasher.update(number.to_le_bytes());
    }
    let bytes = hasher.finalize();
    bytes.iter().take(12).map(|byte| format!("{byte:02x}")).collect()
}
