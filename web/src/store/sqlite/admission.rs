//! Admission decisions in SQLite.

use rusqlite::params;

use super::{Conditions, SqliteStore, contains};
use crate::{
    error::Result,
    limits,
    store::{AdmissionDecision, AdmissionFilter, AdmissionStore, NewAdmissionDecision, Page, Rows},
};

impl AdmissionStore for SqliteStore {
    fn save_admission(&self, decision: &NewAdmissionDecision, now_ms: i64) -> Result<()> {
        let images: Vec<&str> = decision.images.iter().map(|image| image.image.as_str()).collect();
        let document = serde_json::to_string(decision).unwrap_or_default();
        self.write("save an admission decision", |db| {
            db.execute(
                "INSERT INTO admission_decision (time_ms, namespace, name, allowed, search_text, document)
                 VALUES (?, ?, ?, ?, ?, ?)",
                params![
                    now_ms,
                    decision.namespace,
                    decision.name,
                    decision.allowed,
                    format!("{}\n{}\n{}", decision.kind, decision.name, images.join("\n")),
                    document
                ],
            )?;
            let newest = db.last_insert_rowid();
            db.execute(
                "DELETE FROM admission_decision WHERE id <= ?",
                [newest - limits::MAX_ADMISSION_DECISIONS],
            )
            .map(|_| ())
        })
    }

    fn list_admissions(&self, filter: &AdmissionFilter, page: &Page) -> Result<Rows<AdmissionDecision>> {
        let mut conditions = Conditions::default();
        conditions.add_some("namespace = ?", filter.namespace.clone());
        conditions.add_some("allowed = ?", filter.allowed);
        conditions.add_some("search_text LIKE ? ESCAPE '\\'", filter.text.as_deref().map(contains));
        conditions.add_some("id < ?", page.integers::<1>().map(|[id]| id));
        conditions.values.push(Box::new(page.fetch()));
        let sql = format!(
            "SELECT id, time_ms, document FROM admission_decision {} ORDER BY id DESC LIMIT ?",
            conditions.sql()
        );
        let rows = self.read("list admission decisions", |db| {
            let mut statement = db.prepare_cached(&sql)?;
            let rows = statement.query_map(conditions.values().as_slice(), |row| {
                let document: String = row.get(2)?;
                let decision = serde_json::from_str(&document).map_err(|error| {
                    rusqlite::Error::FromSqlConversionFailure(2, rusqlite::types::Type::Text, error.into())
                })?;
                Ok(AdmissionDecision {
                    id: row.get(0)?,
                    time_ms: row.get(1)?,
                    decision,
                })
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        })?;
        Ok(page.close(rows, |row| row.id.to_string()))
    }
}
