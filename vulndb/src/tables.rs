//! Records in, the database's tables out: newer records override older ones, everything sorted, ids dense.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::{HashMap, HashMapExt as _};
use plimsoll_model::{FixState, Severity};
use rayon::prelude::*;

use crate::feed::{Affected, Enrichment, Record, Support, SupportKind};

/// Names of all sources, in the order in which their texts are preferred.
pub(crate) const SOURCES: &[&str] = &[
    "debian",
    "ghsa",
    "redhat",
    "ubuntu",
    "alpine",
    "almalinux",
    "rocky",
    "amazon",
    "suse",
    "oracle",
    "arch",
    "chainguard",
    "go",
    "rustsec",
    "pypa",
    "rubysec",
    "friendsofphp",
    "bitnami",
    "malicious-packages",
    "osv",
    "nvd",
    "kev",
    "epss",
    "cvss",
    "ssvc",
    "debian-support",
    "distro-info",
];

/// The whole content of a database, in memory.
#[derive(Debug, Default)]
pub(crate) struct Content {
    /// In the order of import: of two records that are equally new, the later one counts.
    pub(crate) records: Vec<Record>,
    /// CVE → what is known beside advisories.
    pub(crate) enrichments: BTreeMap<String, Enriched>,
    /// Vulnerability → one line of prose.
    pub(crate) texts: BTreeMap<String, String>,
    /// By name.
    pub(crate) sources: BTreeMap<String, SourceRow>,
    /// By ecosystem, package and kind.
    pub(crate) support: BTreeMap<SupportKey, Support>,
}

/// What a newer row about support overrides an older one by.
pub(crate) type SupportKey = (String, String, SupportKind);

/// What is known of a CVE.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Enriched {
    pub(crate) kev_added: Option<String>,
    pub(crate) epss: Option<f32>,
    pub(crate) cvss: Option<(f32, String)>,
    /// CISA's decision points: `active/yes/total`.
    pub(crate) ssvc: Option<&'static str>,
}

impl Enriched {
    /// Takes over what the enrichment knows.
    pub(crate) fn add(&mut self, enrichment: Enrichment) {
        self.kev_added = enrichment.kev_added.or(self.kev_added.take());
        self.epss = enrichment.epss.or(self.epss);
        self.cvss = enrichment.cvss.or(self.cvss.take());
        self.ssvc = enrichment.ssvc.or(self.ssvc);
    }
}

/// One source's freshness.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct SourceRow {
    pub(crate) records: u64,
    pub(crate) newest: String,
    pub(crate) imported: String,
    pub(crate) stale: bool,
    /// Names of the files that it came from.
    pub(crate) origin: String,
}

/// Rows as they are written.
pub(crate) struct Tables {
    pub(crate) ecosystems: Vec<String>,
    /// All records; what is written of them is said below, so that nothing is moved or copied.
    pub(crate) records: Vec<Record>,
    /// Indexes of the records that are advisories, in the order of their ids, which start at 1.
    pub(crate) advisories: Vec<u32>,
    /// In the order of the primary key.
    pub(crate) affected: Vec<AffectedRow>,
    pub(crate) enrichments: BTreeMap<String, Enriched>,
    pub(crate) texts: BTreeMap<String, String>,
    pub(crate) sources: BTreeMap<String, SourceRow>,
    pub(crate) support: BTreeMap<SupportKey, Support>,
    /// Ecosystem and the sources that speak of it.
    pub(crate) coverage: BTreeSet<(u32, &'static str)>,
}

impl Tables {
    /// The advisories with their ids.
    pub(crate) fn advisories(&self) -> impl Iterator<Item = (u32, &Record)> {
        (1..).zip(self.advisories.iter().map(|&index| &self.records[index as usize]))
    }

