//! The expected-behaviour profile: what an image's container should do, each fact with its evidence.
//!
//! A profile is *judged* per verb and phase: where its facet is closed, whatever no fact expects is a deviation; where it
//! is open, nothing is (it is learned, not judged).

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Digest, Transport};

/// What an image's container is expected to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// [`crate::schema::PROFILE`].
    pub schema: String,
    /// Reference of the image, for people.
    pub image: String,
    /// Config digest: profiles are looked up by it first.
    pub config_digest: Digest,
    /// Manifest digest, where there is one.
    pub manifest_digest: Option<Digest>,
    /// The program that the image is for: what `entrypoint` ends with. `None` when it could not be derived; then no
    /// phase but `entrypoint` is ever entered by the container's first process.
    pub main: Option<Program>,
    /// Programs that the container's first process runs before `main`, in order: the script, `gosu`, `tini`.
    pub entrypoint: Vec<Program>,
    /// Argument vectors that are the image's health check.
    pub health_check: Option<Vec<String>>,
    /// Argument vectors of a pod's exec probes and lifecycle hooks, which the node starts in the container.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<Vec<String>>,
    /// Names of the workload packs that contributed.
    pub packs: Vec<String>,
    /// What is expected.
    pub facts: Vec<Fact>,
    /// What is known to be impossible or never right, even where the facet is open.
    pub denials: Vec<Denial>,
    /// Which verbs are judged in which phase. A pair that is not listed is open.
    pub facets: Vec<Facet>,
}

/// One expected action.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fact {
    /// Who. For `exec`, the program that asks, not the one that starts.
    pub subject: Subject,
    /// What it does, to what.
    pub action: Action,
    /// When. Empty means in every phase but `session`.
    pub phases: Vec<Phase>,
    /// Only when the subject was itself started by this executable (resolved path); `None`: whoever started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Why we believe it; at least one.
    pub evidence: Vec<Evidence>,
    /// How sure.
    pub confidence: Confidence,
}

/// Something that a subject cannot or must not do.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Denial {
    /// Who.
    pub subject: Subject,
    /// Which kind of action. A fact that matches the event wins over a denial.
    pub verb: Verb,
    /// Only objects in this set of paths: the file written or loaded, the program started. `None`: whatever the object.
    /// For verbs whose object is no path (`listen`, `connect`, `become`) it must be `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<PathPattern>,
    /// When. Empty means in every phase.
    pub phases: Vec<Phase>,
    /// Why.
    pub evidence: Vec<Evidence>,
    /// How sure.
    pub confidence: Confidence,
}

/// Whether one verb is judged in one phase.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Facet {
    /// Which kind of action.
    pub verb: Verb,
    /// In which phase.
    pub phase: Phase,
    /// Judged or learned.
    pub state: FacetState,
    /// Why: `no strong fact about outgoing connections`.
    pub reason: String,
}

/// Judged or learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FacetState {
    /// What no fact expects is a deviation.
    Closed,
    /// What no fact expects is learned.
    Open,
}

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// Any process of the container.
    Any,
    /// Processes that run this program.
    Program(Program),
}

/// A program as a profile identifies it: an executable, and where that is not enough, what it was told to be.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// Path with all symbolic links resolved (`/usr/bin/redis-check-rdb` for Debian's `/usr/bin/redis-server`), since
    /// that is what the kernel reports. May end in `/**` or hold `*` for a set of programs.
    pub path: PathPattern,
    /// What a multi-call or shared binary runs as; `None`: whatever it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applet: Option<Applet>,
}

/// How one executable tells its roles apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Applet {
    /// Base name of `argv[0]` (busybox, coreutils, redis-server against redis-check-rdb).
    Name(String),
    /// Path of the script that an interpreter runs.
    Script(String),
}

/// What is done to what.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "verb", content = "object", rename_all = "snake_case")]
pub enum Action {
    /// Start a program.
    Exec(Program),
    /// Map a file as code.
    Load(PathPattern),
    /// Bind or listen on a port.
    Listen(PortSpec),
    /// Connect to a peer.
    Connect(Peer),
    /// Create, change or remove a file.
    Write(PathPattern),
    /// Change user.
    Become(Identity),
}

/// The kinds of actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// See [`Action::Exec`].
    Exec,
    /// See [`Action::Load`].
    Load,
    /// See [`Action::Listen`].
    Listen,
    /// See [`Action::Connect`].
    Connect,
    /// See [`Action::Write`].
    Write,
    /// See [`Action::Become`].
    Become,
}

impl Action {
    /// Its verb.
    pub fn verb(&self) -> Verb {
        match self {
            Self::Exec(_) => Verb::Exec,
            Self::Load(_) => Verb::Load,
            Self::Listen(_) => Verb::Listen,
            Self::Connect(_) => Verb::Connect,
            Self::Write(_) => Verb::Write,
            Self::Become(_) => Verb::Become,
        }
    }
}

/// Phases of a container's life. Each process is in one, by its lineage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The runtime sets the container up (runc's own processes).
    Init,
    /// The first process, until it executes the main program; and what it starts meanwhile.
    Entrypoint,
    /// The main program and its descendants.
    Serving,
    /// Started from outside into the running container (`podman exec`, `kubectl exec`, nsenter), and its descendants.
    Session,
    /// Started from outside, and its arguments are the health check.
    Probe,
}

