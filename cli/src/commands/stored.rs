//! `report:FILE`, or anything that can be scanned, in; a report out.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use plimsoll_model::{ScanReport, schema};
use plimsoll_scanner::report;
use plimsoll_vulndb::{Database, Error, default_path};

use super::{
    db,
    scan::{SourceArguments, scan_image},
};
use crate::exit::{Exit, Failure};

/// Longest report that is read, in bytes.
const MAX_REPORT_BYTES: u64 = 1 << 30;

/// Reads a stored report, or scans an image. Its vulnerabilities are looked up when there is a database; one that was
/// asked for must be there.
pub(crate) fn load(target: &str, source: &SourceArguments, db: Option<&PathBuf>) -> Result<ScanReport, Failure> {
    if let Some(path) = target.strip_prefix("report:") {
        return read_report(Path::new(path));
    }
    let scanned = scan_image(target, source)?;
    let found = match (Database::open(&db.cloned().unwrap_or_else(default_path)), db) {
        (Ok(database), _) => Some(database.find_matches(&scanned.sbom).map_err(db::failure)?),
        (Err(Error::Missing(_)), None) => None,
        (Err(error), _) => return Err(db::failure(error)),
    };
    let (matches, notes) = found.map_or((None, Vec::new()), |(matches, notes)| (Some(matches), notes));
    let (mut report, _) = report::assemble(scanned, matches, notes, plimsoll_rules::packs::shipped());
    report.base = plimsoll_scanner::base::guess(&report.config, report.layers.len());
    Ok(report)
}

/// Reads what `plimsoll scan -o json` wrote.
pub(crate) fn read_report(path: &Path) -> Result<ScanReport, Failure> {
    let context = || format!("read report {}", path.display());
    let failed = |error: anyhow::Error| {
        Failure::new(
            Exit::Target,
            error.context(context()),
            "write one with `plimsoll scan IMAGE -o json=FILE`",
        )
    };
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_REPORT_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| failed(error.into()))?;
    if bytes.len() as u64 > MAX_REPORT_BYTES {
        return Err(failed(anyhow::anyhow!("it is longer than {MAX_REPORT_BYTES} bytes")));
    }
    let report: ScanReport = serde_json::from_slice(&bytes).map_err(|error| failed(error.into()))?;
    if report.schema != schema::SCAN_REPORT {
        let error = anyhow::anyhow!("its schema is `{}`, not `{}`", report.schema, schema::SCAN_REPORT);
        return Err(failed(error));
    }
    Ok(report)
}
