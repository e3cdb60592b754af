//! An Sbom in, its matches out: looked up by ecosystem and name, judged by version order, joined by aliases, ranked.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use plimsoll_model::{
    FixState, Match, MatchEvidence, Note, NoteKind, Package, PackageKind, Sbom, Severity, Vulnerability,
};
use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use crate::ecosystem::{CPE, CpeName, Module};
use crate::range::Range;
use crate::version::{Scheme, VersionError};
use crate::{cvss, ecosystem, feed, store, support, tables};

/// What is looked up: the same for all binaries of one source package.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Lookup {
    ecosystem: String,
    name: String,
    version: String,
    module: Module,
}

/// All matches, worst first, and what could not be judged.
pub(crate) fn find_matches(connection: &Connection, sbom: &Sbom) -> rusqlite::Result<(Vec<Match>, Vec<Note>)> {
    let ecosystems: HashMap<String, u32> = connection
        .prepare("SELECT name, id FROM ecosystem")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let (lookups, mut notes) = plan(sbom, &ecosystems);
    let mut reader = Reader::new(connection)?;
    let mut matches = Vec::new();
    for (lookup, packages) in &lookups {
        let (found, error) = reader.judge(ecosystems[&lookup.ecosystem], lookup)?;
        if let Some(error) = error {
            let subject = format!("{} {}", lookup.name, lookup.version);
            notes.push(Note::new(
                NoteKind::Unreadable,
                subject,
                format!("not judged fully: {error}"),
            ));
        }
        for one in found {
            matches.extend(packages.iter().map(|&package| Match { package, ..one.clone() }));
        }
    }
    // An RPM is looked up by its own and by its source's name; where both say something, a fix is worth more.
    matches.sort_by(|a, b| {
        let key = |one: &Match| (one.package, one.fixed_version.is_none());
        a.vulnerability
            .id
            .cmp(&b.vulnerability.id)
            .then_with(|| key(a).cmp(&key(b)))
    });
    matches.dedup_by(|a, b| (a.package, &a.vulnerability.id) == (b.package, &b.vulnerability.id));
    if let Some(release) = sbom.os.as_ref().and_then(ecosystem::of_os) {
        let of_release = lookups.keys().filter(|lookup| lookup.ecosystem == release);
        let compared: BTreeMap<String, String> = of_release
            .map(|lookup| (lookup.name.clone(), lookup.version.clone()))
            .collect();
        notes.extend(support::apply(connection, &release, &compared, &mut matches)?);
    }
    rank(&mut matches);
    Ok((matches, notes))
}

