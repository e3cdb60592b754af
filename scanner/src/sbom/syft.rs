//! Syft's own JSON (schema 16) in, components out.

use plimsoll_model::OsRelease;
use serde::Deserialize;

use super::entry::{Component, Entries, Ours};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Document {
    artifacts: Vec<Artifact>,
    distro: Distro,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Artifact {
    id: String,
    name: String,
    version: String,
    purl: String,
    licenses: Vec<Licence>,
    cpes: Vec<Cpe>,
    locations: Vec<Location>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Licence {
    value: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Cpe {
    cpe: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Location {
    path: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Distro {
    id: String,
    #[serde(rename = "versionID")]
    version_id: String,
    version_codename: String,
    id_like: Vec<String>,
    pretty_name: String,
}

/// Takes every artifact.
pub(super) fn collect(document: Document, entries: &mut Entries) {
    let distro = document.distro;
    entries.os = (!distro.id.is_empty()).then_some(OsRelease {
        id: distro.id,
        version_id: distro.version_id,
        version_codename: distro.version_codename,
        id_like: distro.id_like,
        pretty_name: distro.pretty_name,
    });
    for artifact in document.artifacts {
        let evidence = artifact.locations.into_iter().next().map(|location| location.path);
        entries.add(Component {
            id: artifact.id,
            name: artifact.name,
            version: artifact.version,
            purl: artifact.purl,
            cpes: artifact.cpes.into_iter().map(|cpe| cpe.cpe).collect(),
            licences: artifact.licenses.into_iter().map(|licence| licence.value).collect(),
            ours: Ours {
                evidence: evidence.unwrap_or_default(),
                ..Ours::default()
            },
            ..Component::default()
        });
    }
}
