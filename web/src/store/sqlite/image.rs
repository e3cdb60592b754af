//! Scan reports in SQLite: the whole document compressed, what lists need beside it.

use plimsoll_model::{Digest, FixState, ImageRef, Match, ScanReport, Severity};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::Serialize;

use super::{Conditions, SqliteStore, contains, length, to_u32, to_u64};
use crate::{
    Error,
    error::Result,
    limits,
    store::{
        ImageFilter, ImageStore, ImageSummary, PackageRow, Page, Rows, SeverityCounts, VulnerabilityFilter,
        VulnerabilityRow,
    },
};

/// Fast: a report of 20 MB takes about 60 ms.
const COMPRESSION_LEVEL: i32 = 3;

const SUMMARY: &str = "SELECT image.id, config_digest, manifest_digest, reference, scanned_ms, os, architecture, package_count,
    has_vulnerability_data, critical, high, medium, low, unknown, fixable, known_exploited, finding_count, is_incomplete,
    decision, (SELECT count(*) FROM alert WHERE alert.config_digest = image.config_digest) FROM image";

impl ImageStore for SqliteStore {
    fn save_scan(&self, report: &ScanReport, now_ms: i64) -> Result<ImageSummary> {
        let json = serde_json::to_vec(report).map_err(|error| corrupt(&error))?;
        let compressed = zstd::bulk::compress(&json, COMPRESSION_LEVEL).map_err(|error| corrupt(&error))?;
        self.write("save a scan report", |db| {
            let id = save_image(db, report, &compressed, now_ms)?;
            save_packages(db, id, report)?;
            save_matches(db, id, report)?;
            db.query_row(&format!("{SUMMARY} WHERE image.id = ?"), [id], read_summary)
        })
    }

    fn list_images(&self, filter: &ImageFilter, page: &Page) -> Result<Rows<ImageSummary>> {
        let mut conditions = Conditions::default();
        conditions.add_some(
            "(reference || ' ' || config_digest || ' ' || ifnull(manifest_digest, '')) LIKE ? ESCAPE '\\'",
            filter.text.as_deref().map(contains),
        );
        conditions.add_some("ifnull(decision, 'none') = ?", filter.decision.clone());
        conditions.add_some(
            "image.id IN (SELECT image FROM image_match WHERE vulnerability = ?)",
            filter.vulnerability.clone(),
        );
        conditions.add_some(
            "image.id IN (SELECT image FROM image_package WHERE name = ?)",
            filter.package.clone(),
        );
        conditions.add_some("(known_exploited > 0) = ?", filter.known_exploited);
        if let Some(cursor) = page.integers::<4>() {
            conditions.add(
                "(known_exploited, critical, high, image.id) < (?, ?, ?, ?)",
                cursor.map(|value| Box::new(value) as Box<dyn rusqlite::ToSql>),
            );
        }
        conditions.values.push(Box::new(page.fetch()));
        let sql = format!(
            "{SUMMARY} {} ORDER BY known_exploited DESC, critical DESC, high DESC, image.id DESC LIMIT ?",
            conditions.sql()
        );
        let rows = self.read("list images", |db| {
            let mut statement = db.prepare_cached(&sql)?;
            statement
                .query_map(conditions.values().as_slice(), |row| {
                    Ok((row.get::<_, i64>(0)?, read_summary(row)?))
                })?
                .collect::<rusqlite::Result<Vec<_>>>()
        })?;
        let rows = page.close(rows, |(id, image)| {
            let counts = image.vulnerabilities;
            format!("{}.{}.{}.{id}", image.known_exploited, counts.critical, counts.high)
        });
        Ok(Rows {
            rows: rows.rows.into_iter().map(|(_, image)| image).collect(),
            next: rows.next,
        })
    }

    fn find_image(&self, digest: &Digest) -> Result<Option<ImageSummary>> {
        self.read("find an image", |db| {
            let Some(id) = find_id(db, digest)? else {
                return Ok(None);
            };
            db.query_row(&format!("{SUMMARY} WHERE image.id = ?"), [id], read_summary)
                .optional()
        })
    }

    fn find_report(&self, digest: &Digest) -> Result<Option<ScanReport>> {
        let Some(json) = self.find_report_json(digest)? else {
            return Ok(None);
        };
        serde_json::from_slice(&json).map(Some).map_err(|error| corrupt(&error))
    }