/// A set of paths: exact, or with `*` (within one component), or ending in `/**` (the folder and all below it).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct PathPattern(pub String);

impl PathPattern {
    /// Whether an absolute, normalised path is in the set.
    pub fn matches(&self, path: &str) -> bool {
        if let Some(folder) = self.0.strip_suffix("/**") {
            return match folder.contains('*') {
                true => components_match(folder, path, true),
                false => path
                    .strip_prefix(folder)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
            };
        }
        if self.0.contains('*') {
            components_match(&self.0, path, false)
        } else {
            self.0 == path
        }
    }

    /// Whether it names exactly one path.
    pub fn is_exact(&self) -> bool {
        !self.0.contains('*')
    }
}

impl From<&str> for PathPattern {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn components_match(pattern: &str, path: &str, prefix: bool) -> bool {
    let mut path_parts = path.split('/');
    for part in pattern.split('/') {
        match path_parts.next() {
            Some(text) if star_matches(part.as_bytes(), text.as_bytes()) => {}
            _ => return false,
        }
    }
    prefix || path_parts.next().is_none()
}

/// Whether the whole text fits a pattern in which `*` stands for any run of bytes, `/` included. On a mismatch it goes
/// back to the last star only, so that no pattern is slow.
pub fn star_matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        if p < pattern.len() && pattern[p] == b'*' {
            star = Some((p, t));
            p += 1;
        } else if p < pattern.len() && pattern[p] == text[t] {
            (p, t) = (p + 1, t + 1);
        } else if let Some((star_p, star_t)) = star {
            star = Some((star_p, star_t + 1));
            (p, t) = (star_p + 1, star_t + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

/// A range of ports of one protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PortSpec {
    /// Protocol.
    pub transport: Transport,
    /// First port of the range.
    pub first: u16,
    /// Last port, equal to `first` for one port.
    pub last: u16,
}

/// Whom a container connects to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// How far away.
    pub scope: PeerScope,
    /// Which port; `None`: any.
    pub port: Option<PortSpec>,
}

/// How far away a peer is, from the address alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PeerScope {
    /// 127.0.0.0/8 and ::1.
    Loopback,
    /// RFC 1918, RFC 4193, link-local, carrier-grade NAT.
    Private,
    /// The rest.
    Public,
    /// All three.
    Any,
}

/// A user that a process becomes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Numeric user in the container.
    pub uid: u32,
    /// Its name in the image's `/etc/passwd`; `None` when it has none.
    pub name: Option<String>,
}

/// Why a fact is believed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Where from.
    pub source: EvidenceSource,
    /// One line for people: `EXPOSE 6379/tcp`, `line 12 of /usr/local/bin/docker-entrypoint.sh: exec gosu redis "$@"`.
    pub detail: String,
}

/// Where evidence comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceSource {
    /// The image: config, inventory, ELF closure, script, permissions.
    Image,
    /// A workload pack.
    Pack,
    /// The pod: command, probes, ports.
    Pod,
    /// Seen in running containers.
    Observed,
    /// Somebody said so.
    User,
}

/// What a fact is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Confidence {
    /// May be enforced at once.
    A,
    /// Good for an alert.
    B,
    /// Ranks only.
    C,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_patterns_stay_within_components() {
        for (pattern, path, expected) in [
            ("/data/**", "/data", true),
            ("/data/**", "/data/a/b", true),
            ("/data/**", "/database", false),
            ("/tmp/*", "/tmp/a", true),
            ("/tmp/*", "/tmp/a/b", false),
            (
                "/usr/lib/postgresql/*/bin/*",
                "/usr/lib/postgresql/15/bin/postgres",
                true,
            ),
            ("/home/*/data/**", "/home/x/data/y/z", true),
            ("/home/*/data/**", "/home/x/other/y", false),
            ("/a*b*c", "/axxbxbc", true),
            ("/a*b*c", "/axxbxb", false),
            ("/etc/passwd", "/etc/passwd", true),
            ("/etc/passwd", "/etc/passwd-", false),
        ] {
            assert_eq!(
                PathPattern::from(pattern).matches(path),
                expected,
                "{pattern} on {path}"
            );
        }
    }

    #[test]
    fn a_fact_reads_as_verb_and_object() {
        let fact = Fact {
            subject: Subject::Any,
            action: Action::Listen(PortSpec {
                transport: Transport::Tcp,
                first: 6379,
                last: 6379,
            }),
            phases: vec![Phase::Serving],
            parent: None,
            evidence: vec![Evidence {
                source: EvidenceSource::Image,
                detail: "EXPOSE 6379/tcp".to_owned(),
            }],
            confidence: Confidence::A,
        };
        let json = serde_json::to_string(&fact).unwrap();
        assert!(json.contains(r#""action":{"verb":"listen","object":{"transport":"tcp","first":6379,"last":6379}}"#));
        assert_eq!(serde_json::from_str::<Fact>(&json).unwrap(), fact);
    }
}
