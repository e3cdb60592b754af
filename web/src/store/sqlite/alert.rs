//! Alerts in SQLite: the document as JSON, what lists filter and sort by beside it.

use plimsoll_model::{Alert, Reason};
use rusqlite::{OptionalExtension, Row, Transaction, params};
use sha2::{Digest as _, Sha256};

use super::{Conditions, SqliteStore, contains, image::word, length, to_i64, to_u64};
use crate::{
    error::Result,
    limits,
    store::{
        Acknowledgement, AlertFilter, AlertGroup, AlertRecord, AlertSelection, AlertStore, AlertSummary,
        IngestedAlerts, NodeCount, Page, RejectedAlert, Rows, RuleCount, TimeBucket, priority_name, priority_rank,
    },
};

const SUMMARY: &str = "SELECT id, time_ms, received_ms, priority, rule, summary, node, namespace, pod, container_id,
    container_name, image, config_digest, executable, group_key, count, follow_up_count, acknowledged_ms, acknowledged_by,
    acknowledged_comment, sequence FROM alert";

impl AlertStore for SqliteStore {
    fn save_alerts(&self, node: &str, alerts: Vec<Alert>, now_ms: i64) -> Result<IngestedAlerts> {
        let mut result = IngestedAlerts::default();
        self.write("save alerts", |db| {
            for mut alert in alerts {
                node.clone_into(&mut alert.node);
                match save_alert(db, &alert, now_ms) {
                    Ok(Some(changed)) => result.changed.push(changed),
                    Ok(None) => {}
                    Err(Refusal::Reason(reason)) => {
                        let id = alert.id.chars().take(200).collect();
                        result.rejected.push(RejectedAlert { id, reason });
                        continue;
                    }
                    Err(Refusal::Store(error)) => return Err(error),
                }
                result.acknowledged.push(alert.id);
            }
            Ok(())
        })?;
        Ok(result)
    }

    fn list_alerts(&self, filter: &AlertFilter, page: &Page) -> Result<Rows<AlertSummary>> {
        let mut conditions = conditions_of(filter);
        if let Some([time_ms, sequence]) = page.integers::<2>() {
            conditions.add("(time_ms, sequence) < (?, ?)", [Box::new(time_ms), Box::new(sequence)]);
        }
        conditions.values.push(Box::new(page.fetch()));
        let sql = format!(
            "{SUMMARY} {} ORDER BY time_ms DESC, sequence DESC LIMIT ?",
            conditions.sql()
        );
        let rows = self.read("list alerts", |db| {
            let mut statement = db.prepare_cached(&sql)?;
            statement
                .query_map(conditions.values().as_slice(), |row| {
                    Ok((row.get::<_, i64>(20)?, read_summary(row)?))
                })?
                .collect::<rusqlite::Result<Vec<_>>>()
        })?;
        let rows = page.close(rows, |(sequence, alert)| format!("{}.{sequence}", alert.time_ms));
        Ok(Rows {
            rows: rows.rows.into_iter().map(|(_, alert)| alert).collect(),
            next: rows.next,
        })
    }

