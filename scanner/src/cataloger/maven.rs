//! What Java archives say of themselves in, packages out: Maven's own coordinates where a build left them, else the manifest,
//! else the name of the file.

mod groups;

use plimsoll_model::{FileEntry, FileKind, Note, NoteKind, Package, PackageKind};

use super::{Catalog, Cataloger, Input, Want, language};
use crate::{
    layer::watch::{
        Sighting,
        jar::{self, Archive, Coordinates, JarFacts},
    },
    purl,
};

/// Maven Central, and what is named as it names things.
pub(super) struct Maven;

impl Cataloger for Maven {
    fn name(&self) -> &'static str {
        "maven"
    }

    /// Archives are looked into as they stream, however large: none is kept.
    fn wants(&self, _path: &str) -> Option<Want> {
        None
    }

    fn catalog(&self, input: &Input<'_>) -> Catalog {
        let mut catalog = Catalog::default();
        let is_archive = |entry: &&FileEntry| entry.kind == FileKind::Regular && jar::is_archive_name(&entry.path);
        for entry in input.tree.iter().filter(is_archive) {
            let found = input.tree.sightings(entry).iter().find_map(|sighting| match sighting {
                Sighting::Jar(facts) => Some(facts),
                _ => None,
            });
            match found {
                Some(facts) => read(entry, facts, &mut catalog),
                None => {
                    let detail = "Java archive was not looked into";
                    catalog.notes.push(Note::new(NoteKind::Unreadable, &entry.path, detail));
                }
            }
        }
        without_group(&mut catalog);
        catalog
    }
}

fn read(entry: &FileEntry, facts: &JarFacts, catalog: &mut Catalog) {
    for note in &facts.notes {
        let subject = match note.place.as_str() {
            "" => entry.path.clone(),
            place => format!("{}!/{place}", entry.path),
        };
        catalog.notes.push(Note::new(note.kind, subject, note.detail.clone()));
    }
    // An archive that could not be read at all names nothing that can be believed.
    let is_readable = |archive: &Archive| {
        let is_named = !archive.manifest.is_empty() || !archive.coordinates.is_empty();
        is_named || !facts.notes.iter().any(|note| note.place == archive.place)
    };
    for archive in facts.archives.iter().filter(|archive| is_readable(archive)) {
        let file_name = match archive.place.as_str() {
            "" => entry.path.as_str(),
            place => place,
        };
        let file_name = file_name.rsplit('/').next().unwrap_or(file_name);
        for found in identify(file_name, archive) {
            catalog.packages.push(package(entry, archive, &found));
        }
    }
}

fn package(entry: &FileEntry, archive: &Archive, found: &Coordinates) -> Package {
    let (name, namespace) = match found.group.as_str() {
        "" => (found.artifact.clone(), Vec::new()),
        group => (format!("{group}:{}", found.artifact), vec![group]),
    };
    let purl = purl::of_library("maven", &namespace, &found.artifact, &found.version);
    let mut package = language::package(PackageKind::Maven, &name, &found.version, purl, entry);
    if !archive.place.is_empty() {
        package.evidence_path = format!("{}!/{}", entry.path, archive.place);
    }
    package.files = vec![&entry.path].into();
    package.licences.extend(licence(archive));
    package
}

/// OSGi's licences are names or addresses, with attributes; only names say something by themselves.
fn licence(archive: &Archive) -> Option<String> {
    let text = attribute(archive, "Bundle-License")?;
    let name = text.split([';', ',']).next()?.trim().trim_matches('"');
    let is_name = !name.is_empty() && name.len() <= 100 && !name.contains("://") && archive.coordinates.len() <= 1;
    is_name.then(|| name.to_owned())
}

/// Advisories name a group; what has none is looked up in vain, which must be said.
fn without_group(catalog: &mut Catalog) {
    let count = catalog
        .packages
        .iter()
        .filter(|package| !package.name.contains(':'))
        .count();
    if count > 0 {
        let detail = format!("{count} Java archives do not say which Maven group they are of: no advisory names them");
        catalog.notes.push(Note::new(NoteKind::Hint, "Java archives", detail));
    }
}