    /// What a row says.
    pub(crate) fn range(&self, row: &AffectedRow) -> &Affected {
        &self.records[row.record as usize].affected[row.position as usize]
    }
}

/// One range with the ids of what it belongs to. Its fields stand in the order of the primary key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AffectedRow {
    pub(crate) ecosystem: u32,
    /// Place of the package's name among all names.
    package: u32,
    /// Index of its record.
    record: u32,
    /// Index in its record.
    pub(crate) position: u32,
    /// The advisory's id.
    pub(crate) advisory: u32,
}

/// Sorts, lets newer records override older ones per source, package and vulnerability, and drops what is left empty.
pub(crate) fn build(mut content: Content) -> Tables {
    // The sort is stable: equally new records stay in the order of import.
    content
        .records
        .par_sort_by(|a, b| (a.source, &a.key, &a.modified).cmp(&(b.source, &b.key, &b.modified)));
    let records = content.records;
    let ((ecosystems, mut rows), mut texts) = rayon::join(|| sorted_rows(&records), || find_texts(&records));
    // A list that is sorted becomes a map without searching, and two maps one.
    content.texts.append(&mut texts);
    let groups = groups(&records);
    override_older(&mut rows, &groups);
    rows.retain(|row| !records[row.record as usize].withdrawn);
    // Ids only close ranks, so the rows stay in the order of the primary key.
    let advisories = number(&records, &mut rows);
    let coverage = coverage(&records, &rows);
    Tables {
        coverage,
        support: content.support,
        ecosystems,
        records,
        advisories,
        affected: rows,
        enrichments: content.enrichments,
        texts: content.texts,
        sources: content.sources,
    }
}

/// Names in the order in which they come; neighbours are often called the same.
#[derive(Default)]
struct Names<'r> {
    ids: HashMap<&'r str, u32>,
    last: (&'r str, u32),
}

impl<'r> Names<'r> {
    fn id(&mut self, name: &'r str) -> u32 {
        if self.ids.is_empty() || self.last.0 != name {
            let next = u32::try_from(self.ids.len()).unwrap_or(u32::MAX);
            self.last = (name, *self.ids.entry(name).or_insert(next));
        }
        self.last.1
    }

    /// The names sorted, and for each id its place among them.
    fn rank(self) -> (Vec<&'r str>, Vec<u32>) {
        let mut names: Vec<(&str, u32)> = self.ids.into_iter().collect();
        names.par_sort_unstable();
        let mut ranks = vec![0; names.len()];
        for ((_, id), rank) in names.iter().zip(0..) {
            ranks[*id as usize] = rank;
        }
        (names.into_iter().map(|(name, _)| name).collect(), ranks)
    }
}

/// All ecosystems, and all ranges sorted by ecosystem, package, record and position: numbers only, so that the sort
/// compares and moves little.
fn sorted_rows(records: &[Record]) -> (Vec<String>, Vec<AffectedRow>) {
    let (mut ecosystems, mut packages) = (Names::default(), Names::default());
    let mut rows = Vec::with_capacity(records.iter().map(|record| record.affected.len()).sum());
    for (record, one) in (0..).zip(records) {
        for (position, range) in (0..).zip(&one.affected) {
            rows.push(AffectedRow {
                ecosystem: ecosystems.id(&range.ecosystem),
                package: packages.id(&range.package),
                record,
                position,
                advisory: 0,
            });
        }
    }
    let ((ecosystems, ecosystem_ranks), (_, package_ranks)) = (ecosystems.rank(), packages.rank());
    for row in &mut rows {
        row.ecosystem = ecosystem_ranks[row.ecosystem as usize];
        row.package = package_ranks[row.package as usize];
    }
    rows.par_sort_unstable();
    (ecosystems.into_iter().map(str::to_owned).collect(), rows)
}

/// For each record the number of its (source, key).
fn groups(records: &[Record]) -> Vec<u32> {
    let mut groups = Vec::with_capacity(records.len());
    let mut group = 0;
    for (index, record) in records.iter().enumerate() {
        if index > 0 && (records[index - 1].source, &records[index - 1].key) != (record.source, &record.key) {
            group += 1;
        }
        groups.push(group);
    }
    groups
}

