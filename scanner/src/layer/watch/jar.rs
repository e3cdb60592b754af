//! Java archives that pass by once in, what they say of themselves out: manifests and Maven's coordinates, also of the
//! archives within. Class files are skipped, or inflated and forgotten where nothing else tells where they end.

mod zip;

use plimsoll_model::{FileEntry, NoteKind};
use serde::{Deserialize, Serialize};

use self::zip::Zip;
use super::{Seen, Sighting, Watch, Watcher};
use crate::limits::{
    JAR_RATIO_GRACE_BYTES, MAX_JAR_ARCHIVES, MAX_JAR_ENTRIES, MAX_JAR_FACTS_BYTES, MAX_JAR_NOTES, MAX_JAR_RATIO,
};

/// Archives that Java programs are made of.
pub(super) struct Jars;

/// What is an archive of Java, by the end of its name in lower case: libraries, web and enterprise programs, plug-ins of
/// Jenkins, services of JBoss.
const SUFFIXES: &[&str] = &[
    ".jar", ".war", ".ear", ".par", ".sar", ".nar", ".kar", ".hpi", ".jpi", ".lpkg",
];

/// Whether a path's name is one of a Java archive.
pub(crate) fn is_archive_name(path: &str) -> bool {
    is_archive(path.as_bytes())
}

fn is_archive(name: &[u8]) -> bool {
    SUFFIXES.iter().any(|suffix| {
        let start = name.len().checked_sub(suffix.len());
        start.is_some_and(|start| start > 0 && name[start..].eq_ignore_ascii_case(suffix.as_bytes()))
    })
}

/// What an archive and those within it say.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JarFacts {
    /// The file itself first, then those within, each after the one that it is in.
    pub(crate) archives: Vec<Archive>,
    pub(crate) notes: Vec<JarNote>,
}

/// One archive.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Archive {
    /// Where it is in the file, with `!/` between archives as Java's URLs have it: `BOOT-INF/lib/a.jar`. Empty for the
    /// file itself.
    pub(crate) place: String,
    /// Attributes of the manifest's main section that name the archive.
    pub(crate) manifest: Vec<(String, String)>,
    /// From each `pom.properties`.
    pub(crate) coordinates: Vec<Coordinates>,
}

/// Maven's coordinates.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Coordinates {
    pub(crate) group: String,
    pub(crate) artifact: String,
    pub(crate) version: String,
}

/// Something in an archive that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JarNote {
    pub(crate) kind: NoteKind,
    /// As [`Archive::place`].
    pub(crate) place: String,
    pub(crate) detail: String,
}

impl Watcher for Jars {
    fn wants(&self, entry: &FileEntry, _head: &[u8]) -> Option<Box<dyn Watch>> {
        is_archive_name(&entry.path).then(|| {
            let jar: Box<dyn Watch> = Box::new(Jar::new());
            jar
        })
    }
}

struct Jar {
    zip: Zip,
    findings: Findings,
}

impl Jar {
    fn new() -> Self {
        let mut findings = Findings::default();
        findings.facts.archives.push(Archive::default());
        Self {
            zip: Zip::new(0, 0),
            findings,
        }
    }
}

impl Watch for Jar {
    fn feed(&mut self, bytes: &[u8]) {
        self.findings.read_bytes += bytes.len() as u64;
        self.zip.push(bytes, &mut self.findings);
    }

    fn finish(mut self: Box<Self>, _entry: &FileEntry, seen: &mut Seen) {
        self.zip.finish(&mut self.findings);
        seen.sightings.push(Sighting::Jar(self.findings.facts));
    }
}

/// What an entry is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Manifest,
    /// `META-INF/maven/GROUP/ARTIFACT/pom.properties`.
    Coordinates,
    Archive,
    Other,
}

impl Role {
    fn of(name: &[u8]) -> Self {
        if name.eq_ignore_ascii_case(b"META-INF/MANIFEST.MF") {
            Self::Manifest
        } else if name.starts_with(b"META-INF/maven/") && name.ends_with(b"/pom.properties") {
            Self::Coordinates
        } else if is_archive(name) {
            Self::Archive
        } else {
            Self::Other
        }
    }
}

/// Attributes that say what an archive is (JAR file specification; OSGi core, "Bundle Manifest Headers").
const ATTRIBUTES: &[&str] = &[
    "Implementation-Title",
    "Implementation-Version",
    "Implementation-Vendor-Id",
    "Specification-Version",
    "Bundle-SymbolicName",
    "Bundle-Version",
    "Bundle-License",
    "Automatic-Module-Name",
    "Plugin-Version",
    "Short-Name",
    "Group-Id",
    "Spring-Boot-Version",
];

/// What was found in one file, and what it cost.
#[derive(Default)]
struct Findings {
    facts: JarFacts,
    entries: usize,
    read_bytes: u64,
    inflated_bytes: u64,
    facts_bytes: usize,
    /// One for each depth, kept between entries.
    buffers: Vec<Vec<u8>>,
    is_over: bool,
}

impl Findings {
    /// Whether a limit was reached: the rest is not looked at.
    fn is_over(&self) -> bool {
        self.is_over
    }

    fn note(&mut self, kind: NoteKind, archive: usize, detail: impl Into<String>) {
        let place = self.facts.archives[archive].place.clone();
        let note = JarNote {
            kind,
            place,
            detail: detail.into(),
        };
        if self.facts.notes.len() < MAX_JAR_NOTES && !self.facts.notes.contains(&note) {
            self.facts.notes.push(note);
        }
    }