    fn find_report_json(&self, digest: &Digest) -> Result<Option<Vec<u8>>> {
        let compressed: Option<Vec<u8>> = self.read("find a scan report", |db| {
            let Some(id) = find_id(db, digest)? else {
                return Ok(None);
            };
            db.query_row("SELECT report FROM image WHERE id = ?", [id], |row| row.get(0))
                .optional()
        })?;
        compressed
            .map(|bytes| {
                zstd::bulk::decompress(&bytes, 2 * limits::MAX_SCAN_BODY_BYTES).map_err(|error| corrupt(&error))
            })
            .transpose()
    }

    fn find_reference(&self, reference: &str) -> Result<Option<ImageSummary>> {
        self.read("find an image by reference", |db| {
            let sql = format!("{SUMMARY} WHERE image.id = (SELECT image FROM image_reference WHERE reference = ?)");
            db.query_row(&sql, [reference], read_summary).optional()
        })
    }

    fn list_vulnerabilities(
        &self,
        digest: &Digest,
        filter: &VulnerabilityFilter,
        page: &Page,
    ) -> Result<Rows<VulnerabilityRow>> {
        let rows = self.read("list vulnerabilities", |db| {
            let Some(id) = find_id(db, digest)? else { return Ok(Vec::new()) };
            let mut conditions = Conditions::default();
            conditions.add("m.image = ?", [Box::new(id)]);
            conditions.add_some(
                "(m.vulnerability || ' ' || p.name) LIKE ? ESCAPE '\\'",
                filter.text.as_deref().map(contains),
            );
            conditions.add_some("m.severity = ?", filter.severity.clone());
            conditions.add_some("(m.fix_state = 'fixed') = ?", filter.fixable);
            conditions.add_some("m.known_exploited = ?", filter.known_exploited);
            conditions.add_some("m.rank > ?", page.integers::<1>().map(|[rank]| rank));
            conditions.values.push(Box::new(page.fetch()));
            let sql = format!(
                "SELECT m.rank, m.vulnerability, m.severity, m.cvss_score, m.known_exploited, m.epss, p.name, p.version, p.kind,
                    m.fix_state, m.fixed_version, m.summary, m.evidence, m.package
                 FROM image_match m JOIN image_package p ON p.image = m.image AND p.position = m.package
                 {} ORDER BY m.rank LIMIT ?",
                conditions.sql()
            );
            let mut statement = db.prepare_cached(&sql)?;
            statement.query_map(conditions.values().as_slice(), read_vulnerability)?.collect()
        })?;
        Ok(page.close(rows, |row| row.rank.to_string()))
    }

    fn list_packages(&self, digest: &Digest, text: Option<&str>, page: &Page) -> Result<Rows<PackageRow>> {
        let rows = self.read("list packages", |db| {
            let Some(id) = find_id(db, digest)? else {
                return Ok(Vec::new());
            };
            let mut conditions = Conditions::default();
            conditions.add("p.image = ?", [Box::new(id)]);
            conditions.add_some("(p.name || ' ' || p.purl) LIKE ? ESCAPE '\\'", text.map(contains));
            conditions.add_some("p.position > ?", page.integers::<1>().map(|[position]| position));
            conditions.values.push(Box::new(page.fetch()));
            let sql = format!(
                "SELECT p.position, p.kind, p.name, p.version, p.purl, p.layer,
                    (SELECT count(*) FROM image_match m WHERE m.image = p.image AND m.package = p.position),
                    (SELECT m.severity FROM image_match m WHERE m.image = p.image AND m.package = p.position
                     ORDER BY CASE m.severity WHEN 'critical' THEN 0 WHEN 'high' THEN 1 WHEN 'medium' THEN 2
                        WHEN 'low' THEN 3 WHEN 'negligible' THEN 4 ELSE 5 END LIMIT 1)
                 FROM image_package p {} ORDER BY p.position LIMIT ?",
                conditions.sql()
            );
            let mut statement = db.prepare_cached(&sql)?;
            statement
                .query_map(conditions.values().as_slice(), read_package)?
                .collect()
        })?;
        Ok(page.close(rows, |row| row.position.to_string()))
    }