    fn list_alert_groups(&self, filter: &AlertFilter, page: &Page) -> Result<Rows<AlertGroup>> {
        let mut conditions = conditions_of(filter);
        let where_clause = conditions.sql();
        let cursor = page.integers::<2>();
        let having = match cursor {
            Some([last_ms, sequence]) => {
                conditions.values.push(Box::new(last_ms));
                conditions.values.push(Box::new(sequence));
                "HAVING (max(time_ms), max(sequence)) < (?, ?)"
            }
            None => "",
        };
        conditions.values.push(Box::new(page.fetch()));
        let sql = format!(
            "WITH grouped AS (
                SELECT group_key, min(priority) AS priority, count(*) AS alerts, sum(count) AS events,
                    sum(acknowledged_ms IS NULL) AS open, count(DISTINCT node) AS nodes, min(time_ms) AS first_ms,
                    max(time_ms) AS last_ms, max(sequence) AS last_sequence
                FROM alert {where_clause} GROUP BY group_key {having}
                ORDER BY last_ms DESC, last_sequence DESC LIMIT ?)
             SELECT g.group_key, g.priority, a.rule, a.summary, a.id, a.image, a.namespace, a.executable, g.alerts, g.events,
                g.open, g.nodes, g.first_ms, g.last_ms, g.last_sequence
             FROM grouped g JOIN alert a ON a.sequence = g.last_sequence
             ORDER BY g.last_ms DESC, g.last_sequence DESC"
        );
        let rows = self.read("list alert groups", |db| {
            let mut statement = db.prepare_cached(&sql)?;
            statement
                .query_map(conditions.values().as_slice(), |row| {
                    Ok((row.get::<_, i64>(14)?, read_group(row)?))
                })?
                .collect::<rusqlite::Result<Vec<_>>>()
        })?;
        let rows = page.close(rows, |(sequence, group)| format!("{}.{sequence}", group.last_ms));
        Ok(Rows {
            rows: rows.rows.into_iter().map(|(_, group)| group).collect(),
            next: rows.next,
        })
    }

    fn find_alert(&self, id: &str) -> Result<Option<AlertRecord>> {
        self.read("find an alert", |db| {
            let sql = format!("{} WHERE id = ?", SUMMARY.replacen(" FROM", ", document FROM", 1));
            db.query_row(&sql, [id], |row| {
                let document: String = row.get(21)?;
                Ok(AlertRecord {
                    summary: read_summary(row)?,
                    alert: serde_json::from_str(&document).unwrap_or_default(),
                })
            })
            .optional()
        })
    }

    fn acknowledge_alerts(&self, selection: &AlertSelection, acknowledgement: &Acknowledgement) -> Result<u64> {
        const SET: &str = "UPDATE alert SET acknowledged_ms = ?1, acknowledged_by = ?2, acknowledged_comment = ?3
            WHERE acknowledged_ms IS NULL";
        let Acknowledgement { by, at_ms, comment } = acknowledgement;
        self.write("acknowledge alerts", |db| match selection {
            AlertSelection::Ids(ids) => {
                let mut statement = db.prepare_cached(&format!("{SET} AND id = ?4"))?;
                ids.iter().try_fold(0, |sum, id| {
                    Ok(sum + statement.execute(params![at_ms, by, comment, id])? as u64)
                })
            }
            AlertSelection::Group { key, until_ms } => db
                .execute(
                    &format!("{SET} AND group_key = ?4 AND time_ms <= ?5"),
                    params![at_ms, by, comment, key, until_ms],
                )
                .map(|rows| rows as u64),
        })
    }

    fn reopen_alert(&self, id: &str) -> Result<bool> {
        self.write("reopen an alert", |db| {
            db.execute(
                "UPDATE alert SET acknowledged_ms = NULL, acknowledged_by = NULL, acknowledged_comment = NULL
                 WHERE id = ? AND acknowledged_ms IS NOT NULL",
                [id],
            )
            .map(|rows| rows > 0)
        })
    }

    fn count_over_time(&self, from_ms: i64, to_ms: i64, bucket_ms: i64) -> Result<Vec<TimeBucket>> {
        self.read("count alerts over time", |db| {
            let mut statement = db.prepare_cached(
                "SELECT ?1 + (time_ms - ?1) / ?3 * ?3 AS start, priority, count(*) FROM alert
                 WHERE time_ms >= ?1 AND time_ms < ?2 GROUP BY start, priority ORDER BY start, priority",
            )?;
            statement
                .query_map(params![from_ms, to_ms, bucket_ms], |row| {
                    Ok(TimeBucket {
                        start_ms: row.get(0)?,
                        priority: priority_name(row.get(1)?),
                        count: row.get(2).map(to_u64)?,
                    })
                })?
                .collect()
        })
    }

    fn count_by_rule(&self, from_ms: i64, to_ms: i64, limit: u32) -> Result<Vec<RuleCount>> {
        self.read("count alerts by rule", |db| {
            let mut statement = db.prepare_cached(
                "SELECT rule, min(priority), count(*) AS alerts FROM alert WHERE time_ms >= ? AND time_ms < ?
                 GROUP BY rule ORDER BY alerts DESC, rule LIMIT ?",
            )?;
            statement
                .query_map(params![from_ms, to_ms, limit], |row| {
                    Ok(RuleCount {
                        rule: row.get(0)?,
                        priority: priority_name(row.get(1)?),
                        count: row.get(2).map(to_u64)?,
                    })
                })?
                .collect()
        })
    }

    fn count_by_node(&self, from_ms: i64, to_ms: i64, limit: u32) -> Result<Vec<NodeCount>> {
        self.read("count alerts by node", |db| {
            let mut statement = db.prepare_cached(
                "SELECT node, count(*) AS alerts, sum(priority <= 2), sum(acknowledged_ms IS NULL) FROM alert
                 WHERE time_ms >= ? AND time_ms < ? GROUP BY node ORDER BY alerts DESC, node LIMIT ?",
            )?;
            statement
                .query_map(params![from_ms, to_ms, limit], |row| {
                    Ok(NodeCount {
                        node: row.get(0)?,
                        count: row.get(1).map(to_u64)?,
                        critical: row.get(2).map(to_u64)?,
                        open: row.get(3).map(to_u64)?,
                    })
                })?
                .collect()
        })
    }

    fn count_alerts(&self) -> Result<(u64, u64)> {
        self.read("count alerts", |db| {
            let count = |sql| db.query_row(sql, [], |row| row.get(0)).map(to_u64);
            Ok((
                count("SELECT count(*) FROM alert")?,
                count("SELECT count(*) FROM alert WHERE acknowledged_ms IS NULL")?,
            ))
        })
    }

    fn list_unscanned_images(&self, since_ms: i64, limit: u32) -> Result<Vec<String>> {
        self.read("list images without a scan", |db| {
            let mut statement = db.prepare_cached(
                "SELECT image FROM workload w WHERE image IS NOT NULL AND last_seen_ms >= ?
                    AND NOT EXISTS (SELECT 1 FROM image i WHERE i.config_digest = w.config_digest)
                    AND NOT EXISTS (SELECT 1 FROM image_manifest m WHERE m.manifest_digest = w.manifest_digest)
                 GROUP BY image ORDER BY max(last_seen_ms) DESC LIMIT ?",
            )?;
            statement
                .query_map(params![since_ms, limit], |row| row.get(0))?
                .collect()
        })
    }

    fn purge_alerts(&self, before_ms: i64) -> Result<u64> {
        self.write("remove old alerts", |db| {
            db.execute("DELETE FROM alert WHERE received_ms < ?", [before_ms])
                .map(|rows| rows as u64)
        })
    }
}