/// The packages in one archive. Several `pom.properties` mean that a build put libraries into it (maven-shade-plugin), and so does
/// a single one when the archive's name and its manifest agree on another version.
fn identify(file_name: &str, archive: &Archive) -> Vec<Coordinates> {
    let mut found = archive.coordinates.clone();
    found.sort();
    found.dedup();
    let (stem, version) = split_name(file_name);
    let is_itself = |one: &Coordinates| {
        stem.eq_ignore_ascii_case(&one.artifact) || file_name.starts_with(&format!("{}-{}", one.artifact, one.version))
    };
    let is_renamed = || version.is_none_or(|version| found[0].version == version || !is_stated(archive, version));
    if found.iter().any(is_itself) || (found.len() == 1 && is_renamed()) {
        return found;
    }
    let version = version_of(archive, version);
    // What a shaded archive is called counts only where it says a version of its own.
    if let Some(version) = version
        && !stem.is_empty()
    {
        let group = group_of(archive, stem).unwrap_or_default();
        found.push(Coordinates {
            group,
            artifact: stem.to_owned(),
            version,
        });
    }
    found
}

fn attribute<'a>(archive: &'a Archive, name: &str) -> Option<&'a str> {
    archive
        .manifest
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}

/// Whether the manifest has this version of what the archive is.
fn is_stated(archive: &Archive, version: &str) -> bool {
    VERSIONS.iter().any(|name| attribute(archive, name) == Some(version))
}

/// Attributes that state a version, the surest first.
const VERSIONS: [&str; 4] = [
    "Implementation-Version",
    "Bundle-Version",
    "Plugin-Version",
    "Specification-Version",
];

/// The name of the file is what people chose when they released it; manifests often have the version of something else.
fn version_of(archive: &Archive, of_name: Option<&str>) -> Option<String> {
    let mut stated = VERSIONS.iter().filter_map(|name| attribute(archive, name));
    let found = of_name.or_else(|| stated.find(|version| version.starts_with(|c: char| c.is_ascii_digit())))?;
    // `2.14.1 (build 7)`
    found.split_whitespace().next().map(str::to_owned)
}

/// The group from what says it, else from the table, else from what is made of group and artifact: OSGi's symbolic name and
/// Java's module name.
fn group_of(archive: &Archive, artifact: &str) -> Option<String> {
    for name in ["Group-Id", "Implementation-Vendor-Id"] {
        if let Some(group) = attribute(archive, name).filter(|text| is_group(text)) {
            return Some(group.to_owned());
        }
    }
    // Nebula's plug-ins for Gradle write `io.micrometer#micrometer-commons;1.13.4`.
    let title = attribute(archive, "Implementation-Title").and_then(|title| title.split_once('#'));
    if let Some((group, _)) = title.filter(|(group, rest)| is_group(group) && rest.starts_with(artifact)) {
        return Some(group.to_owned());
    }
    let known = groups::known(artifact).map(str::to_owned);
    known.or_else(|| named_by_parts(archive, artifact))
}

fn named_by_parts(archive: &Archive, artifact: &str) -> Option<String> {
    ["Bundle-SymbolicName", "Automatic-Module-Name"]
        .iter()
        .find_map(|name| {
            let name = attribute(archive, name)?.split(';').next()?.trim();
            if name.rsplit('.').next() == Some(artifact) && name.contains('.') {
                let group = &name[..name.len() - artifact.len() - 1];
                return is_group(group).then(|| group.to_owned());
            }
            // maven-bundle-plugin: the artifact commons-lang3 of org.apache.commons is org.apache.commons.lang3.
            let (group, last) = name.rsplit_once('.')?;
            let start = group.rsplit('.').next()?;
            (is_group(group) && artifact == format!("{start}-{last}")).then(|| group.to_owned())
        })
}

fn is_group(text: &str) -> bool {
    text.contains('.')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
}

