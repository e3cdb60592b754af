//! Lock files and manifests of source trees in, the packages out that they fix the versions of. Only where the target is a
//! folder of sources: in an image, a lock file says what somebody's build may have installed, tools of developers included, and what
//! was installed says so itself. Formats are in `lockfile/`, one module an ecosystem.

mod cargo;
mod composer;
mod gem;
mod go;
mod java;
mod npm;
mod nuget;
mod pnpm;
mod python;
mod requirements;
mod yarn;

use plimsoll_model::{FileEntry, FileKind, Note, NoteKind, Package, PackageKind};

use super::{Catalog, Cataloger, Input, Want, language};
use crate::{limits::MAX_LOCKED_PACKAGES, purl};

/// Lock files of all ecosystems.
pub(super) struct Lockfiles;

/// Name and version as the file fixes them.
type Locked = (String, String);

/// One format of a lock file.
struct Format {
    kind: PackageKind,
    /// By the file's base name.
    is_named: fn(&str) -> bool,
    /// Packages, or why the file cannot be read.
    read: fn(&str) -> Result<Vec<Locked>, String>,
}

const fn format(
    kind: PackageKind,
    is_named: fn(&str) -> bool,
    read: fn(&str) -> Result<Vec<Locked>, String>,
) -> Format {
    Format { kind, is_named, read }
}

const FORMATS: &[Format] = &[
    format(PackageKind::Python, requirements::is_requirements, requirements::read),
    format(
        PackageKind::Python,
        |name| matches!(name, "poetry.lock" | "uv.lock" | "pdm.lock" | "pylock.toml"),
        python::toml,
    ),
    format(PackageKind::Python, |name| name == "Pipfile.lock", python::pipfile),
    format(
        PackageKind::Npm,
        |name| matches!(name, "package-lock.json" | "npm-shrinkwrap.json"),
        npm::package_lock,
    ),
    format(PackageKind::Npm, |name| name == "bun.lock", npm::bun),
    format(PackageKind::Npm, |name| name == "yarn.lock", yarn::read),
    format(PackageKind::Npm, |name| name == "pnpm-lock.yaml", pnpm::read),
    format(PackageKind::Cargo, |name| name == "Cargo.lock", cargo::read),
    format(PackageKind::Go, |name| name == "go.mod", go::read),
    format(
        PackageKind::Gem,
        |name| matches!(name, "Gemfile.lock" | "gems.locked"),
        gem::read,
    ),
    format(PackageKind::Composer, |name| name == "composer.lock", composer::read),
    format(PackageKind::Nuget, |name| name == "packages.lock.json", nuget::read),
    format(
        PackageKind::Maven,
        |name| matches!(name, "gradle.lockfile" | "buildscript-gradle.lockfile"),
        java::gradle,
    ),
    format(PackageKind::Maven, |name| name == "pom.xml", java::pom),
];

impl Cataloger for Lockfiles {
    fn name(&self) -> &'static str {
        "lockfile"
    }

    fn wants(&self, path: &str) -> Option<Want> {
        format_of(path).map(|_| Want::OfSources)
    }

    fn catalog(&self, input: &Input<'_>) -> Catalog {
        let mut catalog = Catalog::default();
        if !input.is_source_tree {
            return catalog;
        }
        for (entry, content) in input.tree.contents() {
            if let Some(format) = format_of(&entry.path).filter(|_| entry.kind == FileKind::Regular) {
                read(entry, content, format, &mut catalog);
            }
        }
        catalog
    }
}

fn format_of(path: &str) -> Option<&'static Format> {
    // What a package manager unpacked brings lock files of its own, which nobody obeys.
    let is_installed = ["/node_modules/", "/site-packages/", "/vendor/bundle/"]
        .iter()
        .any(|folder| path.contains(folder));
    if is_installed {
        return None;
    }
    let (_, name) = path.rsplit_once('/')?;
    FORMATS.iter().find(|format| (format.is_named)(name))
}

fn read(entry: &FileEntry, content: &[u8], format: &Format, catalog: &mut Catalog) {
    let mut note = |kind, detail: String| catalog.notes.push(Note::new(kind, &entry.path, detail));
    let Ok(text) = str::from_utf8(content) else {
        note(NoteKind::Unreadable, "is not UTF-8".to_owned());
        return;
    };
    let mut found = match (format.read)(text.trim_start_matches('\u{feff}')) {
        Ok(found) => found,
        Err(reason) => {
            note(NoteKind::Unreadable, reason);
            return;
        }
    };
    found.retain(|(name, version)| !name.is_empty() && !version.is_empty());
    found.sort_unstable();
    found.dedup();
    if found.len() > MAX_LOCKED_PACKAGES {
        note(
            NoteKind::Limit,
            format!("names more than {MAX_LOCKED_PACKAGES} packages"),
        );
        found.truncate(MAX_LOCKED_PACKAGES);
    }
    let package = |(name, version): &Locked| package(format.kind, name, version, entry);
    catalog.packages.extend(found.iter().map(package));
}

fn package(kind: PackageKind, name: &str, version: &str, entry: &FileEntry) -> Package {
    // Namespaces are separated as each ecosystem writes them; package URLs have slashes.
    let (scheme, separator) = match kind {
        PackageKind::Python => ("pypi", None),
        PackageKind::Npm => ("npm", Some('/')),
        PackageKind::Cargo => ("cargo", None),
        PackageKind::Go => ("golang", Some('/')),
        PackageKind::Gem => ("gem", None),
        PackageKind::Composer => ("composer", Some('/')),
        PackageKind::Nuget => ("nuget", None),
        _ => ("maven", Some(':')),
    };
    let normal = match kind {
        PackageKind::Python => name.to_lowercase().replace(['_', '.'], "-"),
        _ => name.to_owned(),
    };
    let mut parts: Vec<&str> = separator.map_or_else(|| vec![normal.as_str()], |at| normal.split(at).collect());
    let last = parts.pop().unwrap_or_default();
    let purl = purl::of_library(scheme, &parts, last, version);
    language::package(kind, name, version, purl, entry)
}

#[cfg(test)]
mod tests;
