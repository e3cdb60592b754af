//! Agents and workloads in SQLite.

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::{Conditions, SqliteStore, contains, length, to_i64, to_u64};
use crate::{
    Error,
    error::Result,
    limits,
    secret::TokenDigest,
    store::{Agent, AgentStore, Enrolment, Heartbeat, Page, Rows, SeenContainer, Workload},
};

const AGENT: &str =
    "SELECT id, node, enrolled_ms, last_seen_ms, revoked_ms, version, kernel, container_count, event_count,
    losses, blind_spots FROM agent";

impl AgentStore for SqliteStore {
    fn add_enrolment(&self, enrolment: &Enrolment, digest: &TokenDigest) -> Result<i64> {
        self.write("add an enrolment token", |db| {
            db.execute(
                "DELETE FROM enrolment WHERE expires_ms < ? OR uses_left = 0",
                [enrolment.created_ms],
            )?;
            db.query_row(
                "INSERT INTO enrolment (digest, created_by, created_ms, expires_ms, uses_left) VALUES (?, ?, ?, ?, ?)
                 RETURNING id",
                params![
                    digest,
                    enrolment.created_by,
                    enrolment.created_ms,
                    enrolment.expires_ms,
                    enrolment.uses_left
                ],
                |row| row.get(0),
            )
        })
    }

    fn list_enrolments(&self) -> Result<Vec<Enrolment>> {
        self.read("list enrolment tokens", |db| {
            let mut statement = db.prepare_cached(
                "SELECT id, created_by, created_ms, expires_ms, uses_left FROM enrolment ORDER BY id DESC LIMIT 500",
            )?;
            statement
                .query_map([], |row| {
                    Ok(Enrolment {
                        id: row.get(0)?,
                        created_by: row.get(1)?,
                        created_ms: row.get(2)?,
                        expires_ms: row.get(3)?,
                        uses_left: row.get(4)?,
                    })
                })?
                .collect()
        })
    }

    fn revoke_enrolment(&self, id: i64) -> Result<bool> {
        self.write("revoke an enrolment token", |db| {
            db.execute("DELETE FROM enrolment WHERE id = ?", [id])
                .map(|rows| rows > 0)
        })
    }

    fn enrol_agent(
        &self,
        enrolment: &TokenDigest,
        node: &str,
        agent: &TokenDigest,
        now_ms: i64,
    ) -> Result<Option<Agent>> {
        let enrolled = self.write("enrol an agent", |db| {
            let used = db.execute(
                "UPDATE enrolment SET uses_left = uses_left - 1 WHERE digest = ? AND uses_left > 0 AND expires_ms > ?",
                params![enrolment, now_ms],
            )?;
            if used == 0 {
                return Ok(Some(None));
            }
            let others: i64 = db.query_row("SELECT count(*) FROM agent WHERE node <> ?", [node], |row| row.get(0))?;
            if others >= limits::MAX_AGENTS {
                return Ok(None);
            }
            let id: i64 = db.query_row(
                "INSERT INTO agent (node, digest, enrolled_ms) VALUES (?, ?, ?)
                 ON CONFLICT (node) DO UPDATE SET digest = excluded.digest, enrolled_ms = excluded.enrolled_ms,
                    revoked_ms = NULL RETURNING id",
                params![node, agent, now_ms],
                |row| row.get(0),
            )?;
            db.query_row(&format!("{AGENT} WHERE id = ?"), [id], read_agent)
                .map(|agent| Some(Some(agent)))
        })?;
        enrolled.ok_or_else(|| Error::Limit(format!("enrol an agent: there are {} already", limits::MAX_AGENTS)))
    }

    fn find_agent_by_token(&self, digest: &TokenDigest) -> Result<Option<Agent>> {
        self.read("find an agent", |db| {
            db.prepare_cached(&format!("{AGENT} WHERE digest = ? AND revoked_ms IS NULL"))?
                .query_row([digest], read_agent)
                .optional()
        })
    }

    fn save_heartbeat(&self, agent: i64, heartbeat: &Heartbeat, now_ms: i64) -> Result<()> {
        let losses = serde_json::to_string(&heartbeat.losses).unwrap_or_default();
        let blind_spots = serde_json::to_string(&heartbeat.blind_spots).unwrap_or_default();
        self.write("save a heartbeat", |db| {
            let node: String = db.query_row(
                "UPDATE agent SET last_seen_ms = ?, version = ?, kernel = ?, container_count = ?, event_count = ?, losses = ?,
                    blind_spots = ? WHERE id = ? RETURNING node",
                params![
                    now_ms,
                    heartbeat.version,
                    heartbeat.kernel,
                    length(heartbeat.containers.len()),
                    to_i64(heartbeat.event_count),
                    losses,
                    blind_spots,
                    agent
                ],
                |row| row.get(0),
            )?;
            save_workloads(db, &node, &heartbeat.containers, now_ms)
        })
    }

    fn list_agents(&self) -> Result<Vec<Agent>> {
        self.read("list agents", |db| {
            let mut statement = db.prepare_cached(&format!("{AGENT} ORDER BY node"))?;
            statement.query_map([], read_agent)?.collect()
        })
    }