/// `commons-lang3-3.12.0.jar` is `commons-lang3` and `3.12.0`: a version begins with a digit after a hyphen.
fn split_name(file_name: &str) -> (&str, Option<&str>) {
    let stem = file_name.rsplit_once('.').map_or(file_name, |(stem, _)| stem);
    let start = stem
        .match_indices('-')
        .map(|(at, _)| at)
        .find(|at| stem[at + 1..].starts_with(|c: char| c.is_ascii_digit()));
    match start {
        Some(at) if at > 0 => (&stem[..at], Some(&stem[at + 1..])),
        _ => (stem, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identified(file_name: &str, manifest: &[(&str, &str)], poms: &[(&str, &str, &str)]) -> Vec<String> {
        let archive = Archive {
            place: String::new(),
            manifest: manifest
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            coordinates: poms
                .iter()
                .map(|(group, artifact, version)| Coordinates {
                    group: (*group).to_owned(),
                    artifact: (*artifact).to_owned(),
                    version: (*version).to_owned(),
                })
                .collect(),
        };
        identify(file_name, &archive)
            .into_iter()
            .map(|one| format!("{}:{}:{}", one.group, one.artifact, one.version))
            .collect()
    }

    #[test]
    fn mavens_own_coordinates_come_first() {
        let commons = ("org.apache.commons", "commons-lang3", "3.14.0");
        assert_eq!(
            identified("renamed.jar", &[("Implementation-Version", "9")], &[commons]),
            ["org.apache.commons:commons-lang3:3.14.0"]
        );
        // A shaded archive: the library in it, and itself by its name.
        assert_eq!(
            identified("tool-1.0.jar", &[], &[commons, ("a", "b", "1")]),
            ["a:b:1", "org.apache.commons:commons-lang3:3.14.0", ":tool:1.0"]
        );
        assert_eq!(
            identified("b-1-jar-with-dependencies.jar", &[], &[commons, ("a", "b", "1")]),
            ["a:b:1", "org.apache.commons:commons-lang3:3.14.0"]
        );
    }

    /// Maven Central's guice-4.2.3.jar: the library in it is all that a `pom.properties` names.
    #[test]
    fn an_archive_that_holds_one_library_is_itself_besides() {
        let cglib = ("cglib", "cglib", "3.3.0");
        let manifest = [
            ("Automatic-Module-Name", "com.google.guice"),
            ("Bundle-SymbolicName", "com.google.inject"),
            ("Bundle-Version", "4.2.3"),
        ];
        assert_eq!(
            identified("guice-4.2.3.jar", &manifest, &[cglib]),
            ["cglib:cglib:3.3.0", "com.google.inject:guice:4.2.3"]
        );
        // Numbers in a name are no version when nothing else says so.
        assert_eq!(identified("copy-7.jar", &manifest, &[cglib]), ["cglib:cglib:3.3.0"]);
        assert_eq!(identified("guice.jar", &manifest, &[cglib]), ["cglib:cglib:3.3.0"]);
    }

    #[test]
    fn manifests_and_names_fill_in() {
        for (name, manifest, expected) in [
            (
                "commons-lang3-3.12.0.jar",
                &[("Bundle-SymbolicName", "org.apache.commons.lang3;singleton:=true")][..],
                &["org.apache.commons:commons-lang3:3.12.0"][..],
            ),
            (
                "slf4j-api-2.0.1.jar",
                &[("Implementation-Vendor-Id", "org.slf4j")],
                &["org.slf4j:slf4j-api:2.0.1"],
            ),
            (
                "spring-core.jar",
                &[
                    ("Automatic-Module-Name", "spring.core"),
                    ("Implementation-Version", "6.1"),
                ],
                &["org.springframework:spring-core:6.1"],
            ),
            ("guava-33.3.0-jre.jar", &[], &[":guava:33.3.0-jre"]),
            ("app.jar", &[("Implementation-Version", "unknown")], &[]),
            ("rt.jar", &[], &[]),
            ("-1.jar", &[], &[]),
        ] {
            assert_eq!(identified(name, manifest, &[]), expected, "{name}");
        }
    }
}