/// Which packages are looked up as what, and notes on those that the database cannot judge.
fn plan(sbom: &Sbom, known: &HashMap<String, u32>) -> (BTreeMap<Lookup, Vec<u32>>, Vec<Note>) {
    let os = sbom.os.as_ref().and_then(ecosystem::of_os);
    let is_os_known = os.as_ref().is_some_and(|os| known.contains_key(os));
    let mut lookups: BTreeMap<Lookup, Vec<u32>> = BTreeMap::new();
    let mut unjudged: BTreeMap<String, u32> = BTreeMap::new();
    for (index, package) in (0..).zip(&sbom.packages) {
        let is_of_os = package.kind.is_of_os();
        // The distribution judges the files that it brought; upstream's advisories do not know its patches.
        let is_owned = package.owner.and_then(|owner| sbom.packages.get(owner as usize));
        if !is_of_os && is_owned.is_some_and(|owner| owner.kind.is_of_os()) && is_os_known {
            continue;
        }
        // Only programs that were recognised by their bytes have CPE names.
        let named = named(package);
        if !named.is_empty() && known.contains_key(CPE) {
            for lookup in named {
                lookups.entry(lookup).or_default().push(index);
            }
        }
        let (ecosystem, compared) = if is_of_os {
            (
                os_ecosystem(sbom, os.as_deref(), package.kind),
                ecosystem::compared(package),
            )
        } else {
            // The applications of Erlang's own distribution are on no index.
            let is_indexed = !package.purl.starts_with("pkg:otp/");
            let Some(ecosystem) = ecosystem::of_kind(package.kind).filter(|_| is_indexed) else {
                // Programs recognised by their bytes have a note of their own.
                if package.kind != PackageKind::Binary && is_indexed {
                    *unjudged.entry(package.kind.name().to_owned()).or_default() += 1;
                }
                continue;
            };
            let name = ecosystem::package_name(ecosystem, &package.name);
            (ecosystem.to_owned(), vec![(name, package.version.clone())])
        };
        if known.contains_key(&ecosystem) {
            for (name, version) in compared {
                let ecosystem = ecosystem.clone();
                let lookup = Lookup {
                    ecosystem,
                    name,
                    version,
                    module: Module::of(package),
                };
                lookups.entry(lookup).or_default().push(index);
            }
        } else {
            *unjudged.entry(ecosystem).or_default() += 1;
        }
    }
    let mut notes: Vec<Note> = unjudged
        .into_iter()
        .map(|(ecosystem, count)| {
            let detail =
                format!("the vulnerability database has no advisories for it: {count} packages were not judged");
            Note::new(NoteKind::Unsupported, ecosystem, detail)
        })
        .collect();
    let binaries = sbom
        .packages
        .iter()
        .filter(|package| package.kind == PackageKind::Binary)
        .filter(|package| package.cpes.is_empty() || !known.contains_key(CPE))
        .count();
    if binaries > 0 {
        let detail = format!("{binaries} programs recognised by their bytes have no advisories of their own");
        notes.push(Note::new(NoteKind::Hint, "binaries", detail));
    }
    (lookups, notes)
}

/// What a program is looked up as by its CPE names.
fn named(package: &Package) -> Vec<Lookup> {
    let names = package.cpes.iter().filter_map(|cpe| CpeName::parse(cpe));
    names
        .map(|cpe| Lookup {
            ecosystem: CPE.to_owned(),
            name: cpe.package,
            version: package.version.trim_start_matches('v').to_owned(),
            module: Module::None,
        })
        .collect()
}

/// The ecosystem that a distribution's package is looked up in, which the database may not know: Entware's packages in a
/// Debian image are none of Debian's.
fn os_ecosystem(sbom: &Sbom, os: Option<&str>, kind: PackageKind) -> String {
    match (os, sbom.os.as_ref()) {
        (Some(os), release) if ecosystem::manages(release, kind) => os.to_owned(),
        (Some(_), _) => kind.name().to_owned(),
        (None, Some(release)) => release.id.clone(),
        (None, None) => "an unknown operating system".to_owned(),
    }
}

/// Known exploited, then what the vendor does not dismiss, then EPSS, then severity, then id and package.
fn rank(matches: &mut [Match]) {
    matches.sort_by(|a, b| {
        let (x, y) = (&a.vulnerability, &b.vulnerability);
        let epss = |vulnerability: &Vulnerability| vulnerability.epss.unwrap_or(-1.0);
        // EPSS knows nothing of how a distribution builds a package.
        let is_dismissed = |vulnerability: &Vulnerability| vulnerability.severity == Severity::Negligible;
        Reverse(x.known_exploited)
            .cmp(&Reverse(y.known_exploited))
            .then_with(|| is_dismissed(x).cmp(&is_dismissed(y)))
            .then_with(|| epss(y).total_cmp(&epss(x)))
            .then_with(|| y.severity.cmp(&x.severity))
            .then_with(|| x.id.cmp(&y.id))
            .then_with(|| a.package.cmp(&b.package))
    });
}

/// The vulnerabilities of an advisory: those that it fixes, else itself by its CVE id where it has one.
pub(crate) fn vulnerabilities(key: &str, fixes: &str, aliases: &str) -> Vec<String> {
    let mut names: Vec<String> = store::split(fixes).map(str::to_owned).collect();
    if names.is_empty() {
        let cve = std::iter::once(key)
            .chain(store::split(aliases))
            .find(|name| feed::is_cve(name));
        names.push(cve.unwrap_or(key).to_owned());
    }
    names
}