/// Why one alert of a batch is not stored.
enum Refusal {
    /// It never will be.
    Reason(String),
    /// The whole batch fails and may be sent again.
    Store(rusqlite::Error),
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error)
    }
}

/// `Some` when the alert is new or says more than before.
fn save_alert(db: &Transaction<'_>, alert: &Alert, now_ms: i64) -> std::result::Result<Option<AlertSummary>, Refusal> {
    let document = check(alert)?;
    let known: Option<(String, i64, i64)> = db
        .prepare_cached("SELECT node, count, follow_up_count FROM alert WHERE id = ?")?
        .query_row([&alert.id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let (count, follow_ups) = (to_i64(alert.count), length(alert.follow_ups.len()));
    match known {
        Some((node, ..)) if node != alert.node => {
            return Err(Refusal::Reason(
                "another node has sent an alert with this id".to_owned(),
            ));
        }
        Some((_, known_count, known_follow_ups)) if count <= known_count && follow_ups <= known_follow_ups => {
            return Ok(None);
        }
        Some(_) => {
            db.prepare_cached("UPDATE alert SET count = ?, follow_up_count = ?, document = ? WHERE id = ?")?
                .execute(params![count, follow_ups, document, alert.id])?;
        }
        None => insert(db, alert, &document, now_ms)?,
    }
    let sql = format!("{SUMMARY} WHERE id = ?");
    Ok(Some(db.prepare_cached(&sql)?.query_row([&alert.id], read_summary)?))
}

/// The alert as JSON, or why it is refused.
fn check(alert: &Alert) -> std::result::Result<String, Refusal> {
    let refuse = |reason: String| Err(Refusal::Reason(reason));
    if alert.schema != plimsoll_model::schema::ALERT {
        return refuse(format!("schema is not {}", plimsoll_model::schema::ALERT));
    }
    if alert.id.is_empty() || alert.id.len() > 200 || alert.id.chars().any(|c| !c.is_ascii_graphic()) {
        return refuse("id is not 1 to 200 visible ASCII characters".to_owned());
    }
    if priority_rank(&alert.priority).is_none() {
        return refuse(
            "priority is not one of emergency, alert, critical, error, warning, notice, informational, debug"
                .to_owned(),
        );
    }
    let document = serde_json::to_string(alert).map_err(|error| Refusal::Reason(error.to_string()))?;
    if document.len() > limits::MAX_ALERT_BYTES {
        return refuse(format!("larger than {} bytes", limits::MAX_ALERT_BYTES));
    }
    Ok(document)
}

fn insert(db: &Transaction<'_>, alert: &Alert, document: &str, now_ms: i64) -> rusqlite::Result<()> {
    let image = alert.image.as_ref();
    let config = image
        .and_then(|image| image.config_digest)
        .map(|digest| digest.to_string());
    let manifest = image
        .and_then(|image| image.manifest_digest)
        .map(|digest| digest.to_string());
    let pod = alert.pod.as_ref();
    db.prepare_cached(
        "INSERT INTO alert (id, time_ms, received_ms, priority, rule, summary, node, namespace, pod, container_id,
            container_name, image, config_digest, manifest_digest, executable, group_key, count, follow_up_count, search_text,
            document) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        alert.id,
        to_i64(alert.time_ns / 1_000_000),
        now_ms,
        priority_rank(&alert.priority),
        alert.rule,
        alert.summary,
        alert.node,
        pod.map(|pod| &pod.namespace),
        pod.map(|pod| &pod.name),
        alert.container_id,
        alert.container_name,
        image.map(|image| &image.reference),
        config,
        manifest,
        executable(alert),
        group_key(alert),
        to_i64(alert.count),
        length(alert.follow_ups.len()),
        search_text(alert),
        document,
    ])?;
    if let Some(container) = &alert.container_id {
        db.prepare_cached(
            "INSERT INTO workload (node, container_id, name, runtime, image, config_digest, manifest_digest, namespace, pod,
                profile, first_seen_ms, last_seen_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, NULL, ?10, ?10)
             ON CONFLICT DO UPDATE SET last_seen_ms = max(last_seen_ms, excluded.last_seen_ms)",
        )?
        .execute(params![
            alert.node,
            container,
            alert.container_name.as_deref().unwrap_or_default(),
            alert.runtime.map_or_else(|| "unknown".to_owned(), |runtime| word(&runtime)),
            image.map(|image| &image.reference),
            config,
            manifest,
            pod.map(|pod| &pod.namespace),
            pod.map(|pod| &pod.name),
            now_ms,
        ])?;
    }
    Ok(())
}

