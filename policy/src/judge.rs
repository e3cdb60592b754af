//! One event and its container's profile in, a judgement out.
//!
//! An event (subject, verb, object, phase) is expected when a fact matches it. Else a denial, or a closed facet, makes it
//! a deviation. Else it is not judged. What the image's inventory proves (a program that the image does not hold, a
//! write over one that it does hold) is a deviation even where the facet is open.

use plimsoll_model::{
    Action, Applet, Call, Confidence, Credentials, Event, EventKind, Evidence, EvidenceSource, ExpectedFact, Fact,
    MAX_EXPECTED, PathPattern, Peer, PeerScope, Phase, PortSpec, Process, SocketAddress, Subject, SystemCall,
    Transport, Verb,
};

use crate::{
    CompiledProfile, Deviation, DeviationKind, KnownFiles,
    address::scope_of,
    deviation::connect_priority,
    exec,
    files::parent_of,
    identity, load, local,
    program::{identify, script_of},
    text::{escape, evidence_words, expected_fact, expects_nothing, phase_words, scope_words, transport_words},
};

/// What is known around an event.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Files of the image that can run; empty when there is no scan.
    pub files: &'a KnownFiles,
    /// For an exec: how the process came to it.
    pub entry: Entry,
    /// Who the process was when it was last seen, where it has become somebody else since; `None`: it has not.
    pub before: Option<Credentials>,
}

/// How a process came to execute a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// A process of the container asked for it.
    Inside,
    /// It is the container's first program: the runtime asked for it.
    First,
    /// Somebody outside asked for it, while the container ran.
    Outside,
}

/// What a profile says of an event.
#[derive(Debug, Clone, PartialEq)]
pub enum Judgement {
    /// A fact expects it.
    Expected,
    /// The profile has nothing to say about it.
    NotJudged,
    /// It is not expected: at least one deviation, the most telling first.
    Deviates(Vec<Deviation>),
}

/// Judges one event of a container by its image's profile.
pub fn judge(profile: &CompiledProfile, event: &Event, context: Context<'_>) -> Judgement {
    let Some(phase) = event.phase.filter(|phase| *phase != Phase::Init) else {
        return Judgement::NotJudged;
    };
    let case = |subject| Case {
        profile,
        files: context.files,
        phase,
        subject,
    };
    let judgement = match &event.kind {
        EventKind::Exec { previous, filename } => exec::judge(&case(previous), &event.process, filename, context.entry),
        EventKind::Connect { address, transport, .. } => judge_connect(&case(&event.process), *address, *transport),
        EventKind::Bind { address, transport } if *transport != Transport::Tcp => {
            judge_listen(&case(&event.process), *address, *transport)
        }
        // A bound TCP socket that never listens serves nobody; one that does is judged when it does.
        EventKind::Listen { address, transport } => judge_listen(&case(&event.process), *address, *transport),
        EventKind::Open { path, access, .. } if access.can_write() => judge_write(&case(&event.process), path),
        EventKind::Call(call) => judge_placed(&case(&event.process), call),
        EventKind::Load { path, file } => load::judge(&case(&event.process), path, *file),
        EventKind::ConnectLocal { path } => local::judge(&case(&event.process), path),
        EventKind::UseCapability { number } => identity::judge_capability(&case(&event.process), *number),
        _ => Judgement::NotJudged,
    };
    match &context.before {
        Some(before) => identity::judge_change(&case(&event.process), event, (before, context.entry), judgement),
        None => judgement,
    }
}

/// Who does something when: what all verbs need.
pub(crate) struct Case<'a> {
    pub(crate) profile: &'a CompiledProfile,
    pub(crate) files: &'a KnownFiles,
    pub(crate) phase: Phase,
    /// Who asks: for an exec, the program before it.
    pub(crate) subject: &'a Process,
}

/// Why something is not expected.
pub(crate) struct Against {
    pub(crate) confidence: Confidence,
    pub(crate) evidence: Vec<Evidence>,
    /// A sentence.
    pub(crate) because: String,
}

