//! What the kernel decides by itself, from profiles and rules: which expected writes are not told, and which acts are
//! refused. Envelopes of profiles in, a [`Policy`] for each process and container out; [`tables`] hands them over.

use std::{collections::HashMap, fmt, sync::Arc};

use plimsoll_model::{Confidence, PathPattern, Peer, PeerScope, Phase, Process, Transport, star_matches};
use plimsoll_policy::{Against, Envelope, NEVER_JUDGED};
use plimsoll_rules::WritePaths;

use crate::{images::KnownImage, limits::MAX_CACHED_POLICIES};

mod paths;
pub(crate) mod pins;
mod tables;

pub(crate) use pins::Old;
pub use pins::{PINS, release};
pub use tables::{Tables, Tallies};

/// How far an agent goes against what a profile rules out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// Counts what would have been refused.
    Observe,
    /// And says so in the alert.
    Alert,
    /// Refuses it.
    Enforce,
}

impl Mode {
    /// Every mode, mildest first.
    pub const ALL: [Self; 3] = [Self::Observe, Self::Alert, Self::Enforce];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Alert => "alert",
            Self::Enforce => "enforce",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What happens to a process where no hook of this kernel can refuse an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instead {
    /// It is killed before it goes on: SIGKILL.
    Kill,
    /// It is stopped, for somebody to look at: SIGSTOP.
    Stop,
}

impl Instead {
    /// The signal's number.
    pub(crate) fn signal(self) -> u8 {
        match self {
            Self::Kill => 9,
            Self::Stop => 19,
        }
    }
}

/// What an agent may refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enforcement {
    /// For images that `images` does not name; `None`: nothing.
    pub mode: Option<Mode>,
    /// By image reference, in which `*` stands for any text; the last that matches counts.
    pub images: Vec<(String, Option<Mode>)>,
    /// The least sure evidence that counts: A is what a profile is certain of.
    pub confidence: Confidence,
    /// What happens where nothing can refuse.
    pub instead: Instead,
    /// Refusals outlive the agent, until the next one takes over or `plimsoll agent release` ends them.
    pub outlives_agent: bool,
}

impl Enforcement {
    fn mode_of(&self, reference: &str) -> Option<Mode> {
        let named = self.images.iter().rev();
        let found = named
            .into_iter()
            .find(|(pattern, _)| star_matches(pattern.as_bytes(), reference.as_bytes()));
        found.map_or(self.mode, |(_, mode)| *mode)
    }

    /// Whether anything can ever be refused.
    pub fn may_refuse(&self) -> bool {
        let modes = self.images.iter().map(|(_, mode)| *mode).chain([self.mode]);
        modes.flatten().any(|mode| mode == Mode::Enforce)
    }
}

/// A set of paths.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum Paths {
    /// None.
    #[default]
    Nothing,
    /// All.
    Everything,
    /// Those that one of the patterns matches.
    These(Vec<PathPattern>),
}

impl Paths {
    fn of(patterns: Vec<PathPattern>) -> Self {
        match patterns.is_empty() {
            true => Self::Nothing,
            false => Self::These(patterns),
        }
    }
}

/// Peers that may be connected to: `struct peer_rule` of `bpf/policy.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PeerRule {
    /// Loopback 1, private 2, public 4.
    pub scopes: u16,
    /// TCP 1, UDP 2, others 4.
    pub transports: u16,
    /// First port.
    pub first: u16,
    /// Last port.
    pub last: u16,
}

/// What the kernel is told about one process, or about a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Policy {
    /// `None`: nothing is refused.
    pub mode: Option<Mode>,
    /// Writes that are not told.
    pub expected_writes: Paths,
    /// Writes that are refused, those in the second set apart.
    pub refused_writes: Paths,
    /// See [`Self::refused_writes`].
    pub allowed_writes: Paths,
    /// Programs likewise.
    pub refused_execs: Paths,
    /// See [`Self::refused_execs`].
    pub allowed_execs: Paths,
    /// Programs that are not the image's are refused, these apart; `None`: they are not.
    pub drift: Option<Paths>,
    /// Connections to others are refused; `None`: none is.
    pub peers: Option<Vec<PeerRule>>,
}

impl Policy {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Makes policies of profiles.
#[derive(Debug)]
pub(crate) struct Guard {
    /// What rules want to be told of; `None`: everything is told.
    filter: Option<WritePaths>,
    enforcement: Option<Enforcement>,
    cache: HashMap<(Envelope, Option<Mode>), Arc<Policy>>,
}

impl Guard {
    /// `writes`: which expected writes rules ask for; `None` when all must be told (a recording).
    pub(crate) fn new(writes: Option<WritePaths>, enforcement: Option<Enforcement>) -> Self {
        Self {
            filter: writes.filter(|writes| !writes.everything && Tables::can_tell(&writes.names)),
            enforcement,
            cache: HashMap::new(),
        }
    }

    /// Whether it can ever have anything to say.
    pub(crate) fn is_idle(&self) -> bool {
        self.filter.is_none() && self.enforcement.is_none()
    }

    /// What may be refused.
    pub(crate) fn enforcement(&self) -> Option<&Enforcement> {
        self.enforcement.as_ref()
    }

    /// Names of path components that are told wherever they are.
    pub(crate) fn told_names(&self) -> &[String] {
        self.filter
            .as_ref()
            .map(|filter| filter.names.as_slice())
            .unwrap_or_default()
    }