    fn revoke_agent(&self, id: i64, now_ms: i64) -> Result<bool> {
        self.write("revoke an agent", |db| {
            db.execute(
                "UPDATE agent SET revoked_ms = ? WHERE id = ? AND revoked_ms IS NULL",
                params![now_ms, id],
            )
            .map(|rows| rows > 0)
        })
    }

    fn list_workloads(&self, text: Option<&str>, page: &Page) -> Result<Rows<Workload>> {
        let mut conditions = Conditions::default();
        conditions.add_some(
            "(name || ' ' || container_id || ' ' || ifnull(image, '') || ' ' || ifnull(namespace, '') || ' ' || ifnull(pod, '')
                || ' ' || node) LIKE ? ESCAPE '\\'",
            text.map(contains),
        );
        if let Some([seen_ms, row]) = page.integers::<2>() {
            conditions.add("(last_seen_ms, rowid) < (?, ?)", [Box::new(seen_ms), Box::new(row)]);
        }
        conditions.values.push(Box::new(page.fetch()));
        let sql = format!(
            "SELECT node, container_id, name, runtime, image, config_digest, namespace, pod, profile, first_seen_ms, last_seen_ms,
                EXISTS (SELECT 1 FROM image i WHERE i.config_digest = w.config_digest)
                    OR EXISTS (SELECT 1 FROM image_manifest m WHERE m.manifest_digest = w.manifest_digest),
                (SELECT count(*) FROM alert a WHERE a.container_id = w.container_id AND a.node = w.node),
                (SELECT count(*) FROM alert a WHERE a.container_id = w.container_id AND a.node = w.node
                    AND a.acknowledged_ms IS NULL),
                w.rowid
             FROM workload w {} ORDER BY last_seen_ms DESC, rowid DESC LIMIT ?",
            conditions.sql()
        );
        let rows = self.read("list workloads", |db| {
            let mut statement = db.prepare_cached(&sql)?;
            statement
                .query_map(conditions.values().as_slice(), |row| {
                    Ok((row.get::<_, i64>(14)?, read_workload(row)?))
                })?
                .collect::<rusqlite::Result<Vec<_>>>()
        })?;
        let rows = page.close(rows, |(row, workload)| format!("{}.{row}", workload.last_seen_ms));
        Ok(Rows {
            rows: rows.rows.into_iter().map(|(_, workload)| workload).collect(),
            next: rows.next,
        })
    }
}

fn save_workloads(db: &Transaction<'_>, node: &str, containers: &[SeenContainer], now_ms: i64) -> rusqlite::Result<()> {
    let mut statement = db.prepare_cached(
        "INSERT INTO workload (node, container_id, name, runtime, image, config_digest, manifest_digest, namespace, pod, profile,
            first_seen_ms, last_seen_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11)
         ON CONFLICT DO UPDATE SET name = excluded.name, runtime = excluded.runtime,
            image = ifnull(excluded.image, image), config_digest = ifnull(excluded.config_digest, config_digest),
            manifest_digest = ifnull(excluded.manifest_digest, manifest_digest),
            namespace = ifnull(excluded.namespace, namespace), pod = ifnull(excluded.pod, pod), profile = excluded.profile,
            last_seen_ms = excluded.last_seen_ms",
    )?;
    for container in containers {
        statement.execute(params![
            node,
            container.id,
            container.name,
            container.runtime,
            container.image,
            container.config_digest,
            container.manifest_digest,
            container.namespace,
            container.pod,
            container.profile,
            now_ms
        ])?;
    }
    db.execute(
        "DELETE FROM workload WHERE rowid IN
            (SELECT rowid FROM workload ORDER BY last_seen_ms DESC, rowid DESC LIMIT -1 OFFSET ?)",
        [limits::MAX_WORKLOADS],
    )
    .map(|_| ())
}

fn read_agent(row: &Row<'_>) -> rusqlite::Result<Agent> {
    let losses: String = row.get(9)?;
    let blind_spots: String = row.get(10)?;
    Ok(Agent {
        id: row.get(0)?,
        node: row.get(1)?,
        enrolled_ms: row.get(2)?,
        last_seen_ms: row.get(3)?,
        revoked_ms: row.get(4)?,
        version: row.get(5)?,
        kernel: row.get(6)?,
        container_count: row.get(7)?,
        event_count: row.get(8).map(to_u64)?,
        losses: serde_json::from_str(&losses).unwrap_or_default(),
        blind_spots: serde_json::from_str(&blind_spots).unwrap_or_default(),
    })
}

fn read_workload(row: &Row<'_>) -> rusqlite::Result<Workload> {
    Ok(Workload {
        node: row.get(0)?,
        container_id: row.get(1)?,
        name: row.get(2)?,
        runtime: row.get(3)?,
        image: row.get(4)?,
        config_digest: row.get(5)?,
        namespace: row.get(6)?,
        pod: row.get(7)?,
        profile: row.get(8)?,
        first_seen_ms: row.get(9)?,
        last_seen_ms: row.get(10)?,
        is_scanned: row.get(11)?,
        alert_count: row.get(12).map(to_u64)?,
        open_alert_count: row.get(13).map(to_u64)?,
    })
}
