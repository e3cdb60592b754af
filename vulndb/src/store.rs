//! The SQLite file: its schema, and tables written to it.

mod load;

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, OpenFlags, params};

use crate::Error;
use crate::tables::{self, Enriched, SourceRow, Tables};

pub(crate) use self::load::{Old, load_sources};

/// `PRAGMA user_version`: raised with every change of the schema.
pub(crate) const SCHEMA_VERSION: i64 = 4;

/// `PRAGMA application_id`: says that the file is ours ("PLMS").
pub(crate) const APPLICATION_ID: i64 = 0x504c_4d53;

const SCHEMA: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE source (
  name TEXT PRIMARY KEY, records INTEGER NOT NULL, newest TEXT NOT NULL, imported TEXT NOT NULL,
  stale INTEGER NOT NULL, origin TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE ecosystem (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE advisory (
  id INTEGER PRIMARY KEY, source TEXT NOT NULL, key TEXT NOT NULL, name TEXT NOT NULL, modified TEXT NOT NULL,
  severity INTEGER NOT NULL, cvss REAL, vector TEXT, aliases TEXT NOT NULL, fixes TEXT NOT NULL
);
CREATE TABLE affected (
  ecosystem INTEGER NOT NULL, package TEXT NOT NULL, advisory INTEGER NOT NULL, position INTEGER NOT NULL,
  state INTEGER NOT NULL, severity INTEGER NOT NULL, introduced TEXT, fixed TEXT, last_affected TEXT, versions TEXT,
  module TEXT,
  PRIMARY KEY (ecosystem, package, advisory, position)
) WITHOUT ROWID;
CREATE TABLE alias (name TEXT NOT NULL, advisory INTEGER NOT NULL, PRIMARY KEY (name, advisory)) WITHOUT ROWID;
CREATE TABLE text (name TEXT PRIMARY KEY, summary TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE enrichment (cve TEXT PRIMARY KEY, kev_added TEXT, epss REAL, cvss REAL, vector TEXT, ssvc TEXT)
  WITHOUT ROWID;
CREATE TABLE coverage (ecosystem INTEGER NOT NULL, source TEXT NOT NULL, PRIMARY KEY (ecosystem, source)) WITHOUT ROWID;
CREATE TABLE support (
  ecosystem TEXT NOT NULL, package TEXT NOT NULL, kind INTEGER NOT NULL, last_version TEXT NOT NULL, ended TEXT NOT NULL,
  until TEXT NOT NULL, text TEXT NOT NULL, source TEXT NOT NULL, PRIMARY KEY (ecosystem, package, kind)
) WITHOUT ROWID;
";

/// Lists of names are kept in one column, apart by this. Names have no control characters.
const SEPARATOR: char = '\n';

/// Writes a new database; the file must not exist. The same tables and `built` give the same bytes.
pub(crate) fn write(path: &Path, tables: &Tables, built: &str) -> Result<(), Error> {
    let failed = |source| Error::Sqlite {
        operation: "write vulnerability database",
        path: path.to_owned(),
        source,
    };
    let mut connection = Connection::open(path).map_err(failed)?;
    write_to(&mut connection, tables, built).map_err(failed)?;
    connection.close().map_err(|(_, source)| failed(source))
}

fn write_to(connection: &mut Connection, tables: &Tables, built: &str) -> rusqlite::Result<()> {
    // The file is nobody's yet: durability comes from the fsync before it is renamed.
    connection.execute_batch(
        "PRAGMA page_size=8192; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA locking_mode=EXCLUSIVE;
         PRAGMA cache_size=-65536;",
    )?;
    connection.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(SCHEMA)?;
    transaction.execute("INSERT INTO meta VALUES ('built', ?1)", [built])?;
    write_sources(&transaction, &tables.sources)?;
    write_ecosystems(&transaction, &tables.ecosystems)?;
    // One core sorts the names while the other writes what they are names of.
    let (names, written) = std::thread::scope(|scope| {
        let names = scope.spawn(|| sorted_names(tables));
        let written = write_advisories(&transaction, tables);
        (names.join().expect("sorting does not panic"), written)
    });
    written?;
    write_names(&transaction, &names)?;
    write_affected(&transaction, tables)?;
    let mut insert = transaction.prepare("INSERT INTO text VALUES (?1, ?2)")?;
    for (name, text) in &tables.texts {
        insert.execute([name, text])?;
    }
    drop(insert);
    write_enrichments(&transaction, &tables.enrichments)?;
    write_support(&transaction, tables)?;
    transaction.commit()
}

fn write_sources(connection: &Connection, sources: &BTreeMap<String, SourceRow>) -> rusqlite::Result<()> {
    let mut insert = connection.prepare("INSERT INTO source VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    for (name, row) in sources {
        let records = i64::try_from(row.records).unwrap_or(i64::MAX);
        insert.execute(params![name, records, row.newest, row.imported, row.stale, row.origin])?;
    }
    Ok(())
}

fn write_ecosystems(connection: &Connection, ecosystems: &[String]) -> rusqlite::Result<()> {
    let mut insert = connection.prepare("INSERT INTO ecosystem VALUES (?1, ?2)")?;
    for (id, name) in (0_i64..).zip(ecosystems) {
        insert.execute(params![id, name])?;
    }
    Ok(())
}

fn write_advisories(connection: &Connection, tables: &Tables) -> rusqlite::Result<()> {
    let mut insert = connection.prepare("INSERT INTO advisory VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")?;
    for (id, record) in tables.advisories() {
        insert.execute(params![
            id,
            record.source,
            record.key,
            record.id,
            record.modified,
            tables::severity_code(record.severity),
            record.cvss.as_ref().map(|(score, _)| tenths(*score)),
            record.cvss.as_ref().map(|(_, vector)| vector),
            join(&record.aliases),
            join(&record.fixes),
        ])?;
    }
    Ok(())
}

/// All names of all advisories, in the order of the primary key.
fn sorted_names(tables: &Tables) -> Vec<(&str, u32)> {
    let mut names: Vec<(&str, u32)> = Vec::with_capacity(tables.advisories.len() * 2);
    for (id, record) in tables.advisories() {
        let own = [&record.key, &record.id].into_iter();
        let all = own.chain(&record.aliases).chain(&record.fixes);
        names.extend(all.map(|name| (name.as_str(), id)));
    }
    names.sort_unstable();
    names.dedup();
    names
}

fn write_names(connection: &Connection, names: &[(&str, u32)]) -> rusqlite::Result<()> {
    let mut insert = connection.prepare("INSERT INTO alias VALUES (?1, ?2)")?;
    for (name, id) in names {
        insert.execute(params![name, id])?;
    }
    Ok(())
}

/// A score as the decimal that it is written as, without the digits that f32 adds.
fn tenths(score: f32) -> f64 {
    (f64::from(score) * 10.0).round() / 10.0
}

fn write_affected(connection: &Connection, tables: &Tables) -> rusqlite::Result<()> {
    let mut insert =
        connection.prepare("INSERT INTO affected VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)")?;
    for row in &tables.affected {
        let range = tables.range(row);
        let versions = (!range.versions.is_empty()).then(|| join(&range.versions));
        insert.execute(params![
            row.ecosystem,
            range.package,
            row.advisory,
            row.position,
            tables::state_code(range.state),
            tables::severity_code(range.severity),
            range.introduced,
            range.fixed,
            range.last_affected,
            versions,
            range.module,
        ])?;
    }
    Ok(())
}

fn write_enrichments(connection: &Connection, enrichments: &BTreeMap<String, Enriched>) -> rusqlite::Result<()> {
    let mut insert = connection.prepare("INSERT INTO enrichment VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    for (cve, enriched) in enrichments {
        let cvss = enriched.cvss.as_ref();
        insert.execute(params![
            cve,
            enriched.kev_added,
            enriched.epss.map(|epss| (f64::from(epss) * 1e5).round() / 1e5),
            cvss.map(|(score, _)| tenths(*score)),
            cvss.map(|(_, vector)| vector),
            enriched.ssvc,
        ])?;
    }
    Ok(())
}

fn write_support(connection: &Connection, tables: &Tables) -> rusqlite::Result<()> {
    let mut insert = connection.prepare("INSERT INTO coverage VALUES (?1, ?2)")?;
    for (ecosystem, source) in &tables.coverage {
        insert.execute(params![ecosystem, source])?;
    }
    let mut insert = connection.prepare("INSERT INTO support VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
    for row in tables.support.values() {
        insert.execute(params![
            row.ecosystem,
            row.package,
            tables::support_code(row.kind),
            row.last_version,
            row.ended,
            row.until,
            row.text,
            row.source,
        ])?;
    }
    Ok(())
}

fn join(names: &[String]) -> String {
    names.join(&SEPARATOR.to_string())
}

/// The names in a column that [`join`] wrote.
pub(crate) fn split(column: &str) -> impl Iterator<Item = &str> {
    column.split(SEPARATOR).filter(|name| !name.is_empty())
}

/// Opens a database for reading. It never changes in place, so SQLite need not lock it nor look for a journal.
pub(crate) fn open(path: &Path) -> Result<Connection, Error> {
    if !path.exists() {
        return Err(Error::Missing(path.to_owned()));
    }
    let failed = |source| Error::Sqlite {
        operation: "open vulnerability database",
        path: path.to_owned(),
        source,
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(uri(path), flags).map_err(failed)?;
    let pragma = |name: &str| {
        connection
            .pragma_query_value(None, name, |row| row.get::<_, i64>(0))
            .map_err(failed)
    };
    if pragma("application_id")? != APPLICATION_ID {
        return Err(Error::Corrupt {
            path: path.to_owned(),
            reason: "it is not a Plimsoll vulnerability database".to_owned(),
        });
    }
    let (found, known) = (pragma("user_version")?, SCHEMA_VERSION);
    let path = path.to_owned();
    match found.cmp(&known) {
        std::cmp::Ordering::Greater => return Err(Error::NewerSchema { path, found, known }),
        std::cmp::Ordering::Less => return Err(Error::OlderSchema { path, found, known }),
        std::cmp::Ordering::Equal => {}
    }
    connection
        .execute_batch("PRAGMA mmap_size=268435456; PRAGMA query_only=ON;")
        .map_err(|source| Error::Sqlite {
            operation: "open vulnerability database",
            path,
            source,
        })?;
    Ok(connection)
}

/// SQLite's URI of a file that does not change while it is open (<https://www.sqlite.org/uri.html>).
fn uri(path: &Path) -> String {
    use std::fmt::Write as _;
    use std::os::unix::ffi::OsStrExt as _;
    let mut uri = "file:".to_owned();
    for &byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri + "?immutable=1"
}
