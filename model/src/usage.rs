//! What running containers used of an image, and how near that brings each package: the ladder from "it is there" to "it
//! listens".

use std::{collections::BTreeMap, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Digest;

/// What was used of images on one node or on several: written by the agent and by a server, read by `plimsoll scan
/// --runtime`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// [`crate::schema::USAGE`].
    pub schema: String,
    /// Who watched: a node's name; empty when several did.
    pub node: String,
    /// One entry per image, by config digest.
    pub images: Vec<ImageUsage>,
}

/// What was used of one image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImageUsage {
    /// Which image.
    pub config_digest: Digest,
    /// Its manifest digest, where its scan knows one.
    pub manifest_digest: Option<Digest>,
    /// Its reference, for people. Hostile text.
    pub reference: String,
    /// When, and how well, it was watched.
    pub window: UsageWindow,
    /// Files of the image that were executed or loaded, by path.
    pub files: Vec<FileUsage>,
    /// Uses of files that found no room in `files`. Above 0, nothing can be called unused.
    pub dropped: u64,
}

/// When, and how well, an image's containers were watched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UsageWindow {
    /// First moment, nanoseconds since the Unix epoch; 0 when nothing was watched.
    pub from_ns: u64,
    /// Last moment.
    pub to_ns: u64,
    /// Containers that were watched from their first program on. Only these say what was *not* used.
    pub containers: u32,
    /// For how long these were watched, together, seconds. A container stops counting when events are lost.
    pub container_seconds: u64,
    /// Containers that ran before they could be watched: what they used counts, what they did not use says nothing.
    pub joined: u32,
    /// Events lost meanwhile, on the nodes that watched.
    pub lost_events: u64,
    /// Libraries were seen being loaded. Without that, nothing can be said of libraries that were not.
    pub sees_loads: bool,
}

/// How one file of an image was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileUsage {
    /// Its path in the image, links resolved.
    pub path: String,
    /// Package URL of the package that owns it; `None` when none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// How often it was executed; as a script, by its interpreter.
    pub executed: u64,
    /// How often it was mapped to be executed, once for each program of a container.
    pub loaded: u64,
    /// A process that ran it listened on a port, or had loaded it when its program did.
    pub listens: bool,
    /// First use, nanoseconds since the Unix epoch.
    pub first_ns: u64,
    /// Last use.
    pub last_ns: u64,
    /// For how long containers had been watched, together, when it was first used, seconds.
    pub after_seconds: u64,
}

/// How one package was used: its files together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PackageUse {
    /// How often a file of it was executed.
    pub executed: u64,
    /// How often a file of it was loaded.
    pub loaded: u64,
    /// A process that used it listened on a port.
    pub listens: bool,
    /// First use, nanoseconds since the Unix epoch.
    pub first_ns: u64,
    /// Last use.
    pub last_ns: u64,
    /// For how long containers had been watched, together, before its first use, seconds.
    pub after_seconds: u64,
}

impl PackageUse {
    /// The use of one file.
    pub fn of(file: &FileUsage) -> Self {
        Self {
            executed: file.executed,
            loaded: file.loaded,
            listens: file.listens,
            first_ns: file.first_ns,
            last_ns: file.last_ns,
            after_seconds: file.after_seconds,
        }
    }

    /// This use and another one as one.
    pub fn with(self, other: Self) -> Self {
        Self {
            executed: self.executed.saturating_add(other.executed),
            loaded: self.loaded.saturating_add(other.loaded),
            listens: self.listens || other.listens,
            first_ns: self.first_ns.min(other.first_ns),
            last_ns: self.last_ns.max(other.last_ns),
            after_seconds: self.after_seconds.min(other.after_seconds),
        }
    }
}

impl ImageUsage {
    /// Packages that were used, by package URL.
    pub fn packages(&self) -> BTreeMap<&str, PackageUse> {
        let mut packages: BTreeMap<&str, PackageUse> = BTreeMap::new();
        for file in &self.files {
            let Some(purl) = &file.package else { continue };
            let used = PackageUse::of(file);
            let together = packages.get(purl.as_str()).map_or(used, |known| known.with(used));
            packages.insert(purl, together);
        }
        packages
    }
}

/// The ladder that a vulnerability climbs, by how near its package is to being used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rung {
    /// The image holds it.
    Present,
    /// A program that the profile expects to run, or a library that such a program needs.
    Reachable,
    /// The main program, or a library that it needs: it loads as soon as the container serves.
    Linked,
    /// A running container loaded a file of it.
    Loaded,
    /// A running container executed a file of it.
    Executed,
    /// A process that listened on a port used it.
    Listening,
}

impl Rung {
    /// All, lowest first.
    pub const ALL: [Self; 6] = [
        Self::Present,
        Self::Reachable,
        Self::Linked,
        Self::Loaded,
        Self::Executed,
        Self::Listening,
    ];

    /// Its name in documents and tables, as serde writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Reachable => "reachable",
            Self::Linked => "linked",
            Self::Loaded => "loaded",
            Self::Executed => "executed",
            Self::Listening => "listening",
        }
    }

    /// Whether a running container was seen to use it.
    pub fn is_in_use(self) -> bool {
        self >= Self::Loaded
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How near a package is to being used, and how that is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reach {
    /// How high it stands.
    pub rung: Rung,
    /// One line for people, with the file or program that puts it there. Hostile text.
    pub because: String,
    /// Containers were watched long enough and well enough, and used nothing of it.
    pub is_idle: bool,
    /// How it was used; `None` when it was not seen to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<PackageUse>,
}
