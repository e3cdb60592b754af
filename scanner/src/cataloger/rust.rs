//! Rust programs that `cargo auditable` built in, the crates that they were built from out.

use plimsoll_model::{Note, NoteKind, PackageKind};

use super::{Catalog, Cataloger, Input, Want, language};
use crate::{layer::watch::Sighting, purl};

/// crates.io.
pub(super) struct Rust;

impl Cataloger for Rust {
    fn name(&self) -> &'static str {
        "rust"
    }

    /// The list is taken from every ELF file that has it, wherever it is.
    fn wants(&self, _path: &str) -> Option<Want> {
        None
    }

    fn catalog(&self, input: &Input<'_>) -> Catalog {
        let mut catalog = Catalog::default();
        let is_auditable =
            |entry: &&plimsoll_model::FileEntry| entry.elf.as_ref().is_some_and(|elf| elf.is_rust_auditable);
        for entry in input.tree.iter().filter(is_auditable) {
            let found = input.tree.sightings(entry).iter().find_map(|sighting| match sighting {
                Sighting::Crates(crates) => Some(crates),
                _ => None,
            });
            let Some(crates) = found else {
                let detail = "the list of crates in this Rust program cannot be read";
                catalog.notes.push(Note::new(NoteKind::Unreadable, &entry.path, detail));
                continue;
            };
            catalog.packages.extend(crates.iter().map(|one| {
                let purl = purl::of_library("cargo", &[], &one.name, &one.version);
                language::package(PackageKind::Cargo, &one.name, &one.version, purl, entry)
            }));
        }
        catalog
    }
}