/// Empty when no process did it.
fn executable(alert: &Alert) -> &str {
    alert.process.as_ref().map_or("", |process| &process.exe)
}

/// The same rule on the same image, namespace and executable is one group. Lengths keep parts apart.
fn group_key(alert: &Alert) -> String {
    let image = alert.image.as_ref().map(|image| image.reference.as_str());
    let namespace = alert.pod.as_ref().map(|pod| pod.namespace.as_str());
    let mut hasher = Sha256::new();
    for part in [Some(alert.rule.as_str()), image, namespace, Some(executable(alert))] {
        let part = part.unwrap_or_default();
        hasher.update(part.len().to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize()[..10]
        .iter()
        .fold(String::new(), |key, byte| format!("{key}{byte:02x}"))
}

fn search_text(alert: &Alert) -> String {
    let mut text = [
        alert.summary.as_str(),
        &alert.observed,
        alert.process.as_ref().map_or("", |process| &process.command_line),
        alert.container_name.as_deref().unwrap_or_default(),
    ]
    .join("\n");
    for reason in &alert.reasons {
        let name = match reason {
            Reason::Deviation { kind, .. } => kind,
            Reason::Rule { name, .. } => name,
        };
        text.push('\n');
        text.push_str(name);
    }
    text.chars().take(limits::MAX_SEARCH_TEXT_BYTES / 4).collect()
}

fn conditions_of(filter: &AlertFilter) -> Conditions {
    let mut conditions = Conditions::default();
    conditions.add_some(
        "priority <= ?",
        filter.priority.as_deref().map(|name| priority_rank(name).unwrap_or(7)),
    );
    conditions.add_some("rule = ?", filter.rule.clone());
    if let Some(image) = &filter.image {
        conditions.add(
            "(config_digest = ? OR manifest_digest = ? OR image LIKE ? ESCAPE '\\')",
            [
                Box::new(image.clone()),
                Box::new(image.clone()),
                Box::new(contains(image)),
            ],
        );
    }
    conditions.add_some("node = ?", filter.node.clone());
    conditions.add_some("namespace = ?", filter.namespace.clone());
    conditions.add_some("container_id = ?", filter.container.clone());
    conditions.add_some("(acknowledged_ms IS NOT NULL) = ?", filter.acknowledged);
    conditions.add_some("search_text LIKE ? ESCAPE '\\'", filter.text.as_deref().map(contains));
    conditions.add_some("group_key = ?", filter.group.clone());
    conditions.add_some("time_ms >= ?", filter.from_ms);
    conditions.add_some("time_ms < ?", filter.to_ms);
    conditions
}

fn read_summary(row: &Row<'_>) -> rusqlite::Result<AlertSummary> {
    let acknowledged_ms: Option<i64> = row.get(17)?;
    let acknowledgement = match acknowledged_ms {
        Some(at_ms) => Some(Acknowledgement {
            by: row.get(18)?,
            at_ms,
            comment: row.get(19)?,
        }),
        None => None,
    };
    Ok(AlertSummary {
        id: row.get(0)?,
        time_ms: row.get(1)?,
        received_ms: row.get(2)?,
        priority: priority_name(row.get(3)?),
        rule: row.get(4)?,
        summary: row.get(5)?,
        node: row.get(6)?,
        namespace: row.get(7)?,
        pod: row.get(8)?,
        container_id: row.get(9)?,
        container_name: row.get(10)?,
        image: row.get(11)?,
        config_digest: row.get(12)?,
        executable: row.get(13)?,
        group: row.get(14)?,
        count: row.get(15).map(to_u64)?,
        follow_up_count: row.get(16)?,
        acknowledgement,
    })
}

fn read_group(row: &Row<'_>) -> rusqlite::Result<AlertGroup> {
    Ok(AlertGroup {
        group: row.get(0)?,
        priority: priority_name(row.get(1)?),
        rule: row.get(2)?,
        summary: row.get(3)?,
        newest_id: row.get(4)?,
        image: row.get(5)?,
        namespace: row.get(6)?,
        executable: row.get(7)?,
        alert_count: row.get(8).map(to_u64)?,
        event_count: row.get(9).map(to_u64)?,
        open_count: row.get(10).map(to_u64)?,
        node_count: row.get(11).map(to_u64)?,
        first_ms: row.get(12)?,
        last_ms: row.get(13)?,
    })
}