    fn count_images(&self) -> Result<u64> {
        self.read("count images", |db| {
            db.query_row("SELECT count(*) FROM image", [], |row| row.get(0))
                .map(to_u64)
        })
    }
}

fn corrupt(error: &dyn std::fmt::Display) -> Error {
    Error::Corrupt {
        noun: "scan report",
        detail: error.to_string(),
    }
}

/// Config digest first: it survives a re-compressed push.
fn find_id(db: &Connection, digest: &Digest) -> rusqlite::Result<Option<i64>> {
    let text = digest.to_string();
    let by_config = db
        .prepare_cached("SELECT id FROM image WHERE config_digest = ?")?
        .query_row([&text], |row| row.get(0))
        .optional()?;
    match by_config {
        Some(id) => Ok(Some(id)),
        None => db
            .prepare_cached("SELECT image FROM image_manifest WHERE manifest_digest = ?")?
            .query_row([&text], |row| row.get(0))
            .optional(),
    }
}

fn save_image(db: &Transaction<'_>, report: &ScanReport, compressed: &[u8], now_ms: i64) -> rusqlite::Result<i64> {
    let identity = &report.image;
    let matches = report.matches.as_deref().unwrap_or_default();
    let counts = count_severities(matches);
    let fixable = matches
        .iter()
        .filter(|found| found.fix_state == FixState::Fixed)
        .count();
    let exploited = matches
        .iter()
        .filter(|found| found.vulnerability.known_exploited)
        .count();
    let manifest = identity.manifest_digest.map(|digest| digest.to_string());
    let id: i64 = db.query_row(
        "INSERT INTO image (config_digest, manifest_digest, reference, scanned_ms, os, architecture, package_count,
            has_vulnerability_data, critical, high, medium, low, unknown, fixable, known_exploited, finding_count,
            is_incomplete, decision, report)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)
         ON CONFLICT (config_digest) DO UPDATE SET manifest_digest = excluded.manifest_digest,
            reference = excluded.reference, scanned_ms = excluded.scanned_ms, os = excluded.os,
            architecture = excluded.architecture, package_count = excluded.package_count,
            has_vulnerability_data = excluded.has_vulnerability_data, critical = excluded.critical, high = excluded.high,
            medium = excluded.medium, low = excluded.low, unknown = excluded.unknown, fixable = excluded.fixable,
            known_exploited = excluded.known_exploited, finding_count = excluded.finding_count,
            is_incomplete = excluded.is_incomplete, decision = excluded.decision, report = excluded.report
         RETURNING id",
        params![
            identity.config_digest.to_string(),
            manifest,
            identity.reference,
            now_ms,
            report.sbom.os.as_ref().map(|os| &os.pretty_name),
            identity.platform.architecture,
            length(report.sbom.packages.len()),
            report.matches.is_some(),
            counts.critical,
            counts.high,
            counts.medium,
            counts.low,
            counts.unknown,
            length(fixable),
            length(exploited),
            length(report.findings.len()),
            report.notes.iter().any(plimsoll_model::Note::makes_incomplete),
            report.verdict.as_ref().map(|verdict| verdict.decision.as_str()),
            compressed,
        ],
        |row| row.get(0),
    )?;
    if let Some(manifest) = manifest {
        db.execute(
            "INSERT OR REPLACE INTO image_manifest (manifest_digest, image) VALUES (?, ?)",
            params![manifest, id],
        )?;
    }
    // `docker-archive:redis.tar` is no reference that a cluster could ask for; it is not found by reference.
    if let Ok(reference) = identity.reference.parse::<ImageRef>() {
        db.execute(
            "INSERT OR REPLACE INTO image_reference (reference, image, seen_ms) VALUES (?, ?, ?)",
            params![reference.to_string(), id, now_ms],
        )?;
        db.execute(
            "UPDATE scan_request SET state = 'done', finished_ms = ? WHERE reference = ? AND state IN ('queued', 'running')",
            params![now_ms, reference.to_string()],
        )?;
    }
    Ok(id)
}