/// Of each group's rows about one package, only the newest record's stay.
fn override_older(rows: &mut Vec<AffectedRow>, groups: &[u32]) {
    let about = |row: &AffectedRow| (row.ecosystem, row.package, groups[row.record as usize]);
    let mut newest = vec![0_u32; rows.len()];
    // From the end: a run of rows of one group and package ends with its newest record.
    for index in (0..rows.len()).rev() {
        newest[index] = match rows.get(index + 1) {
            Some(next) if about(next) == about(&rows[index]) => newest[index + 1],
            _ => rows[index].record,
        };
    }
    let mut index = 0;
    rows.retain(|row| {
        index += 1;
        row.record == newest[index - 1]
    });
}

/// The first source that has a text for a vulnerability gives it; of one source, the newest record.
fn find_texts(records: &[Record]) -> BTreeMap<String, String> {
    let mut best: HashMap<&str, (usize, &str)> = HashMap::new();
    let (mut source, mut rank) = ("", SOURCES.len());
    for record in records
        .iter()
        .filter(|record| !record.summary.is_empty() && record.fixes.is_empty())
    {
        if record.source != source {
            source = record.source;
            rank = SOURCES.iter().position(|name| *name == source).unwrap_or(SOURCES.len());
        }
        let cve = record.aliases.iter().find(|alias| crate::feed::is_cve(alias));
        let name = cve.unwrap_or(&record.key);
        let entry = best.entry(name).or_insert((rank, &record.summary));
        if rank <= entry.0 {
            *entry = (rank, &record.summary);
        }
    }
    let mut texts: Vec<(&str, (usize, &str))> = best.into_iter().collect();
    texts.par_sort_unstable();
    let texts = texts.into_iter();
    texts
        .map(|(name, (_, text))| (name.to_owned(), text.to_owned()))
        .collect()
}

/// Leaves out records without rows, takes those that say the same as one, and numbers the rest from 1.
fn number(records: &[Record], rows: &mut [AffectedRow]) -> Vec<u32> {
    let mut ids = vec![0_u32; records.len()];
    for row in rows.iter() {
        ids[row.record as usize] = 1;
    }
    let mut kept: Vec<u32> = Vec::with_capacity(records.len());
    for (index, id) in (0..).zip(ids.iter_mut()).filter(|(_, id)| **id == 1) {
        // A feed of many documents (secdb: one per branch) says the same of other packages in each.
        let is_repeated = kept
            .last()
            .is_some_and(|&last| records[last as usize].is_same_advisory(&records[index as usize]));
        if !is_repeated {
            kept.push(index);
        }
        *id = u32::try_from(kept.len()).unwrap_or(u32::MAX);
    }
    for row in rows.iter_mut() {
        row.advisory = ids[row.record as usize];
    }
    kept
}