    /// The last word on a file, which may not be left out for others.
    fn stop(&mut self, detail: String) {
        if !self.is_over {
            let place = String::new();
            self.facts.notes.push(JarNote {
                kind: NoteKind::Limit,
                place,
                detail,
            });
            self.is_over = true;
        }
    }

    fn entry(&mut self) {
        self.entries += 1;
        if self.entries > MAX_JAR_ENTRIES {
            self.stop(format!("has more than {MAX_JAR_ENTRIES} entries"));
        }
    }

    fn inflated(&mut self, bytes: usize) {
        self.inflated_bytes += bytes as u64;
        if self.inflated_bytes > JAR_RATIO_GRACE_BYTES + self.read_bytes.saturating_mul(MAX_JAR_RATIO) {
            self.stop(format!("inflates to more than {MAX_JAR_RATIO} times its size"));
        }
    }

    fn spend(&mut self, bytes: usize) -> bool {
        self.facts_bytes += bytes;
        if self.facts_bytes > MAX_JAR_FACTS_BYTES {
            self.stop(format!("says more than {MAX_JAR_FACTS_BYTES} bytes of itself"));
        }
        !self.is_over
    }

    fn take_buffer(&mut self, depth: usize, bytes: usize) -> Vec<u8> {
        while self.buffers.len() <= depth {
            self.buffers.push(Vec::new());
        }
        let mut buffer = std::mem::take(&mut self.buffers[depth]);
        buffer.resize(bytes, 0);
        buffer
    }

    fn give_buffer(&mut self, depth: usize, buffer: Vec<u8>) {
        self.buffers[depth] = buffer;
    }

    fn open_archive(&mut self, parent: usize, name: &str) -> usize {
        let place = match self.facts.archives[parent].place.as_str() {
            "" => name.to_owned(),
            outer => format!("{outer}!/{name}"),
        };
        if self.facts.archives.len() >= MAX_JAR_ARCHIVES {
            self.stop(format!("has more than {MAX_JAR_ARCHIVES} archives in it"));
        } else if self.spend(place.len()) {
            self.facts.archives.push(Archive {
                place,
                ..Archive::default()
            });
        }
        self.facts.archives.len() - 1
    }

    fn text(&mut self, archive: usize, role: Role, name: &str, bytes: &[u8], is_cut: bool) {
        let text = String::from_utf8_lossy(bytes);
        if role == Role::Manifest {
            // Digests of signed entries follow the main section; nobody needs those.
            if is_cut && !text.contains("\n\n") && !text.contains("\r\n\r\n") {
                self.note(NoteKind::Limit, archive, "main section of the manifest is too long");
            }
            let found = attributes(&text);
            if self.spend(found.iter().map(|(key, value)| key.len() + value.len()).sum()) {
                self.facts.archives[archive].manifest = found;
            }
            return;
        }
        if is_cut {
            self.note(NoteKind::Limit, archive, format!("{name}: too long"));
        }
        match coordinates(&text, name) {
            Some(found) => {
                if self.spend(found.group.len() + found.artifact.len() + found.version.len()) {
                    self.facts.archives[archive].coordinates.push(found);
                }
            }
            None => self.note(NoteKind::Unreadable, archive, format!("{name}: no version")),
        }
    }
}

/// The main section: a name, a colon, a value; lines that begin with a blank go on with the one before.
fn attributes(text: &str) -> Vec<(String, String)> {
    let mut all: Vec<(&str, String)> = Vec::new();
    for line in text.lines().take_while(|line| !line.is_empty()) {
        if let Some(more) = line.strip_prefix(' ') {
            if let Some((_, value)) = all.last_mut() {
                value.push_str(more);
            }
        } else if let Some((key, value)) = line.split_once(':') {
            all.push((key, value.trim().to_owned()));
        }
    }
    let known = |key: &str| ATTRIBUTES.iter().find(|known| known.eq_ignore_ascii_case(key));
    all.into_iter()
        .filter_map(|(key, value)| Some(((*known(key)?).to_owned(), value)))
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

/// Java's properties as Maven writes them; group and artifact are in the name of the entry, too.
fn coordinates(text: &str, name: &str) -> Option<Coordinates> {
    let value = |wanted: &str| {
        let found = text.lines().find_map(|line| {
            let (key, value) = line.split_once(['=', ':'])?;
            (key.trim() == wanted).then(|| value.trim().replace("\\:", ":").replace("\\=", "="))
        });
        // A build that forgot to put its values in.
        found.filter(|value| !value.is_empty() && !value.contains("${"))
    };
    let mut folders = name.split('/').skip(2);
    let (group, artifact) = (folders.next()?, folders.next()?);
    Some(Coordinates {
        group: value("groupId").unwrap_or_else(|| group.to_owned()),
        artifact: value("artifactId").unwrap_or_else(|| artifact.to_owned()),
        version: value("version")?,
    })
}

/// Facts of an archive's bytes, fed in pieces.
#[cfg(test)]
pub(crate) fn facts_of(bytes: &[u8], step: usize) -> JarFacts {
    let mut jar = Jar::new();
    for piece in bytes.chunks(step) {
        jar.feed(piece);
    }
    jar.zip.finish(&mut jar.findings);
    jar.findings.facts
}

#[cfg(test)]
mod tests;
