//! Audit log, waivers, settings and queued scans in SQLite.

use rusqlite::{OptionalExtension, Row, params};

use super::SqliteStore;
use crate::{
    Error,
    error::Result,
    limits,
    store::{
        AuditEntry, JournalStore, NewAuditEntry, Page, Rows, ScanRequest, ScanRequestState, Settings, StoredWaiver,
    },
};

const REQUEST: &str = "SELECT id, reference, requested_by, requested_ms, state, finished_ms, error FROM scan_request";

impl JournalStore for SqliteStore {
    fn add_audit(&self, entry: &NewAuditEntry, now_ms: i64) -> Result<()> {
        self.write("write the audit log", |db| {
            db.prepare_cached(
                "INSERT INTO audit (time_ms, actor, action, subject, detail, address) VALUES (?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                now_ms,
                entry.actor,
                entry.action,
                entry.subject,
                entry.detail,
                entry.address
            ])?;
            let newest = db.last_insert_rowid();
            db.execute("DELETE FROM audit WHERE id <= ?", [newest - limits::MAX_AUDIT_ENTRIES])
                .map(|_| ())
        })
    }

    fn list_audit(&self, page: &Page) -> Result<Rows<AuditEntry>> {
        let before = page.integers::<1>().map_or(i64::MAX, |[id]| id);
        let rows = self.read("read the audit log", |db| {
            let mut statement = db.prepare_cached(
                "SELECT id, time_ms, actor, action, subject, detail, address FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?",
            )?;
            let rows = statement.query_map(params![before, page.fetch()], |row| {
                Ok(AuditEntry {
                    id: row.get(0)?,
                    time_ms: row.get(1)?,
                    actor: row.get(2)?,
                    action: row.get(3)?,
                    subject: row.get(4)?,
                    detail: row.get(5)?,
                    address: row.get(6)?,
                })
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        })?;
        Ok(page.close(rows, |row| row.id.to_string()))
    }

    fn add_waiver(&self, waiver: &StoredWaiver) -> Result<()> {
        let added = self.write("add a waiver", |db| {
            let count: i64 = db.query_row("SELECT count(*) FROM waiver", [], |row| row.get(0))?;
            if count >= limits::MAX_WAIVERS {
                return Ok(false);
            }
            db.execute(
                "INSERT INTO waiver (id, rule, subject, image, reason, owner, until, created_by, created_ms)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                params![
                    waiver.id,
                    waiver.rule,
                    waiver.subject,
                    waiver.image,
                    waiver.reason,
                    waiver.owner,
                    waiver.until,
                    waiver.created_by,
                    waiver.created_ms
                ],
            )
            .map(|_| true)
        })?;
        match added {
            true => Ok(()),
            false => Err(Error::Limit(format!(
                "add a waiver: there are {} already",
                limits::MAX_WAIVERS
            ))),
        }
    }

    fn list_waivers(&self) -> Result<Vec<StoredWaiver>> {
        self.read("list waivers", |db| {
            let mut statement = db.prepare_cached(
                "SELECT id, rule, subject, image, reason, owner, until, created_by, created_ms FROM waiver ORDER BY until, id",
            )?;
            statement
                .query_map([], |row| {
                    Ok(StoredWaiver {
                        id: row.get(0)?,
                        rule: row.get(1)?,
                        subject: row.get(2)?,
                        image: row.get(3)?,
                        reason: row.get(4)?,
                        owner: row.get(5)?,
                        until: row.get(6)?,
                        created_by: row.get(7)?,
                        created_ms: row.get(8)?,
                    })
                })?
                .collect()
        })
    }

    fn remove_waiver(&self, id: &str) -> Result<bool> {
        self.write("remove a waiver", |db| {
            db.execute("DELETE FROM waiver WHERE id = ?", [id]).map(|rows| rows > 0)
        })
    }

    fn load_settings(&self) -> Result<Settings> {
        let stored: Option<String> = self.read("load settings", |db| {
            db.query_row("SELECT value FROM setting WHERE name = 'settings'", [], |row| {
                row.get(0)
            })
            .optional()
        })?;
        match stored {
            None => Ok(Settings::default()),
            Some(json) => serde_json::from_str(&json).map_err(|error| Error::Corrupt {
                noun: "settings",
                detail: error.to_string(),
            }),
        }
    }

    fn save_settings(&self, settings: &Settings) -> Result<()> {
        let json = serde_json::to_string(settings).unwrap_or_default();
        self.write("save settings", |db| {
            db.execute(
                "INSERT OR REPLACE INTO setting (name, value) VALUES ('settings', ?)",
                [json],
            )
            .map(|_| ())
        })
    }

    fn add_scan_request(&self, reference: &str, by: &str, now_ms: i64) -> Result<ScanRequest> {
        let added = self.write("queue a scan", |db| {
            let waiting = format!("{REQUEST} WHERE reference = ? AND state IN ('queued', 'running')");
            if let Some(known) = db.query_row(&waiting, [reference], read_request).optional()? {
                return Ok(Some(known));
            }
            let count: i64 = db.query_row("SELECT count(*) FROM scan_request WHERE state = 'queued'", [], |row| {
                row.get(0)
            })?;
            if count >= limits::MAX_QUEUED_SCANS {
                return Ok(None);
            }
            db.execute(
                "DELETE FROM scan_request WHERE state IN ('done', 'failed') AND id NOT IN
                    (SELECT id FROM scan_request ORDER BY id DESC LIMIT ?)",
                [limits::MAX_QUEUED_SCANS],
            )?;
            db.query_row(
                "INSERT INTO scan_request (reference, requested_by, requested_ms, state) VALUES (?, ?, ?, 'queued')
                 RETURNING id, reference, requested_by, requested_ms, state, finished_ms, error",
                params![reference, by, now_ms],
                read_request,
            )
            .map(Some)
        })?;
        added.ok_or_else(|| Error::Limit(format!("queue a scan: {} wait already", limits::MAX_QUEUED_SCANS)))
    }

    fn list_scan_requests(&self, page: &Page) -> Result<Rows<ScanRequest>> {
        let before = page.integers::<1>().map_or(i64::MAX, |[id]| id);
        let rows = self.read("list queued scans", |db| {
            let mut statement = db.prepare_cached(&format!("{REQUEST} WHERE id < ? ORDER BY id DESC LIMIT ?"))?;
            let rows = statement.query_map(params![before, page.fetch()], read_request)?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        })?;
        Ok(page.close(rows, |row| row.id.to_string()))
    }

    fn claim_scan_request(&self, now_ms: i64, stale_ms: i64) -> Result<Option<ScanRequest>> {
        self.write("take a queued scan", |db| {
            db.query_row(
                "UPDATE scan_request SET state = 'running', claimed_ms = ?1 WHERE id = (
                    SELECT id FROM scan_request WHERE state = 'queued' OR (state = 'running' AND claimed_ms < ?2)
                    ORDER BY id LIMIT 1)
                 RETURNING id, reference, requested_by, requested_ms, state, finished_ms, error",
                params![now_ms, stale_ms],
                read_request,
            )
            .optional()
        })
    }

    fn finish_scan_request(&self, id: i64, error: Option<&str>, now_ms: i64) -> Result<()> {
        self.write("end a queued scan", |db| {
            db.execute(
                "UPDATE scan_request SET state = CASE WHEN ?2 IS NULL THEN 'done' ELSE 'failed' END, error = ?2, finished_ms = ?3
                 WHERE id = ?1 AND state = 'running'",
                params![id, error, now_ms],
            )
            .map(|_| ())
        })
    }
}

fn read_request(row: &Row<'_>) -> rusqlite::Result<ScanRequest> {
    let state: String = row.get(4)?;
    Ok(ScanRequest {
        id: row.get(0)?,
        reference: row.get(1)?,
        requested_by: row.get(2)?,
        requested_ms: row.get(3)?,
        state: match state.as_str() {
            "queued" => ScanRequestState::Queued,
            "running" => ScanRequestState::Running,
            "done" => ScanRequestState::Done,
            _ => ScanRequestState::Failed,
        },
        finished_ms: row.get(5)?,
        error: row.get(6)?,
    })
}