fn coverage(records: &[Record], rows: &[AffectedRow]) -> BTreeSet<(u32, &'static str)> {
    let mut pairs: Vec<(u32, &'static str)> = Vec::new();
    for row in rows {
        let pair = (row.ecosystem, records[row.record as usize].source);
        if pairs.last() != Some(&pair) {
            pairs.push(pair);
        }
    }
    pairs.into_iter().collect()
}

/// The number that stands for a state in the database.
pub(crate) fn state_code(state: FixState) -> i64 {
    match state {
        FixState::Unknown => 0,
        FixState::Affected => 1,
        FixState::Fixed => 2,
        FixState::NotAffected => 3,
        FixState::WillNotFix => 4,
        FixState::Deferred => 5,
        FixState::EndOfLife => 6,
        FixState::UnderInvestigation => 7,
    }
}

/// The state that a number stands for.
pub(crate) fn state_of(code: i64) -> FixState {
    match code {
        1 => FixState::Affected,
        2 => FixState::Fixed,
        3 => FixState::NotAffected,
        4 => FixState::WillNotFix,
        5 => FixState::Deferred,
        6 => FixState::EndOfLife,
        7 => FixState::UnderInvestigation,
        _ => FixState::Unknown,
    }
}

/// The number that stands for a severity in the database.
pub(crate) fn severity_code(severity: Severity) -> i64 {
    match severity {
        Severity::Unknown => 0,
        Severity::Negligible => 1,
        Severity::Low => 2,
        Severity::Medium => 3,
        Severity::High => 4,
        Severity::Critical => 5,
    }
}

/// The severity that a number stands for.
pub(crate) fn severity_of(code: i64) -> Severity {
    match code {
        1 => Severity::Negligible,
        2 => Severity::Low,
        3 => Severity::Medium,
        4 => Severity::High,
        5 => Severity::Critical,
        _ => Severity::Unknown,
    }
}

/// The number that stands for a kind of support in the database.
pub(crate) fn support_code(kind: SupportKind) -> i64 {
    match kind {
        SupportKind::Release => 0,
        SupportKind::Ended => 1,
        SupportKind::Limited => 2,
    }
}

/// The kind of support that a number stands for.
pub(crate) fn support_of(code: i64) -> SupportKind {
    match code {
        0 => SupportKind::Release,
        1 => SupportKind::Ended,
        _ => SupportKind::Limited,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: &str, modified: &str, fixed: &str, package: &str) -> Record {
        Record {
            source: "debian",
            key: key.to_owned(),
            id: key.to_owned(),
            modified: modified.to_owned(),
            severity: Severity::Unknown,
            cvss: None,
            aliases: Vec::new(),
            fixes: Vec::new(),
            summary: String::new(),
            withdrawn: false,
            affected: vec![Affected {
                ecosystem: "Debian:12".to_owned(),
                package: package.to_owned(),
                introduced: None,
                fixed: Some(fixed.to_owned()),
                last_affected: None,
                versions: Vec::new(),
                state: FixState::Fixed,
                severity: Severity::Unknown,
                module: None,
            }],
        }
    }

    fn fixes(records: Vec<Record>) -> Vec<String> {
        let tables = build(Content {
            records,
            ..Content::default()
        });
        assert!(
            tables
                .affected
                .iter()
                .all(|row| (1..=tables.advisories.len()).contains(&(row.advisory as usize)))
        );
        let ranges = tables.affected.iter().map(|row| tables.range(row));
        ranges
            .map(|range| format!("{} {}", range.package, range.fixed.as_ref().unwrap()))
            .collect()
    }

    #[test]
    fn the_newer_record_counts_whatever_the_order_of_import() {
        let (old, new) = (record("CVE-1", "2025", "1", "a"), record("CVE-1", "2026", "2", "a"));
        assert_eq!(fixes(vec![old.clone(), new.clone()]), ["a 2"]);
        assert_eq!(fixes(vec![new, old]), ["a 2"]);
    }

    #[test]
    fn of_equally_new_records_the_later_import_counts() {
        assert_eq!(
            fixes(vec![
                record("CVE-1", "2025", "1", "a"),
                record("CVE-1", "2025", "2", "a")
            ]),
            ["a 2"]
        );
    }

    #[test]
    fn other_packages_and_vulnerabilities_are_left_alone() {
        let records = vec![
            record("CVE-1", "2025", "1", "a"),
            record("CVE-1", "2026", "2", "b"),
            record("CVE-2", "2026", "3", "a"),
        ];
        assert_eq!(fixes(records), ["a 1", "a 3", "b 2"]);
    }

    #[test]
    fn a_withdrawn_record_takes_its_rows_away() {
        let withdrawn = Record {
            withdrawn: true,
            ..record("CVE-1", "2026", "1", "a")
        };
        assert!(fixes(vec![record("CVE-1", "2025", "1", "a"), withdrawn]).is_empty());
    }

    #[test]
    fn codes_come_back() {
        for code in 0..8 {
            assert_eq!(state_code(state_of(code)), code);
        }
        for code in 0..6 {
            assert_eq!(severity_code(severity_of(code)), code);
        }
    }
}