/// One row of `affected` that holds the version.
struct Hit {
    advisory: u32,
    state: FixState,
    severity: Severity,
    fixed: Option<String>,
    range: String,
}

/// A row of `advisory`.
#[derive(Clone)]
struct Advisory {
    source: String,
    key: String,
    name: String,
    severity: Severity,
    cvss: Option<f32>,
    aliases: String,
    fixes: String,
}

struct Reader<'c> {
    affected: CachedStatement<'c>,
    advisory: CachedStatement<'c>,
    text: CachedStatement<'c>,
    enrichment: CachedStatement<'c>,
}

impl<'c> Reader<'c> {
    fn new(connection: &'c Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            affected: connection.prepare_cached(
                "SELECT advisory, state, severity, introduced, fixed, last_affected, versions, module FROM affected \
                 WHERE ecosystem = ?1 AND package = ?2",
            )?,
            advisory: connection.prepare_cached(
                "SELECT source, key, name, severity, cvss, aliases, fixes FROM advisory WHERE id = ?1",
            )?,
            text: connection.prepare_cached("SELECT summary FROM text WHERE name = ?1")?,
            enrichment: connection.prepare_cached("SELECT kev_added, epss, cvss FROM enrichment WHERE cve = ?1")?,
        })
    }

    /// The vulnerabilities of one version of one package; package 0 stands in all of them.
    /// The first version that cannot be compared is an error beside the matches of those that can.
    fn judge(&mut self, ecosystem: u32, lookup: &Lookup) -> rusqlite::Result<(Vec<Match>, Option<VersionError>)> {
        let (hits, error) = self.hits(ecosystem, lookup)?;
        let mut judged = Vec::with_capacity(hits.len());
        for hit in hits {
            let advisory = self.read_advisory(hit.advisory)?;
            judged.push((source_rank(&advisory.source), hit, advisory));
        }
        judged.sort_by_key(|(rank, hit, _)| (*rank, hit.advisory));
        let mut joined = Vec::new();
        for (_, hit, advisory) in &judged {
            for name in vulnerabilities(&advisory.key, &advisory.fixes, &advisory.aliases) {
                let names = names_of(&name, advisory);
                match join(&mut joined, names) {
                    // Another source said it before: its judgement stays, the names are known now.
                    Some(_) => {}
                    None => {
                        let one = self.make_match(lookup, hit, advisory, name.clone())?;
                        joined.push((names_of(&name, advisory), one));
                    }
                }
            }
        }
        let finish = |(names, mut one): (BTreeSet<String>, Match)| {
            let id = &one.vulnerability.id;
            one.vulnerability.aliases = names.into_iter().filter(|name| name != id).collect();
            one
        };
        Ok((joined.into_iter().map(finish).collect(), error))
    }

    /// Rows that hold the version, one per advisory.
    fn hits(&mut self, ecosystem: u32, lookup: &Lookup) -> rusqlite::Result<(Vec<Hit>, Option<VersionError>)> {
        let mut first_error = None;
        let scheme = ecosystem::scheme(&lookup.ecosystem);
        let mut hits: Vec<Hit> = Vec::new();
        let mut rows = self.affected.query(params![ecosystem, lookup.name])?;
        while let Some(row) = rows.next()? {
            let advisory = row.get(0)?;
            let state = tables::state_of(row.get(1)?);
            if state == FixState::NotAffected || hits.last().is_some_and(|hit| hit.advisory == advisory) {
                continue;
            }
            let text = |index: usize| row.get_ref(index).and_then(|value| Ok(value.as_str_or_null()?));
            if !lookup.module.is_meant(text(7)?) {
                continue;
            }
            let range = Range {
                introduced: text(3)?,
                fixed: text(4)?,
                last_affected: text(5)?,
            };
            let described = match text(6)? {
                Some(versions) => {
                    holds_listed(scheme, versions, &lookup.version).then(|| format!("= {}", lookup.version))
                }
                None => match range.holds(scheme, &lookup.version) {
                    Ok(holds) => holds.then(|| range.describe()),
                    Err(error) => {
                        first_error = first_error.or(Some(error));
                        None
                    }
                },
            };
            if let Some(described) = described {
                hits.push(Hit {
                    advisory,
                    state,
                    severity: tables::severity_of(row.get(2)?),
                    fixed: range.fixed.map(str::to_owned),
                    range: described,
                });
            }
        }
        Ok((hits, first_error))
    }

    fn read_advisory(&mut self, id: u32) -> rusqlite::Result<Advisory> {
        self.advisory.query_row([id], |row| {
            Ok(Advisory {
                source: row.get(0)?,
                key: row.get(1)?,
                name: row.get(2)?,
                severity: tables::severity_of(row.get(3)?),
                cvss: row.get(4)?,
                aliases: row.get(5)?,
                fixes: row.get(6)?,
            })
        })
    }

    fn make_match(&mut self, lookup: &Lookup, hit: &Hit, advisory: &Advisory, id: String) -> rusqlite::Result<Match> {
        let summary = self
            .text
            .query_row([&id], |row| row.get(0))
            .optional()?
            .unwrap_or_default();
        let enriched: Option<(Option<String>, Option<f32>, Option<f32>)> = self
            .enrichment
            .query_row([&id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let (kev_added, epss, cvss_score) = enriched.unwrap_or_default();
        let cvss_score = advisory.cvss.or(cvss_score);
        let severity = [hit.severity, advisory.severity]
            .into_iter()
            .find(|severity| *severity != Severity::Unknown)
            .or(cvss_score.map(cvss::severity))
            .unwrap_or_default();
        Ok(Match {
            package: 0,
            vulnerability: Vulnerability {
                id,
                aliases: Vec::new(),
                severity,
                cvss_score,
                known_exploited: kev_added.is_some(),
                epss,
                summary,
            },
            fix_state: hit.state,
            fixed_version: hit.fixed.clone(),
            evidence: MatchEvidence {
                advisory: advisory.name.clone(),
                source: advisory.source.clone(),
                ecosystem: lookup.ecosystem.clone(),
                compared_name: lookup.name.clone(),
                compared_version: lookup.version.clone(),
                range: hit.range.clone(),
            },
            reach: None,
        })
    }
}

fn source_rank(source: &str) -> usize {
    tables::SOURCES
        .iter()
        .position(|name| *name == source)
        .unwrap_or(usize::MAX)
}

/// Whether a list of versions has one that is equal.
fn holds_listed(scheme: &dyn Scheme, versions: &str, version: &str) -> bool {
    store::split(versions).any(|listed| {
        listed == version
            || scheme
                .compare(listed, version)
                .is_ok_and(|order| order == std::cmp::Ordering::Equal)
    })
}

/// All names of one vulnerability of an advisory. An update's own id stands for several, so it joins nothing.
fn names_of(vulnerability: &str, advisory: &Advisory) -> BTreeSet<String> {
    let mut names = BTreeSet::from([vulnerability.to_owned()]);
    if advisory.fixes.is_empty() {
        names.insert(advisory.key.clone());
        names.insert(advisory.name.clone());
        names.extend(store::split(&advisory.aliases).map(str::to_owned));
    }
    names
}

/// Adds names to the entry that shares one; entries that are found to be the same become the first of them.
fn join(joined: &mut Vec<(BTreeSet<String>, Match)>, names: BTreeSet<String>) -> Option<usize> {
    let first = joined.iter().position(|(known, _)| !known.is_disjoint(&names))?;
    joined[first].0.extend(names);
    let mut index = first + 1;
    while index < joined.len() {
        if joined[first].0.is_disjoint(&joined[index].0) {
            index += 1;
        } else {
            let (names, _) = joined.remove(index);
            joined[first].0.extend(names);
        }
    }
    Some(first)
}
