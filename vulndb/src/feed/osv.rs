//! Open Source Vulnerability format (<https://ossf.github.io/osv-schema/>, to 1.7): one record per document.

use std::borrow::Cow;

use plimsoll_model::{FixState, Severity};
use serde::Deserialize;

use super::{
    Affected, Batch, Feed, Framing, Record, checked, is_cve, is_of_module, module_streams, one_line, severity_word,
};
use crate::limits::{MAX_AFFECTED_PER_RECORD, MAX_ALIASES, MAX_VERSIONS};
use crate::{cvss, ecosystem};

/// All ecosystems that publish OSV records.
pub(super) struct Osv;

impl Feed for Osv {
    fn name(&self) -> &'static str {
        "osv"
    }

    fn recognises(&self, file_name: &str, head: &[u8]) -> bool {
        let is_json = [".json", ".jsonl", ".ndjson"]
            .iter()
            .any(|end| file_name.ends_with(end));
        let has = |needle: &[u8]| memchr::memmem::find(head, needle).is_some();
        is_json && has(b"\"id\"") && (has(b"\"modified\"") || has(b"\"affected\"") || has(b"\"schema_version\""))
    }

    fn framing(&self) -> Framing {
        Framing::Json
    }

    fn parse(&self, document: &[u8], batch: &mut Batch) -> Result<(), String> {
        let record: OsvRecord<'_> = serde_json::from_slice(document).map_err(|error| error.to_string())?;
        batch.records.push(convert(&record)?);
        Ok(())
    }
}

/// The members that we use; feeds add their own, so unknown ones are no error.
#[derive(Deserialize)]
struct OsvRecord<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow, default)]
    modified: Cow<'a, str>,
    withdrawn: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    summary: Cow<'a, str>,
    #[serde(borrow, default)]
    details: Cow<'a, str>,
    #[serde(default)]
    aliases: Vec<Cow<'a, str>>,
    #[serde(default)]
    upstream: Vec<Cow<'a, str>>,
    #[serde(default)]
    related: Vec<Cow<'a, str>>,
    #[serde(default)]
    severity: Vec<OsvSeverity<'a>>,
    #[serde(default)]
    affected: Vec<OsvAffected<'a>>,
    database_specific: Option<Specific<'a>>,
}

#[derive(Deserialize)]
struct OsvSeverity<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    score: Cow<'a, str>,
}

#[derive(Deserialize)]
struct OsvAffected<'a> {
    #[serde(borrow)]
    package: Option<OsvPackage<'a>>,
    #[serde(default)]
    ranges: Vec<OsvRange<'a>>,
    #[serde(default)]
    versions: Vec<Cow<'a, str>>,
    #[serde(default)]
    severity: Vec<OsvSeverity<'a>>,
    ecosystem_specific: Option<Specific<'a>>,
    database_specific: Option<Specific<'a>>,
}

#[derive(Deserialize)]
struct OsvPackage<'a> {
    #[serde(borrow)]
    ecosystem: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
}

#[derive(Deserialize)]
struct OsvRange<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(default)]
    events: Vec<OsvEvent<'a>>,
}

#[derive(Deserialize)]
struct OsvEvent<'a> {
    #[serde(borrow)]
    introduced: Option<Cow<'a, str>>,
    fixed: Option<Cow<'a, str>>,
    last_affected: Option<Cow<'a, str>>,
}

/// Where the sources put their own severity.
#[derive(Deserialize)]
struct Specific<'a> {
    /// GHSA, Bitnami: a word.
    #[serde(borrow, default, deserialize_with = "word")]
    severity: Option<Cow<'a, str>>,
    /// Debian.
    #[serde(default, deserialize_with = "word")]
    urgency: Option<Cow<'a, str>>,
    /// Ubuntu.
    #[serde(default, deserialize_with = "word")]
    ubuntu_priority: Option<Cow<'a, str>>,
}

/// A string; any other type counts as absent, because these members are not part of the schema.
fn word<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Cow<'de, str>>, D::Error> {
    struct Word;
    impl<'de> serde::de::Visitor<'de> for Word {
        type Value = Option<Cow<'de, str>>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("anything")
        }
        fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
            Ok(Some(Cow::Borrowed(text)))
        }
        fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Some(Cow::Owned(text.to_owned())))
        }
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            while seq.next_element::<serde::de::IgnoredAny>()?.is_some() {}
            Ok(None)
        }
        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            while map
                .next_entry::<serde::de::IgnoredAny, serde::de::IgnoredAny>()?
                .is_some()
            {}
            Ok(None)
        }
    }
    deserializer.deserialize_any(Word)
}