fn save_packages(db: &Transaction<'_>, id: i64, report: &ScanReport) -> rusqlite::Result<()> {
    db.execute("DELETE FROM image_package WHERE image = ?", [id])?;
    let mut statement = db.prepare_cached(
        "INSERT INTO image_package (image, position, kind, name, version, purl, layer) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )?;
    for (position, package) in report.sbom.packages.iter().enumerate() {
        statement.execute(params![
            id,
            length(position),
            word(&package.kind),
            package.name,
            package.version,
            package.purl,
            package.layer
        ])?;
    }
    Ok(())
}

fn save_matches(db: &Transaction<'_>, id: i64, report: &ScanReport) -> rusqlite::Result<()> {
    db.execute("DELETE FROM image_match WHERE image = ?", [id])?;
    let mut statement = db.prepare_cached(
        "INSERT INTO image_match (image, rank, package, vulnerability, severity, cvss_score, known_exploited, epss, fix_state,
            fixed_version, summary, evidence) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    for (rank, found) in report.matches.iter().flatten().enumerate() {
        let vulnerability = &found.vulnerability;
        statement.execute(params![
            id,
            length(rank),
            found.package,
            vulnerability.id,
            word(&vulnerability.severity),
            vulnerability.cvss_score.map(round),
            vulnerability.known_exploited,
            vulnerability.epss.map(round),
            word(&found.fix_state),
            found.fixed_version,
            vulnerability.summary,
            serde_json::to_string(&found.evidence).unwrap_or_default(),
        ])?;
    }
    Ok(())
}

/// 9.8 and not 9.800000190734863: the documents have five digits at most.
fn round(value: f32) -> f64 {
    (f64::from(value) * 100_000.0).round() / 100_000.0
}

/// A unit variant's name as serde writes it.
pub(super) fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => "unknown".to_owned(),
    }
}

fn count_severities(matches: &[Match]) -> SeverityCounts {
    let mut counts = SeverityCounts::default();
    for found in matches {
        *match found.vulnerability.severity {
            Severity::Critical => &mut counts.critical,
            Severity::High => &mut counts.high,
            Severity::Medium => &mut counts.medium,
            Severity::Low | Severity::Negligible => &mut counts.low,
            Severity::Unknown => &mut counts.unknown,
        } += 1;
    }
    counts
}

fn read_summary(row: &Row<'_>) -> rusqlite::Result<ImageSummary> {
    Ok(ImageSummary {
        config_digest: row.get(1)?,
        manifest_digest: row.get(2)?,
        reference: row.get(3)?,
        scanned_ms: row.get(4)?,
        os: row.get(5)?,
        architecture: row.get(6)?,
        package_count: row.get(7)?,
        has_vulnerability_data: row.get(8)?,
        vulnerabilities: SeverityCounts {
            critical: row.get(9)?,
            high: row.get(10)?,
            medium: row.get(11)?,
            low: row.get(12)?,
            unknown: row.get(13)?,
        },
        fixable: row.get(14)?,
        known_exploited: row.get(15)?,
        finding_count: row.get(16)?,
        is_incomplete: row.get(17)?,
        decision: row.get(18)?,
        alert_count: row.get(19).map(to_u64)?,
    })
}

fn read_vulnerability(row: &Row<'_>) -> rusqlite::Result<VulnerabilityRow> {
    let evidence: String = row.get(12)?;
    Ok(VulnerabilityRow {
        rank: row.get(0)?,
        id: row.get(1)?,
        severity: row.get(2)?,
        cvss_score: row.get(3)?,
        known_exploited: row.get(4)?,
        epss: row.get(5)?,
        package: row.get(6)?,
        version: row.get(7)?,
        package_kind: row.get(8)?,
        fix_state: row.get(9)?,
        fixed_version: row.get(10)?,
        summary: row.get(11)?,
        evidence: serde_json::from_str(&evidence).unwrap_or_default(),
        package_position: row.get(13)?,
        reach: None,
        reach_because: None,
    })
}

fn read_package(row: &Row<'_>) -> rusqlite::Result<PackageRow> {
    Ok(PackageRow {
        position: row.get(0)?,
        kind: row.get(1)?,
        name: row.get(2)?,
        version: row.get(3)?,
        purl: row.get(4)?,
        layer: row.get(5)?,
        vulnerability_count: row.get(6).map(to_u32)?,
        worst_severity: row.get(7)?,
    })
}
