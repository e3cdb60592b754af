//! A match in, what stands behind it out: the comparison done again, who gave the severity, how fresh the record is.

use std::cmp::Ordering;

use plimsoll_model::{Match, MatchEvidence, Severity};
use rusqlite::{OptionalExtension, params};

use crate::version::VersionError;
use crate::{Database, Error, ecosystem, tables};

/// One end of a range, held against a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// The version that was found.
    pub version: String,
    /// How it stands to `bound`.
    pub order: Ordering,
    /// The end of the range.
    pub bound: String,
    /// Name of the version scheme that decided: `dpkg`.
    pub scheme: &'static str,
    /// Whether the version is on the affected side of this end.
    pub holds: bool,
}

/// Who gave a match its severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeverityBasis {
    /// The source, for this package.
    Package,
    /// The source, for the vulnerability as a whole.
    Record,
    /// It follows from the CVSS score.
    Cvss,
    /// Nobody.
    Nobody,
}

/// What the database holds beside what a match carries.
#[derive(Debug, Clone, PartialEq)]
pub struct Background {
    /// RFC 3339 time of the record's last change; empty when the source does not say.
    pub modified: String,
    /// RFC 3339 time at which the source was imported or found unchanged.
    pub imported: String,
    /// The source could not be renewed since then.
    pub is_stale: bool,
    /// Who gave the severity.
    pub severity_basis: SeverityBasis,
    /// Base score, vector and who gave it (a source's name, or `cvss`: NVD and CISA).
    pub cvss: Option<(f32, String, String)>,
    /// Day on which CISA added it to its catalogue of known exploited vulnerabilities.
    pub kev_added: Option<String>,
    /// FIRST's probability of exploitation within 30 days, 0.0–1.0.
    pub epss: Option<f32>,
    /// CISA's decision points for SSVC: exploitation (`none`, `poc`, `active`), automatable (`no`, `yes`) and technical
    /// impact (`partial`, `total`), as `active/yes/total`.
    pub ssvc: Option<String>,
}

/// What is known of a CVE beside advisories.
#[derive(Default)]
struct Enriched {
    kev_added: Option<String>,
    epss: Option<f32>,
    cvss: Option<(f32, String)>,
    ssvc: Option<String>,
}

/// A record's change, its severities for the package and as a whole, its score and vector.
type Judged = (String, i64, i64, Option<f32>, Option<String>);

/// Does the comparison of a match again: one entry per end of the range, none for `any version`. Nothing of the
/// database is needed, so a report can be checked anywhere.
pub fn compare_evidence(evidence: &MatchEvidence) -> Result<Vec<Comparison>, VersionError> {
    let scheme = ecosystem::scheme(&evidence.ecosystem);
    let mut comparisons = Vec::new();
    for end in evidence.range.split(", ") {
        let Some((sign, bound)) = end.split_once(' ').filter(|(sign, _)| SIGNS.contains(sign)) else {
            continue;
        };
        let order = scheme.compare(&evidence.compared_version, bound)?;
        comparisons.push(Comparison {
            version: evidence.compared_version.clone(),
            order,
            bound: bound.to_owned(),
            scheme: scheme.name(),
            holds: match sign {
                ">=" => order.is_ge(),
                "<=" => order.is_le(),
                "<" => order.is_lt(),
                ">" => order.is_gt(),
                _ => order.is_eq(),
            },
        });
    }
    Ok(comparisons)
}

/// How [`MatchEvidence::range`] is written.
const SIGNS: [&str; 5] = [">=", "<=", "<", ">", "="];

impl Database {
    /// What stands behind a match; `None` when this database does not have its record (the match is from another one).
    pub fn explain(&self, one: &Match) -> Result<Option<Background>, Error> {
        self.read_background(one).map_err(|source| self.failed(source))
    }

    fn read_background(&self, one: &Match) -> rusqlite::Result<Option<Background>> {
        let evidence = &one.evidence;
        let row: Option<Judged> = self
            .connection
            .query_row(
                "SELECT a.modified, f.severity, a.severity, a.cvss, a.vector FROM affected f \
                 JOIN advisory a ON a.id = f.advisory \
                 WHERE f.ecosystem = (SELECT id FROM ecosystem WHERE name = ?1) AND f.package = ?2 \
                 AND a.source = ?3 AND a.name = ?4",
                params![
                    evidence.ecosystem,
                    evidence.compared_name,
                    evidence.source,
                    evidence.advisory
                ],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)),
            )
            .optional()?;
        let Some((modified, of_package, of_record, score, vector)) = row else {
            return Ok(None);
        };
        let (imported, is_stale) = self
            .connection
            .query_row(
                "SELECT imported, stale FROM source WHERE name = ?1",
                [&evidence.source],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()?
            .unwrap_or_default();
        let enriched = self.enriched(&one.vulnerability.id)?;
        let own = score.zip(vector).map(|pair| (pair, evidence.source.as_str()));
        let cvss = own
            .or_else(|| enriched.cvss.map(|pair| (pair, "cvss")))
            .map(|((score, vector), by)| (score, vector, by.to_owned()));
        Ok(Some(Background {
            modified,
            imported,
            is_stale,
            severity_basis: basis(of_package, of_record, cvss.is_some()),
            cvss,
            kev_added: enriched.kev_added,
            epss: enriched.epss,
            ssvc: enriched.ssvc,
        }))
    }

    fn enriched(&self, cve: &str) -> rusqlite::Result<Enriched> {
        let found = self
            .connection
            .query_row(
                "SELECT kev_added, epss, cvss, vector, ssvc FROM enrichment WHERE cve = ?1",
                [cve],
                |row| {
                    let (score, vector): (Option<f32>, Option<String>) = (row.get(2)?, row.get(3)?);
                    Ok(Enriched {
                        kev_added: row.get(0)?,
                        epss: row.get(1)?,
                        cvss: score.zip(vector),
                        ssvc: row.get(4)?,
                    })
                },
            )
            .optional()?;
        Ok(found.unwrap_or_default())
    }
}

fn basis(of_package: i64, of_record: i64, has_cvss: bool) -> SeverityBasis {
    let is_known = |code| tables::severity_of(code) != Severity::Unknown;
    match (is_known(of_package), is_known(of_record), has_cvss) {
        (true, ..) => SeverityBasis::Package,
        (false, true, _) => SeverityBasis::Record,
        (false, false, true) => SeverityBasis::Cvss,
        (false, false, false) => SeverityBasis::Nobody,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(range: &str, version: &str, expected: &[(Ordering, &str, bool)]) {
        let evidence = MatchEvidence {
            advisory: "CVE-2024-0001".to_owned(),
            source: "debian".to_owned(),
            ecosystem: "Debian:12".to_owned(),
            compared_name: "redis".to_owned(),
            compared_version: version.to_owned(),
            range: range.to_owned(),
        };
        let found = compare_evidence(&evidence).unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|one| (one.order, one.bound.as_str(), one.holds))
            .collect();
        assert_eq!(found, expected, "{version} in {range}");
    }

    #[test]
    fn each_end_of_a_range_is_compared_again() {
        check("any version", "1.0", &[]);
        check("< 1.0-2", "1.0-1", &[(Ordering::Less, "1.0-2", true)]);
        check("< 1.0-2", "1:0.1-1", &[(Ordering::Greater, "1.0-2", false)]);
        check(
            ">= 1.0, <= 2.0",
            "2.0",
            &[(Ordering::Greater, "1.0", true), (Ordering::Equal, "2.0", true)],
        );
        check("= 1.0", "1.0", &[(Ordering::Equal, "1.0", true)]);
    }
}
