//! What a database holds, read back to be merged with what is new.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::{open, split};
use crate::Error;
use crate::feed::{Affected, Record, Support, ssvc};
use crate::tables::{self, Content, SourceRow};

/// A database's content, but for the ranges of its records: most are replaced by what is new, so that only the ranges of
/// what stays are read.
#[derive(Default)]
pub(crate) struct Old {
    pub(crate) content: Content,
    /// Where the ranges are; `None`: there is no database.
    file: Option<(PathBuf, Connection)>,
}

impl Old {
    /// Reads all but the ranges.
    pub(crate) fn load(path: &Path) -> Result<Self, Error> {
        let connection = open(path)?;
        let content = load_content(&connection).map_err(|source| failed(path, source))?;
        Ok(Self {
            content,
            file: Some((path.to_owned(), connection)),
        })
    }

    /// Leaves the records that are kept, and reads their ranges.
    pub(crate) fn keep(&mut self, is_kept: impl Fn(&Record) -> bool) -> Result<(), Error> {
        let records = std::mem::take(&mut self.content.records);
        // An advisory's id is its place, from 1.
        let mut kept: Vec<Option<Record>> = records.into_iter().map(|one| is_kept(&one).then_some(one)).collect();
        if let Some((path, connection)) = &self.file
            && kept.iter().any(Option::is_some)
        {
            load_ranges(connection, &mut kept).map_err(|source| failed(path, source))?;
        }
        self.content.records = kept.into_iter().flatten().collect();
        Ok(())
    }
}

fn failed(path: &Path, source: rusqlite::Error) -> Error {
    Error::Sqlite {
        operation: "read vulnerability database",
        path: path.to_owned(),
        source,
    }
}

fn load_content(connection: &Connection) -> rusqlite::Result<Content> {
    let mut content = Content {
        records: load_records(connection)?,
        sources: load_sources(connection)?,
        ..Content::default()
    };
    let mut query = connection.prepare("SELECT name, summary FROM text")?;
    content.texts = query
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut query = connection.prepare("SELECT * FROM enrichment")?;
    content.enrichments = query
        .query_map([], |row| {
            let score: Option<f32> = row.get(3)?;
            let vector: Option<String> = row.get(4)?;
            let enriched = tables::Enriched {
                kev_added: row.get(1)?,
                epss: row.get(2)?,
                cvss: score.zip(vector),
                ssvc: row.get::<_, Option<String>>(5)?.as_deref().and_then(ssvc::known),
            };
            Ok((row.get(0)?, enriched))
        })?
        .collect::<Result<_, _>>()?;
    content.support = load_support(connection)?
        .into_iter()
        .map(|row| ((row.ecosystem.clone(), row.package.clone(), row.kind), row))
        .collect();
    Ok(content)
}

/// Gives each record that is there its ranges.
fn load_ranges(connection: &Connection, records: &mut [Option<Record>]) -> rusqlite::Result<()> {
    let ecosystems: Vec<String> = connection
        .prepare("SELECT name FROM ecosystem ORDER BY id")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut query = connection.prepare("SELECT * FROM affected")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let place = (row.get::<_, u32>(2)? as usize).wrapping_sub(1);
        let Some(record) = records.get_mut(place).and_then(Option::as_mut) else {
            continue;
        };
        let Some(ecosystem) = ecosystems.get(row.get::<_, u32>(0)? as usize) else {
            continue;
        };
        let versions: Option<String> = row.get(9)?;
        record.affected.push(Affected {
            ecosystem: ecosystem.clone(),
            package: row.get(1)?,
            state: tables::state_of(row.get(4)?),
            severity: tables::severity_of(row.get(5)?),
            introduced: row.get(6)?,
            fixed: row.get(7)?,
            last_affected: row.get(8)?,
            versions: versions
                .map(|column| split(&column).map(str::to_owned).collect())
                .unwrap_or_default(),
            module: row.get(10)?,
        });
    }
    Ok(())
}

fn load_support(connection: &Connection) -> rusqlite::Result<Vec<Support>> {
    connection
        .prepare("SELECT * FROM support")?
        .query_map([], |row| {
            let source: String = row.get(7)?;
            Ok(Support {
                ecosystem: row.get(0)?,
                package: row.get(1)?,
                kind: tables::support_of(row.get(2)?),
                last_version: row.get(3)?,
                ended: row.get(4)?,
                until: row.get(5)?,
                text: row.get(6)?,
                source: source_name(&source),
            })
        })?
        .collect()
}

/// A source's name that we do not know can only come from another hand.
fn source_name(name: &str) -> &'static str {
    tables::SOURCES
        .iter()
        .find(|known| **known == name)
        .copied()
        .unwrap_or("osv")
}

fn load_records(connection: &Connection) -> rusqlite::Result<Vec<Record>> {
    let mut query = connection.prepare("SELECT * FROM advisory ORDER BY id")?;
    let list = |column: String| split(&column).map(str::to_owned).collect();
    query
        .query_map([], |row| {
            let source: String = row.get(1)?;
            let score: Option<f32> = row.get(6)?;
            let vector: Option<String> = row.get(7)?;
            Ok(Record {
                source: source_name(&source),
                key: row.get(2)?,
                id: row.get(3)?,
                modified: row.get(4)?,
                severity: tables::severity_of(row.get(5)?),
                cvss: score.zip(vector),
                aliases: list(row.get(8)?),
                fixes: list(row.get(9)?),
                summary: String::new(),
                withdrawn: false,
                affected: Vec::new(),
            })
        })?
        .collect()
}

/// All sources by name.
pub(crate) fn load_sources(connection: &Connection) -> rusqlite::Result<BTreeMap<String, SourceRow>> {
    let mut query = connection.prepare("SELECT name, records, newest, imported, stale, origin FROM source")?;
    query
        .query_map([], |row| {
            let source = SourceRow {
                records: row.get::<_, i64>(1)?.unsigned_abs(),
                newest: row.get(2)?,
                imported: row.get(3)?,
                stale: row.get(4)?,
                origin: row.get(5)?,
            };
            Ok((row.get(0)?, source))
        })?
        .collect()
}
