//! Work that nobody asks for: old alerts go, queued scans run, renewed certificates are read.

use std::{
    ffi::OsString,
    io::Read,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, SystemTime},
};

use axum_server::tls_rustls::RustlsConfig;
use plimsoll_model::{ScanReport, schema};
use tokio::task::JoinSet;

use crate::{
    app::{App, run_blocking},
    error::Result,
    limits,
    server::{Extent, TlsFiles},
    store::ScanRequest,
};

const PURGE_EVERY: Duration = Duration::from_secs(3_600);
const LOOK_AT_CERTIFICATE_EVERY: Duration = Duration::from_secs(30);
/// A queued scan is found at the latest after this time, whoever queued it.
const LOOK_AT_QUEUE_EVERY: Duration = Duration::from_secs(10);

/// Starts all of it; it ends when the set is dropped.
pub(crate) fn start(
    app: &App,
    extent: Extent,
    scan_command: Option<Vec<OsString>>,
    tls: Option<(RustlsConfig, TlsFiles)>,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    if extent == Extent::Whole {
        tasks.spawn(purge(app.clone()));
        if let Some(command) = scan_command {
            tasks.spawn(run_queue(app.clone(), command));
        }
    }
    if let Some((config, files)) = tls {
        tasks.spawn(renew(config, files));
    }
    tasks
}

async fn purge(app: App) {
    let mut ticks = tokio::time::interval(PURGE_EVERY);
    loop {
        ticks.tick().await;
        let now_ms = app.now_ms();
        let purged = app.store(move |store| {
            let days = i64::from(store.load_settings()?.alert_retention_days);
            store.purge_alerts(now_ms - days * 86_400_000)
        });
        match purged.await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "old alerts removed"),
            Err(error) => tracing::error!(%error, "old alerts stay"),
        }
    }
}

async fn renew(config: RustlsConfig, files: TlsFiles) {
    let mut known = changed_at(&files).await;
    let mut ticks = tokio::time::interval(LOOK_AT_CERTIFICATE_EVERY);
    loop {
        ticks.tick().await;
        let now = changed_at(&files).await;
        if now == known {
            continue;
        }
        match config.reload_from_pem_file(&files.certificate, &files.key).await {
            Ok(()) => {
                known = now;
                tracing::info!("certificate read anew");
            }
            // The pair may be half written: it is tried again at the next tick.
            Err(error) => tracing::warn!(%error, "new certificate is not usable, the old one stays"),
        }
    }
}

async fn changed_at(files: &TlsFiles) -> [Option<SystemTime>; 2] {
    let changed = async |path: &Path| tokio::fs::metadata(path).await.ok()?.modified().ok();
    [changed(&files.certificate).await, changed(&files.key).await]
}

async fn run_queue(app: App, command: Vec<OsString>) {
    loop {
        let now_ms = app.now_ms();
        let stale_ms = now_ms - 2 * i64::try_from(limits::QUEUED_SCAN_TIMEOUT_MS).unwrap_or(i64::MAX / 4);
        match app.store(move |store| store.claim_scan_request(now_ms, stale_ms)).await {
            Ok(Some(request)) => finish(&app, &command, request).await,
            Ok(None) => {
                let _ = tokio::time::timeout(LOOK_AT_QUEUE_EVERY, app.scan_queued.notified()).await;
            }
            Err(error) => {
                tracing::error!(%error, "the scan queue does not answer");
                tokio::time::sleep(LOOK_AT_QUEUE_EVERY).await;
            }
        }
    }
}

async fn finish(app: &App, command: &[OsString], request: ScanRequest) {
    let outcome = match scan(command, &request.reference).await {
        Ok(report) => store_report(app, report).await.map_err(|error| error.to_string()),
        Err(detail) => Err(detail),
    };
    let error = outcome.err();
    if let Some(error) = &error {
        tracing::warn!(reference = %request.reference, %error, "queued scan failed");
    }
    let now_ms = app.now_ms();
    let finished = app
        .store(move |store| store.finish_scan_request(request.id, error.as_deref(), now_ms))
        .await;
    if let Err(error) = finished {
        tracing::error!(%error, "queued scan ended, and that is not stored");
    }
}

async fn store_report(app: &App, report: Box<ScanReport>) -> Result<()> {
    let now_ms = app.now_ms();
    app.store(move |store| store.save_scan(&report, now_ms)).await?;
    app.metrics.scans_stored.inc();
    Ok(())
}

/// Scans in a child process: an image is hostile, and what reads it must not be able to take the server down.
async fn scan(command: &[OsString], reference: &str) -> std::result::Result<Box<ScanReport>, String> {
    let (program, arguments) = command.split_first().ok_or("no scan command is set")?;
    let mut child = Command::new(program)
        .args(arguments)
        .arg(reference)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("start the scan: {error}"))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let mut killer = Killer(child);
    let words = run_blocking(move || read(stderr, 4_096));
    let report = run_blocking(move || read(stdout, limits::MAX_SCAN_BODY_BYTES));
    let both = async { tokio::join!(report, words) };
    let timeout = Duration::from_millis(limits::QUEUED_SCAN_TIMEOUT_MS);
    let Ok((report, words)) = tokio::time::timeout(timeout, both).await else {
        return Err("the scan took too long".to_owned());
    };
    let status = run_blocking(move || killer.0.wait()).await;
    let parsed = run_blocking(move || serde_json::from_slice::<Box<ScanReport>>(&report.unwrap_or_default())).await;
    match parsed {
        Ok(Ok(report)) if report.schema == schema::SCAN_REPORT => Ok(report),
        _ => {
            let words = words.unwrap_or_default();
            let status = status
                .ok()
                .and_then(std::result::Result::ok)
                .map(|status| status.to_string());
            let text = format!(
                "{}: {}",
                status.unwrap_or_default(),
                String::from_utf8_lossy(&words).trim()
            );
            Err(text.chars().take(1_000).collect())
        }
    }
}

/// Ends the scan when nobody waits for it any more; killing one that has ended does nothing.
struct Killer(Child);

impl Drop for Killer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Reads up to a limit and drains the rest, so that the child never blocks on a full pipe.
fn read(pipe: Option<impl Read>, limit: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let Some(mut pipe) = pipe else { return bytes };
    // What could not be read shows as a report that does not parse.
    let _ = (&mut pipe).take(limit as u64).read_to_end(&mut bytes);
    let _ = std::io::copy(&mut pipe, &mut std::io::sink());
    bytes
}
