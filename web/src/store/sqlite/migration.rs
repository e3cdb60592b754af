//! The schema, one step per version of `user_version`. A step that was released is never changed.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::failed;
use crate::{Error, error::Result};

/// Step `n` takes a database from version `n` to `n + 1`.
const STEPS: [&str; 2] = [include_str!("schema1.sql"), include_str!("schema2.sql")];

/// Brings a database up to date; refuses one from the future.
pub(super) fn migrate(db: &mut Connection, path: &Path) -> Result<()> {
    let transaction = db
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed("migrate the database"))?;
    let found: u32 = transaction
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(failed("migrate the database"))?;
    let known = u32::try_from(STEPS.len()).unwrap_or(u32::MAX);
    if found > known {
        return Err(Error::StoreTooNew {
            path: path.to_owned(),
            found,
            known,
        });
    }
    for step in &STEPS[found as usize..] {
        transaction
            .execute_batch(step)
            .map_err(failed("migrate the database"))?;
    }
    transaction
        .pragma_update(None, "user_version", known)
        .map_err(failed("migrate the database"))?;
    transaction.commit().map_err(failed("migrate the database"))
}