impl<'a> Case<'a> {
    pub(crate) fn subject_name(&self) -> String {
        match script_of(self.subject) {
            Some(script) => escape(script.rsplit('/').next().unwrap_or(&script)),
            None => escape(self.profile.display_name(self.subject)),
        }
    }

    /// What speaks against this verb here: a denial, else a closed facet.
    pub(crate) fn against(&self, verb: Verb, object: Option<&str>) -> Option<Against> {
        if let Some(denial) = self.profile.find_denial(verb, self.subject, self.phase, object) {
            return Some(Against {
                confidence: denial.confidence,
                evidence: denial.evidence.clone(),
                because: format!("Its profile rules that out: {}.", evidence_words(&denial.evidence)),
            });
        }
        let facet = self.profile.closed_facet(verb, self.phase)?;
        Some(Against {
            confidence: Confidence::B,
            evidence: vec![Evidence {
                source: self
                    .profile
                    .facet_evidence(facet)
                    .first()
                    .map_or(EvidenceSource::Image, |evidence| evidence.source),
                detail: facet.reason.clone(),
            }],
            because: format!("No fact of its profile expects that: {}.", escape(&facet.reason)),
        })
    }

    /// What the subject is expected to do instead; says so when it is nothing.
    pub(crate) fn expected(&self, verb: Verb, against: &Against) -> Vec<ExpectedFact> {
        self.expected_of(&self.subject_name(), verb, against)
    }

    /// The same, with another name for the subject.
    pub(crate) fn expected_of(&self, name: &str, verb: Verb, against: &Against) -> Vec<ExpectedFact> {
        let mut facts: Vec<ExpectedFact> = Vec::new();
        for fact in self.profile.expected(verb, self.subject, self.phase) {
            let line = expected_fact(fact, name);
            if !facts.contains(&line) {
                facts.push(line);
            }
            if facts.len() == MAX_EXPECTED {
                return facts;
            }
        }
        if facts.is_empty() {
            let (evidence, confidence) = (against.evidence.clone(), against.confidence);
            facts.push(expects_nothing(name, verb, self.phase, evidence, confidence));
        }
        facts
    }

    /// The fact that would allow it.
    pub(crate) fn allow(&self, action: Action) -> Fact {
        Fact {
            subject: Subject::Program(self.subject_program()),
            action,
            phases: vec![self.phase],
            parent: None,
            evidence: vec![Evidence {
                source: EvidenceSource::User,
                detail: "allowed after an alert".to_owned(),
            }],
            confidence: Confidence::B,
        }
    }

    /// The subject as a fact names it. `argv[0]` can say anything, so it counts only where the profile knows the name.
    fn subject_program(&self) -> plimsoll_model::Program {
        let mut program = identify(self.subject);
        if matches!(&program.applet, Some(Applet::Name(name)) if self.profile.display_name(self.subject) != name) {
            program.applet = None;
        }
        program
    }

    pub(crate) fn deviation(&self, kind: DeviationKind, verb: Verb, act: &str, against: Against) -> Deviation {
        let summary = format!("{} {act} {}", self.subject_name(), phase_words(self.phase));
        Deviation {
            kind,
            verb,
            explanation: format!("{summary}. {}", against.because),
            summary,
            expected: self.expected(verb, &against),
            priority: kind.priority(against.confidence),
            confidence: against.confidence,
            evidence: against.evidence,
            allow: None,
        }
    }
}