/// Prefixes of ids and the source that gives them. OSV.dev puts the ecosystem before the CVE id of distributions that
/// have one record per CVE.
const SOURCES: &[(&str, &str)] = &[
    ("GHSA-", "ghsa"),
    ("GO-", "go"),
    ("RUSTSEC-", "rustsec"),
    ("PYSEC-", "pypa"),
    ("BIT-", "bitnami"),
    ("DEBIAN-", "debian"),
    ("DSA-", "debian"),
    ("DLA-", "debian"),
    ("DTSA-", "debian"),
    ("ALPINE-", "alpine"),
    ("UBUNTU-", "ubuntu"),
    ("USN-", "ubuntu"),
    ("LSN-", "ubuntu"),
    ("ALSA-", "almalinux"),
    ("ALBA-", "almalinux"),
    ("ALEA-", "almalinux"),
    ("RLSA-", "rocky"),
    ("RXSA-", "rocky"),
    ("RHSA-", "redhat"),
    ("RHBA-", "redhat"),
    ("RHEA-", "redhat"),
    ("SUSE-", "suse"),
    ("openSUSE-", "suse"),
    ("CGA-", "chainguard"),
    ("MAL-", "malicious-packages"),
];

/// For records whose id is a bare CVE: whose ecosystem they are about.
const ECOSYSTEM_SOURCES: &[(&str, &str)] = &[("Debian", "debian"), ("Alpine", "alpine"), ("Ubuntu", "ubuntu")];

