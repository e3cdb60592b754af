//! Matches and an operating system in, which of them nobody will fix any more out: ends of security support.

use std::collections::BTreeMap;

use plimsoll_model::{FixState, Match, Note, NoteKind};
use rusqlite::Connection;

use crate::ecosystem;
use crate::feed::SupportKind;
use crate::tables;

/// A row of `support` that concerns one release.
struct Row {
    package: String,
    kind: SupportKind,
    last_version: String,
    ended: String,
    until: String,
    text: String,
}

/// Marks matches without a fix as end of life where the support of their package or release has ended, and says so.
/// It is judged as of the day on which the database was built, so that the same database always says the same.
/// `compared` are the source packages that were looked up, with their versions.
pub(crate) fn apply(
    connection: &Connection,
    release: &str,
    compared: &BTreeMap<String, String>,
    matches: &mut [Match],
) -> rusqlite::Result<Vec<Note>> {
    let today: String = connection.query_row("SELECT value FROM meta WHERE name = 'built'", [], |row| row.get(0))?;
    let today = today.get(..10).unwrap_or_default();
    let mut notes = Vec::new();
    for row in rows(connection, release)? {
        match row.kind {
            SupportKind::Release => notes.extend(judge_release(&row, release, today, matches)),
            SupportKind::Ended if row.ended.as_str() <= today => {
                for (name, version) in compared.iter().filter(|(name, version)| row.is_about(name, version)) {
                    end(matches, |one| {
                        one.evidence.compared_name == *name && one.evidence.compared_version == *version
                    });
                    let detail = format!("its security support ended {}: {}", row.ended, row.text);
                    notes.push(Note::new(NoteKind::Hint, format!("{name} {version}"), detail));
                }
            }
            SupportKind::Ended => {}
            SupportKind::Limited => {
                for (name, version) in compared.iter().filter(|(name, version)| row.is_about(name, version)) {
                    let detail = format!("its security support is limited: {}", row.text);
                    notes.push(Note::new(NoteKind::Hint, format!("{name} {version}"), detail));
                }
            }
        }
    }
    Ok(notes)
}

fn judge_release(row: &Row, release: &str, today: &str, matches: &mut [Match]) -> Option<Note> {
    if row.until.as_str() <= today {
        end(matches, |one| one.evidence.ecosystem == release);
        // Nobody looks for faults in it any more, so that none is known says nothing.
        let detail = format!(
            "its security support ended {}: no advisories are written for it",
            row.until
        );
        return Some(Note::new(NoteKind::Unsupported, release, detail));
    }
    (row.ended.as_str() <= today).then(|| {
        let detail = format!(
            "its regular security support ended {}; what is left of it ends {}",
            row.ended, row.until
        );
        Note::new(NoteKind::Hint, release, detail)
    })
}

fn end(matches: &mut [Match], is_meant: impl Fn(&Match) -> bool) {
    for one in matches.iter_mut().filter(|one| is_meant(one)) {
        if !matches!(
            one.fix_state,
            FixState::Fixed | FixState::NotAffected | FixState::WillNotFix
        ) {
            one.fix_state = FixState::EndOfLife;
        }
    }
}

impl Row {
    /// Whether the row speaks of this version of this package. The only pattern that is in use ends with `.*`.
    fn is_about(&self, name: &str, version: &str) -> bool {
        let is_named = match self.package.strip_suffix(".*") {
            Some(start) => name.starts_with(start),
            None => name == self.package,
        };
        // A version beyond the last supported one was made by somebody who still supports it (a backport). 0: all.
        let is_old = self.last_version.is_empty()
            || self.last_version == "0"
            || ecosystem::scheme("Debian")
                .compare(version, &self.last_version)
                .is_ok_and(std::cmp::Ordering::is_le);
        is_named && is_old
    }
}

fn rows(connection: &Connection, release: &str) -> rusqlite::Result<Vec<Row>> {
    let distribution = release.split(':').next().unwrap_or(release);
    connection
        .prepare(
            "SELECT package, kind, last_version, ended, until, text FROM support WHERE ecosystem IN (?1, ?2) \
             ORDER BY ecosystem, package, kind",
        )?
        .query_map([release, distribution], |row| {
            Ok(Row {
                package: row.get(0)?,
                kind: tables::support_of(row.get(1)?),
                last_version: row.get(2)?,
                ended: row.get(3)?,
                until: row.get(4)?,
                text: row.get(5)?,
            })
        })?
        .collect()
}
