//! Watchers of contents: a file's bytes as they pass in, what they show out. Nothing of the file is kept for them; one
//! file each in `watch/`, [`ALL`] lists them.

pub(crate) mod auditable;
mod copyright;
pub(crate) mod jar;
mod secret;
pub(crate) mod software;

use std::collections::{BTreeMap, btree_map::Entry};

use plimsoll_model::{Digest, FileEntry, Note};
use serde::{Deserialize, Serialize};

/// Looks into files while a layer streams.
pub(crate) trait Watcher: Sync {
    /// Whether this file shall be watched; asked once for every regular file, so it must be cheap. `head` is the
    /// file's beginning: at least 4096 bytes, or all of a shorter file.
    fn wants(&self, entry: &FileEntry, head: &[u8]) -> Option<Box<dyn Watch>>;
}

/// Watches one file.
pub(crate) trait Watch {
    /// The next bytes, in order, from the first one on.
    fn feed(&mut self, bytes: &[u8]);

    /// What was there. Not called for a file that ends before its stated size.
    fn finish(self: Box<Self>, entry: &FileEntry, seen: &mut Seen);
}

/// All watchers.
pub(crate) const ALL: &[&dyn Watcher] = &[
    &auditable::RustPrograms,
    &jar::Jars,
    &software::Software,
    &copyright::Copyright,
    &secret::Secrets,
];

/// Where watchers put what they have seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) sightings: Vec<Sighting>,
    /// What they could not look at.
    pub(crate) notes: Vec<Note>,
}

/// Something that a content shows. It depends on the content, and on the path no more than by the watcher's choice to
/// look: whoever reads it checks the path again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Sighting {
    /// Software that its own bytes name.
    Software {
        /// Which classifier recognised it: `redis`.
        classifier: String,
        /// The version as the bytes have it.
        version: String,
    },
    /// Digests that package databases state.
    Checksums {
        /// As dpkg has it.
        md5: [u8; 16],
        /// As apk has it.
        sha1: [u8; 20],
    },
    /// Licences of a package, as its copyright file states them.
    Licences(Vec<String>),
    /// A text that looks like a secret.
    Secret {
        /// Which kind: `secret-github-token`.
        kind: String,
        /// Where, from 1.
        line: u32,
        /// What may be shown of it.
        redacted: String,
    },
    /// Crates that a Rust program was built from.
    Crates(Vec<auditable::Crate>),
    /// What a Java archive and those within say of themselves.
    Jar(jar::JarFacts),
}

/// What one file of one layer showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sighted {
    /// The path as the layer has it.
    pub(crate) path: String,
    /// The layer's index.
    pub(crate) layer: u32,
    /// Digest of the content.
    pub(crate) digest: Digest,
    pub(crate) sightings: Vec<Sighting>,
}

/// What watchers saw in all layers, files included that a later layer hides.
#[derive(Debug, Default)]
pub(crate) struct Sightings {
    by_digest: BTreeMap<Digest, Vec<Sighting>>,
    /// Every place of a content that showed something: path, layer, digest; in the order of layers.
    pub(crate) places: Vec<(String, u32, Digest)>,
}

impl Sightings {
    pub(crate) fn insert(&mut self, sighted: Sighted) {
        self.places.push((sighted.path, sighted.layer, sighted.digest));
        match self.by_digest.entry(sighted.digest) {
            Entry::Vacant(place) => {
                place.insert(sighted.sightings);
            }
            // The same content in another layer or at another path.
            Entry::Occupied(mut known) => {
                for sighting in sighted.sightings {
                    if !known.get().contains(&sighting) {
                        known.get_mut().push(sighting);
                    }
                }
            }
        }
    }

    /// What a content showed.
    pub(crate) fn of(&self, digest: &Digest) -> &[Sighting] {
        self.by_digest.get(digest).map_or(&[], Vec::as_slice)
    }
}