fn source_of(record: &OsvRecord<'_>) -> &'static str {
    if let Some((_, source)) = SOURCES.iter().find(|(prefix, _)| record.id.starts_with(prefix)) {
        return source;
    }
    let ecosystem = record.affected.iter().find_map(|affected| affected.package.as_ref());
    let ecosystem = ecosystem.map_or("", |package| package.ecosystem.split(':').next().unwrap_or(""));
    ECOSYSTEM_SOURCES
        .iter()
        .find(|(name, _)| *name == ecosystem)
        .map_or("osv", |(_, source)| source)
}

/// Sources whose advisories are updates that fix several CVEs, rather than records of one vulnerability.
fn is_update(id: &str) -> bool {
    const UPDATES: &[&str] = &[
        "DSA-",
        "DLA-",
        "DTSA-",
        "USN-",
        "LSN-",
        "ALSA-",
        "ALBA-",
        "ALEA-",
        "RLSA-",
        "RXSA-",
        "RHSA-",
        "RHBA-",
        "RHEA-",
        "SUSE-",
        "openSUSE-",
    ];
    UPDATES.iter().any(|prefix| id.starts_with(prefix))
}

fn convert(record: &OsvRecord<'_>) -> Result<Record, String> {
    let id = checked("id", &record.id)?;
    let names = record.aliases.len() + record.upstream.len() + record.related.len();
    if names > MAX_ALIASES {
        return Err(format!("more than {MAX_ALIASES} aliases"));
    }
    let mut aliases = record
        .aliases
        .iter()
        .map(|alias| checked("alias", alias))
        .collect::<Result<Vec<_>, _>>()?;
    let mut fixes = Vec::new();
    if is_update(&id) {
        let cves = record.upstream.iter().chain(&record.related).chain(&record.aliases);
        fixes.extend(cves.filter(|name| is_cve(name)).map(|name| name.to_string()));
        fixes.sort_unstable();
        fixes.dedup();
        aliases.retain(|alias| !is_cve(alias));
    }
    // `DEBIAN-CVE-2026-22796` is Debian's record of the CVE; older exports call it by the bare id.
    let cve = id.find("CVE-").map(|start| &id[start..]).filter(|cve| is_cve(cve));
    let key = cve.unwrap_or(&id).to_owned();
    if key != id {
        aliases.push(id.clone());
    }
    aliases.sort_unstable();
    aliases.dedup();
    let affected = convert_affected(record)?;
    let text = if record.summary.trim().is_empty() {
        &record.details
    } else {
        &record.summary
    };
    let record_vectors = vectors(&record.severity);
    let vectors_of_all = record_vectors.chain(record.affected.iter().flat_map(|affected| vectors(&affected.severity)));
    Ok(Record {
        source: source_of(record),
        key,
        modified: record.modified.trim().to_owned(),
        severity: record_severity(record),
        cvss: cvss::newest(vectors_of_all),
        aliases,
        fixes,
        summary: one_line(text),
        withdrawn: record.withdrawn.is_some(),
        affected,
        id,
    })
}

fn vectors<'a>(severities: &'a [OsvSeverity<'_>]) -> impl Iterator<Item = &'a str> {
    severities
        .iter()
        .filter(|severity| severity.kind.starts_with("CVSS"))
        .map(|severity| severity.score.as_ref())
}

fn record_severity(record: &OsvRecord<'_>) -> Severity {
    let own = record
        .database_specific
        .as_ref()
        .map_or(Severity::Unknown, specific_severity);
    if own != Severity::Unknown {
        return own;
    }
    let ubuntu = record.severity.iter().find(|severity| severity.kind == "Ubuntu");
    if let Some(ubuntu) = ubuntu {
        return severity_word(&ubuntu.score);
    }
    // AlmaLinux, Rocky and Red Hat put their word at the start of the summary: `Important: bind security update`.
    match record.summary.split_once(':') {
        Some((word, _)) if is_update(&record.id) => severity_word(word.rsplit(' ').next().unwrap_or(word)),
        _ => Severity::Unknown,
    }
}

fn specific_severity(specific: &Specific<'_>) -> Severity {
    [&specific.severity, &specific.urgency, &specific.ubuntu_priority]
        .into_iter()
        .flatten()
        .map(|word| severity_word(word))
        .find(|severity| *severity != Severity::Unknown)
        .unwrap_or_default()
}

fn convert_affected(record: &OsvRecord<'_>) -> Result<Vec<Affected>, String> {
    let mut all = Vec::with_capacity(record.affected.len());
    for affected in &record.affected {
        // Records about a repository alone (GIT ranges) name no package.
        let Some(package) = &affected.package else { continue };
        // Ubuntu Pro's word counts only where the release itself has none, its FIPS builds are packages of their own.
        if package.ecosystem.starts_with("Ubuntu:Pro:") && is_pro_idle(record, package) {
            continue;
        }
        let ecosystem = ecosystem::canonical(&checked("ecosystem", &package.ecosystem)?);
        let name = ecosystem::package_name(&ecosystem, &checked("package name", &package.name)?);
        if affected.versions.len() > MAX_VERSIONS {
            return Err(format!("more than {MAX_VERSIONS} versions of {name}"));
        }
        let specifics = [&affected.ecosystem_specific, &affected.database_specific];
        let severity = specifics
            .into_iter()
            .flatten()
            .map(specific_severity)
            .find(|severity| *severity != Severity::Unknown)
            .unwrap_or_default();
        let is_end_of_life = specifics
            .into_iter()
            .flatten()
            .any(|specific| specific.urgency.as_deref() == Some("end-of-life"));
        let template = Affected {
            state: if is_end_of_life {
                FixState::EndOfLife
            } else {
                FixState::Affected
            },
            severity,
            ..Affected::new(&ecosystem, &name)
        };
        add_ranges(affected, &template, &mut all)?;
        if all.len() > MAX_AFFECTED_PER_RECORD {
            return Err(format!("more than {MAX_AFFECTED_PER_RECORD} affected ranges"));
        }
    }
    let is_modular = |row: &Affected| row.fixed.as_deref().is_some_and(is_of_module);
    for row in all.iter_mut().filter(|row| is_modular(row)) {
        row.module = Some(module_streams(&record.summary));
    }
    Ok(all)
}

fn is_pro_idle(record: &OsvRecord<'_>, pro: &OsvPackage<'_>) -> bool {
    let canonical = ecosystem::canonical(&pro.ecosystem);
    let mut packages = record.affected.iter().filter_map(|affected| affected.package.as_ref());
    pro.ecosystem.contains(":FIPS")
        || packages.any(|other| {
            let is_pro = other.ecosystem.starts_with("Ubuntu:Pro:");
            !is_pro && other.name == pro.name && ecosystem::canonical(&other.ecosystem) == canonical
        })
}

/// One row per pair of events, and one for the enumerated versions that no range holds.
fn add_ranges(affected: &OsvAffected<'_>, template: &Affected, all: &mut Vec<Affected>) -> Result<(), String> {
    let first = all.len();
    for range in affected.ranges.iter().filter(|range| range.kind != "GIT") {
        let mut open: Option<Affected> = None;
        for event in &range.events {
            if let Some(introduced) = &event.introduced {
                all.extend(open.take());
                let introduced = checked("introduced", introduced)?;
                open = Some(Affected {
                    introduced: (introduced != "0").then_some(introduced),
                    ..template.clone()
                });
            }
            if let Some(fixed) = &event.fixed {
                let mut row = open.take().unwrap_or_else(|| template.clone());
                // Debian writes `fixed: 0` for a release that never had the fault.
                let never = fixed == "0";
                row.state = if never { FixState::NotAffected } else { FixState::Fixed };
                row.fixed = (!never).then(|| checked("fixed", fixed)).transpose()?;
                all.push(row);
            }
            if let Some(last) = &event.last_affected {
                let mut row = open.take().unwrap_or_else(|| template.clone());
                row.last_affected = Some(checked("last_affected", last)?);
                all.push(row);
            }
        }
        all.extend(open);
    }
    let scheme = ecosystem::scheme(&template.ecosystem);
    let is_held = |version: &str| {
        let holds = |row: &Affected| row.range().holds(scheme, version).unwrap_or(false);
        all[first..]
            .iter()
            .any(|row| row.state != FixState::NotAffected && holds(row))
    };
    let versions = affected
        .versions
        .iter()
        .filter(|version| !is_held(version))
        .map(|version| checked("version", version))
        .collect::<Result<Vec<_>, _>>()?;
    // Without range and without versions the whole package is meant (malicious packages).
    if all.len() == first || !versions.is_empty() {
        all.push(Affected {
            versions,
            ..template.clone()
        });
    }
    Ok(())
}
