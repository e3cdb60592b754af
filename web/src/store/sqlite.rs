//! The store that comes with the binary: one SQLite file in WAL mode, one connection that writes, a few that read.
//! A write returns after its commit is synced, so what the server acknowledges survives `kill -9` and a power cut.

mod account;
mod admission;
mod agent;
mod alert;
mod image;
mod journal;
mod migration;
mod usage;

use std::{
    path::Path,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use crate::{Error, error::Result, limits, store::Store};

/// An open database.
pub struct SqliteStore {
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
    reader_is_back: Condvar,
}

/// How long SQLite waits for another process (a backup, `sqlite3`) to release the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

impl SqliteStore {
    /// Opens a database file, makes it when it is missing, and brings its schema up to date.
    pub fn open(path: &Path) -> Result<Self> {
        let mut writer = Connection::open(path).map_err(failed("open the database"))?;
        writer.busy_timeout(BUSY_TIMEOUT).map_err(failed("open the database"))?;
        writer
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cell_size_check = ON;",
            )
            .map_err(failed("open the database"))?;
        migration::migrate(&mut writer, path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
        let readers = (0..limits::READER_CONNECTIONS)
            .map(|_| {
                let reader = Connection::open_with_flags(path, flags)?;
                reader.busy_timeout(BUSY_TIMEOUT)?;
                reader.execute_batch("PRAGMA query_only = ON; PRAGMA cell_size_check = ON;")?;
                Ok(reader)
            })
            .collect::<rusqlite::Result<Vec<_>>>()
            .map_err(failed("open the database"))?;
        Ok(Self {
            writer: Mutex::new(writer),
            readers: Mutex::new(readers),
            reader_is_back: Condvar::new(),
        })
    }

    /// Runs `work` on a connection that only reads; waits for a free one.
    fn read<T>(&self, operation: &'static str, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let mut readers = lock(&self.readers);
        let reader = loop {
            match readers.pop() {
                Some(reader) => break reader,
                None => {
                    readers = self
                        .reader_is_back
                        .wait(readers)
                        .unwrap_or_else(PoisonError::into_inner)
                }
            }
        };
        drop(readers);
        let lease = Lease {
            store: self,
            reader: Some(reader),
        };
        lease
            .reader
            .as_ref()
            .map_or_else(|| Err(rusqlite::Error::InvalidQuery), work)
            .map_err(failed(operation))
    }

    /// Runs `work` in a transaction that is committed when it succeeds.
    fn write<T>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T> {
        let mut writer = lock(&self.writer);
        let transaction = writer
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed(operation))?;
        let result = work(&transaction).map_err(failed(operation))?;
        transaction.commit().map_err(failed(operation))?;
        Ok(result)
    }
}

impl Store for SqliteStore {
    fn check(&self) -> Result<()> {
        self.read("check the database", |db| {
            db.query_row("SELECT 1 FROM setting LIMIT 1", [], |_| Ok(()))
                .or_else(none_is_fine)
        })
    }
}

/// A reader that goes back to the others, also when its user panics.
struct Lease<'a> {
    store: &'a SqliteStore,
    reader: Option<Connection>,
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if let Some(reader) = self.reader.take() {
            lock(&self.store.readers).push(reader);
            self.store.reader_is_back.notify_one();
        }
    }
}

/// A panic in one request must not stop the others: a transaction that was open then is rolled back on drop.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn failed(operation: &'static str) -> impl Fn(rusqlite::Error) -> Error {
    move |source| Error::Store { operation, source }
}

fn none_is_fine(error: rusqlite::Error) -> rusqlite::Result<()> {
    match error {
        rusqlite::Error::QueryReturnedNoRows => Ok(()),
        other => Err(other),
    }
}

/// Text as a pattern for `LIKE … ESCAPE '\'` that finds it anywhere.
fn contains(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}

/// A count as SQLite stores it.
fn to_i64(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A length as SQLite stores it.
fn length(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// A stored count, never negative.
fn to_u64(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

/// A stored count that fits.
fn to_u32(count: i64) -> u32 {
    u32::try_from(count.max(0)).unwrap_or(u32::MAX)
}

/// `WHERE` clauses with their values, joined by `AND`.
#[derive(Default)]
struct Conditions {
    clauses: Vec<&'static str>,
    values: Vec<Box<dyn rusqlite::ToSql>>,
}

impl Conditions {
    /// Adds a clause with one `?` per value.
    fn add<const N: usize>(&mut self, clause: &'static str, values: [Box<dyn rusqlite::ToSql>; N]) {
        self.clauses.push(clause);
        self.values.extend(values);
    }

    /// Adds a clause with one `?` when there is a value.
    fn add_some<T: rusqlite::ToSql + 'static>(&mut self, clause: &'static str, value: Option<T>) {
        if let Some(value) = value {
            self.add(clause, [Box::new(value)]);
        }
    }

    /// `WHERE …`, or nothing.
    fn sql(&self) -> String {
        match self.clauses.is_empty() {
            true => String::new(),
            false => format!("WHERE {}", self.clauses.join(" AND ")),
        }
    }

    /// The values in the order of their `?`.
    fn values(&self) -> Vec<&dyn rusqlite::ToSql> {
        self.values.iter().map(AsRef::as_ref).collect()
    }
}
