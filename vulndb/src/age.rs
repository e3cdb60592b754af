//! How old a database is: a time, a limit and a database in, an error that names the oldest source out.

use std::time::Duration;

use jiff::Timestamp;
use plimsoll_model::Sbom;
use rusqlite::params;

use crate::{Database, Error, ecosystem};

/// How old a source may be where nobody says otherwise: five days, as Grype has it.
pub const DEFAULT_MAX_AGE: Duration = Duration::from_secs(5 * 24 * 60 * 60);

/// How far ahead of ours the clock that wrote a database may be.
const MAX_SKEW_S: i64 = 24 * 60 * 60;

/// Sources whose age counts, by name, with the time of their last import.
type Ages = Vec<(String, String)>;

/// A source and how old its rows are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceAge {
    /// `debian`.
    pub source: String,
    /// RFC 3339 time of its last good import.
    pub imported: String,
    /// Since then, in seconds: negative for at most a day (a clock that is ahead); `i64::MAX` for a time that is further
    /// ahead, or none.
    pub age_s: i64,
}

impl Database {
    /// An error unless every source of advisories was imported, or found unchanged, at most `max_age` ago.
    ///
    /// The age of a source is the time since its last good import or since its publisher last said that nothing
    /// changed, not the time since its newest record: a quiet source is not an old one. A source that could not be
    /// renewed keeps its time, so it ages. KEV, EPSS and CVSS only rank and are not required.
    pub fn check_age(&self, now: Timestamp, max_age: Duration) -> Result<(), Error> {
        judge(oldest(self.all_ages()?, now), max_age)
    }

    /// As [`Database::check_age`], but only sources count that speak of an ecosystem that the Sbom has packages of: an
    /// image without gems does not need RubySec. Where no source does, all of them count.
    pub fn check_age_for(&self, sbom: &Sbom, now: Timestamp, max_age: Duration) -> Result<(), Error> {
        judge(self.oldest_for(sbom, now)?, max_age)
    }

    /// The oldest source that an Sbom needs, as [`Database::check_age_for`] counts them; `None` when the database has no
    /// advisories.
    pub fn oldest_for(&self, sbom: &Sbom, now: Timestamp) -> Result<Option<SourceAge>, Error> {
        let os = sbom.os.as_ref().and_then(ecosystem::of_os);
        let kinds = sbom
            .packages
            .iter()
            .filter_map(|package| ecosystem::of_kind(package.kind));
        let has_cpes = sbom.packages.iter().any(|package| !package.cpes.is_empty());
        let cpe = has_cpes.then_some(ecosystem::CPE);
        let mut ecosystems: Vec<&str> = kinds.chain(os.as_deref()).chain(cpe).collect();
        ecosystems.sort_unstable();
        ecosystems.dedup();
        let sql = "SELECT DISTINCT s.name, s.imported FROM source s JOIN coverage c ON c.source = s.name \
                   JOIN ecosystem e ON e.id = c.ecosystem WHERE e.name = ?1";
        let mut ages = Ages::new();
        for ecosystem in ecosystems {
            ages.extend(self.read_ages(sql, ecosystem).map_err(|source| self.failed(source))?);
        }
        if ages.is_empty() {
            ages = self.all_ages()?;
        }
        Ok(oldest(ages, now))
    }

    fn all_ages(&self) -> Result<Ages, Error> {
        let sql = "SELECT name, imported FROM source WHERE EXISTS (SELECT 1 FROM coverage WHERE source = name)";
        self.read_ages(sql, "").map_err(|source| self.failed(source))
    }

    fn read_ages(&self, sql: &str, ecosystem: &str) -> rusqlite::Result<Ages> {
        let mut query = self.connection.prepare(sql)?;
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        match query.parameter_count() {
            0 => query.query_map([], read)?.collect(),
            _ => query.query_map(params![ecosystem], read)?.collect(),
        }
    }
}

fn oldest(ages: Ages, now: Timestamp) -> Option<SourceAge> {
    let aged = ages.into_iter().map(|(source, imported)| {
        // A time that is no time is as old as can be, and one in the future is no proof of youth.
        let age_s = imported
            .parse::<Timestamp>()
            .map_or(i64::MAX, |time| now.as_second() - time.as_second());
        let age_s = if age_s < -MAX_SKEW_S { i64::MAX } else { age_s };
        SourceAge {
            source,
            imported,
            age_s,
        }
    });
    // The first by name of several that are equally old.
    aged.min_by(|a, b| b.age_s.cmp(&a.age_s).then_with(|| a.source.cmp(&b.source)))
}

fn judge(oldest: Option<SourceAge>, max_age: Duration) -> Result<(), Error> {
    let max_age_s = i64::try_from(max_age.as_secs()).unwrap_or(i64::MAX);
    match oldest {
        // What is as old as can be is too old for every limit.
        Some(oldest) if oldest.age_s > max_age_s || oldest.age_s == i64::MAX => Err(Error::TooOld {
            source_name: oldest.source,
            imported: oldest.imported,
            max_days: max_age.as_secs() / (24 * 60 * 60),
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_source_decides_and_the_future_is_no_excuse() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let check = |times: &[&str]| {
            let ages = times.iter().map(|time| ("a".to_owned(), (*time).to_owned())).collect();
            judge(oldest(ages, now), DEFAULT_MAX_AGE).is_ok()
        };
        for (times, expected) in [
            (&[][..], true),
            (&["2026-11-22T11:00:00Z", "2026-11-18T00:00:00Z"], true),
            (&["2026-11-22T11:00:00Z", "2026-11-17T11:59:59Z"], false),
            // Half a day ahead is a clock, a year ahead is nonsense.
            (&["2026-11-23T00:00:00Z"], true),
            (&["2027-11-22T12:00:00Z"], false),
            (&["yesterday"], false),
            (&[""], false),
        ] {
            assert_eq!(check(times), expected, "{times:?}");
        }
    }
}