fn judge_connect(case: &Case<'_>, address: SocketAddress, transport: Transport) -> Judgement {
    // Port 0: nothing is sent there; resolvers connect datagram sockets so to learn their own address.
    if address.port == 0 {
        return Judgement::NotJudged;
    }
    let scope = scope_of(address.ip);
    // glibc's getaddrinfo connects a datagram socket to each address that it found, port included, to sort them (RFC 6724);
    // a server that resolves its own listening address thereby "connects" to this host. Nothing is sent.
    if transport == Transport::Udp && scope == PeerScope::Loopback {
        return Judgement::NotJudged;
    }
    let is_expected = |fact: &Fact| match &fact.action {
        Action::Connect(peer) => {
            (peer.scope == scope || peer.scope == PeerScope::Any)
                && peer
                    .port
                    .is_none_or(|port| has_port(port, address.port, transport, true))
        }
        _ => false,
    };
    if case
        .profile
        .find_fact(Verb::Connect, case.subject, case.phase, is_expected)
        .is_some()
    {
        return Judgement::Expected;
    }
    let Some(against) = case.against(Verb::Connect, None) else {
        return Judgement::NotJudged;
    };
    let words = transport_words(transport);
    let act = format!(
        "connected to {words} {} ({})",
        address_words(address),
        scope_words(scope)
    );
    let mut deviation = case.deviation(DeviationKind::UnexpectedConnect, Verb::Connect, &act, against);
    deviation.priority = connect_priority(scope, deviation.confidence);
    deviation.allow = Some(case.allow(Action::Connect(Peer {
        scope,
        port: Some(one_port(transport, address.port)),
    })));
    Judgement::Deviates(vec![deviation])
}

/// Ports that the kernel picks from (net.ipv4.ip_local_port_range, its default).
const EPHEMERAL: std::ops::RangeInclusive<u16> = 32768..=60999;

/// Whether a socket of that port is taken for a client's, which serves nobody: a datagram socket on a port of the kernel's
/// choice, or one that is still to be chosen.
pub fn is_client_port(port: u16, transport: Transport) -> bool {
    // Port 0 at bind: the kernel picks one, for a client; a sensor that looks afterwards sees what it picked.
    port == 0 || transport == Transport::Udp && EPHEMERAL.contains(&port)
}

fn judge_listen(case: &Case<'_>, address: SocketAddress, transport: Transport) -> Judgement {
    if is_client_port(address.port, transport) {
        return Judgement::NotJudged;
    }
    let is_expected = |fact: &Fact| match &fact.action {
        Action::Listen(port) => has_port(*port, address.port, transport, false),
        _ => false,
    };
    if case
        .profile
        .find_fact(Verb::Listen, case.subject, case.phase, is_expected)
        .is_some()
    {
        return Judgement::Expected;
    }
    let Some(against) = case.against(Verb::Listen, None) else {
        return Judgement::NotJudged;
    };
    let act = format!("listens on {} {}", transport_words(transport), address_words(address));
    let mut deviation = case.deviation(DeviationKind::UnexpectedListen, Verb::Listen, &act, against);
    deviation.allow = Some(case.allow(Action::Listen(one_port(transport, address.port))));
    Judgement::Deviates(vec![deviation])
}

fn judge_write(case: &Case<'_>, path: &str) -> Judgement {
    if !is_judged_path(path) {
        return Judgement::NotJudged;
    }
    let is_expected = |fact: &Fact| match &fact.action {
        Action::Write(pattern) => pattern.matches(path),
        _ => false,
    };
    if case
        .profile
        .find_fact(Verb::Write, case.subject, case.phase, is_expected)
        .is_some()
    {
        return Judgement::Expected;
    }
    let is_code = case.files.is_code(path) || case.files.is_in_code_folder(path);
    let against = case.against(Verb::Write, Some(path));
    // An entrypoint may still lay its files out; afterwards nothing has business with programs of the image.
    let against = match against {
        None if is_code && case.phase != Phase::Entrypoint => Some(code_is_not_written(case, path)),
        other => other,
    };
    let Some(against) = against else {
        return Judgement::NotJudged;
    };
    let kind = match is_code {
        true => DeviationKind::WriteToExecutablePath,
        false => DeviationKind::UnexpectedWrite,
    };
    let mut deviation = case.deviation(kind, Verb::Write, &format!("wrote {}", escape(path)), against);
    deviation.allow = (!is_code).then(|| case.allow(Action::Write(PathPattern(path.to_owned()))));
    Judgement::Deviates(vec![deviation])
}