    /// For one process; `None` when there is nothing to say of it.
    pub(crate) fn process(&mut self, image: &KnownImage, process: &Process, phase: Phase) -> Option<Arc<Policy>> {
        if phase == Phase::Init || self.is_idle() {
            return None;
        }
        let mode = self.mode(image);
        self.policy(image.profile.envelope(process, phase), mode)
    }

    /// For all processes of a container that have none of their own; `None` when nothing may be refused.
    pub(crate) fn container(&mut self, image: &KnownImage) -> Option<Arc<Policy>> {
        let mode = self.mode(image)?;
        Some(Arc::new(self.compile(
            &image.profile.common_envelope(),
            Some(mode),
            false,
        )))
    }

    fn mode(&self, image: &KnownImage) -> Option<Mode> {
        self.enforcement
            .as_ref()
            .and_then(|enforcement| enforcement.mode_of(&image.report.profile.image))
    }

    fn policy(&mut self, envelope: Envelope, mode: Option<Mode>) -> Option<Arc<Policy>> {
        let key = (envelope, mode);
        if let Some(known) = self.cache.get(&key) {
            return Some(Arc::clone(known)).filter(|policy| !policy.is_empty());
        }
        let policy = Arc::new(self.compile(&key.0, mode, true));
        if self.cache.len() >= MAX_CACHED_POLICIES {
            self.cache.clear();
        }
        self.cache.insert(key, Arc::clone(&policy));
        Some(policy).filter(|policy| !policy.is_empty())
    }

    fn compile(&self, envelope: &Envelope, mode: Option<Mode>, is_process: bool) -> Policy {
        let expected_writes = match &self.filter {
            Some(filter) if is_process => Paths::of(untold(&envelope.writes, filter)),
            _ => Paths::Nothing,
        };
        let refusals = self
            .enforcement
            .as_ref()
            .zip(mode)
            .map(|(enforcement, mode)| refuse(envelope, enforcement.confidence, mode));
        Policy {
            expected_writes,
            ..refusals.unwrap_or_default()
        }
    }
}

fn refuse(envelope: &Envelope, least: Confidence, mode: Mode) -> Policy {
    let refused_writes = objects(&envelope.against_writes, least);
    let refused_execs = objects(&envelope.against_execs, least);
    let mut allowed_writes = Vec::new();
    if refused_writes != Paths::Nothing {
        allowed_writes.clone_from(&envelope.writes);
        allowed_writes.extend(
            NEVER_JUDGED
                .iter()
                .chain(NEVER_REFUSED)
                .map(|path| PathPattern::from(*path)),
        );
    }
    let allowed_execs = match refused_execs {
        Paths::Nothing => Paths::Nothing,
        _ => Paths::of(envelope.execs.clone()),
    };
    let is_closed = objects(&envelope.against_connects, least) != Paths::Nothing;
    Policy {
        mode: Some(mode),
        expected_writes: Paths::Nothing,
        refused_writes,
        allowed_writes: Paths::of(allowed_writes),
        refused_execs,
        allowed_execs,
        drift: Some(Paths::of(envelope.by_hand.clone())),
        peers: is_closed.then(|| peers(&envelope.peers)).flatten(),
    }
}

/// What is never refused beside [`NEVER_JUDGED`]: more ways to terminals and to what a process was given.
const NEVER_REFUSED: &[&str] = &["/dev/pts/**", "/dev/fd/**", "/dev/stdin", "/dev/stdout", "/dev/stderr"];

/// Of what is at least that sure.
fn objects(against: &[Against], least: Confidence) -> Paths {
    let mut patterns = Vec::new();
    for one in against.iter().filter(|one| one.confidence <= least) {
        match &one.object {
            Some(pattern) => patterns.push(pattern.clone()),
            None => return Paths::Everything,
        }
    }
    Paths::of(patterns)
}

/// `None`: more than the kernel side takes, so that nothing is refused.
fn peers(peers: &[Peer]) -> Option<Vec<PeerRule>> {
    let mut rules: Vec<PeerRule> = Vec::new();
    for peer in peers {
        let rule = PeerRule {
            scopes: match peer.scope {
                PeerScope::Loopback => 1,
                PeerScope::Private => 2,
                PeerScope::Public => 4,
                PeerScope::Any => 7,
            },
            // Resolvers try datagram sockets on TCP peers.
            transports: match peer.port.map(|port| port.transport) {
                None => 7,
                Some(Transport::Tcp) => 3,
                Some(Transport::Udp) => 2,
                Some(Transport::Other) => 4,
            },
            first: peer.port.map_or(0, |port| port.first),
            last: peer.port.map_or(u16::MAX, |port| port.last),
        };
        if !rules.contains(&rule) {
            rules.push(rule);
        }
    }
    (rules.len() <= tables::MAX_PEERS).then_some(rules)
}

/// Patterns none of whose files a rule asks for by its place.
fn untold(patterns: &[PathPattern], asked: &WritePaths) -> Vec<PathPattern> {
    let mut untold: Vec<PathPattern> = Vec::new();
    for pattern in patterns {
        let text = pattern.0.as_str();
        let fixed = text.split('*').next().unwrap_or(text);
        // `/data/**` has /data among its files.
        let fixed = fixed
            .strip_suffix('/')
            .filter(|_| text.ends_with("/**"))
            .unwrap_or(fixed);
        let is_asked = asked.files.iter().any(|file| file.starts_with(fixed))
            || asked
                .prefixes
                .iter()
                .any(|prefix| prefix.starts_with(fixed) || fixed.starts_with(prefix.as_str()));
        if !is_asked && !untold.contains(pattern) {
            untold.push(pattern.clone());
        }
    }
    untold
}

#[cfg(test)]
mod tests;