/// A file that gets a name in another folder is written there, as far as those are concerned who find it there. Within one
/// folder names change all the time (what is written under another name and renamed when it is whole), and who may write
/// there was asked when it was written.
fn judge_placed(case: &Case<'_>, call: &Call) -> Judgement {
    let is_link = matches!(call.call, SystemCall::Symlink | SystemCall::Symlinkat);
    let gives_names = is_link
        || matches!(
            call.call,
            SystemCall::Rename | SystemCall::Renameat | SystemCall::Renameat2 | SystemCall::Link | SystemCall::Linkat
        );
    // Entry scripts lay out what the server finds.
    if !gives_names || call.result < 0 || case.phase == Phase::Entrypoint {
        return Judgement::NotJudged;
    }
    let Some((source, target)) = call.source_and_target() else {
        return Judgement::NotJudged;
    };
    let (from, to) = (plain(&source), plain(&target));
    let is_elsewhere = match is_link {
        true => source.contains('/') && parent_of(&from) != parent_of(&to),
        false => has_two_folders(call) || parent_of(&from) != parent_of(&to),
    };
    match is_elsewhere {
        true => judge_write(case, &to),
        false => Judgement::NotJudged,
    }
}

/// The old name is relative to another folder than the new one: that folder is not told.
fn has_two_folders(call: &Call) -> bool {
    let is_at = matches!(
        call.call,
        SystemCall::Renameat | SystemCall::Renameat2 | SystemCall::Linkat
    );
    let is_relative = call.texts.first().is_some_and(|text| !text.starts_with('/'));
    is_at && is_relative && call.arguments[0] != call.arguments[2]
}

/// A path without `.` and `..`, and by its name of today where everybody still knows it by its old one (FHS 3.0, 5.13).
fn plain(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    let parts = match parts.as_slice() {
        ["var", "run", ..] => &parts[1..],
        all => all,
    };
    format!("/{}", parts.join("/"))
}

fn code_is_not_written(case: &Case<'_>, path: &str) -> Against {
    let detail = match case.files.is_code(path) {
        true => format!("{path} is a program or library of the image"),
        false => format!("{path} lies in a folder of the image's programs or libraries"),
    };
    Against {
        confidence: Confidence::B,
        because: format!("{}, and no fact of its profile expects a write.", escape(&detail)),
        evidence: vec![Evidence {
            source: EvidenceSource::Image,
            detail,
        }],
    }
}

/// Terminals and bottomless devices hold nothing: writing to them is never judged, so it must never be refused either.
pub const NEVER_JUDGED: &[&str] = &[
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
    "/dev/console",
    "/dev/ptmx",
];
/// The same for what begins so; paths without a name are pipes, sockets and shared memory.
const NEVER_JUDGED_BELOW: &[&str] = &["/dev/pts/", "/dev/fd/", "/dev/std", "/SYSV", "/[aio]", "/anon_hugepage"];

fn is_judged_path(path: &str) -> bool {
    path.starts_with('/') && !path.starts_with("/memfd:") && !is_of_a_device(path)
}

/// Whether a path is that of a device, or stands for memory that processes share.
pub(crate) fn is_of_a_device(path: &str) -> bool {
    NEVER_JUDGED.contains(&path.trim_end_matches(" (deleted)"))
        || NEVER_JUDGED_BELOW.iter().any(|prefix| path.starts_with(prefix))
}

/// A resolver connects a datagram socket to each candidate of a TCP peer to sort them by reachability and sends nothing,
/// so for peers a TCP fact covers UDP too.
fn has_port(spec: PortSpec, port: u16, transport: Transport, is_peer: bool) -> bool {
    let is_transport =
        spec.transport == transport || (is_peer && transport == Transport::Udp && spec.transport == Transport::Tcp);
    is_transport && (spec.first..=spec.last).contains(&port)
}

fn one_port(transport: Transport, port: u16) -> PortSpec {
    PortSpec {
        transport,
        first: port,
        last: port,
    }
}

fn address_words(address: SocketAddress) -> String {
    std::net::SocketAddr::new(address.ip, address.port).to_string()
}

#[cfg(test)]
pub(crate) mod tests;
