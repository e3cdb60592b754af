//! Scan reports pushed by CI, and scans asked for.

use axum::{Json, extract::State};
use plimsoll_model::{ImageRef, ScanReport, schema};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::{
    answer::{Answer, ApiError, Body, ErrorBody, PageOf, Parameters},
    api::page_of,
    app::App,
    caller::{Address, UserCaller},
    limits,
    route::{Access, Route, Verb, handler},
    store::{ImageSummary, Role, ScanRequest},
};

crate::api::resource!("scans", ROUTES, [push, queue, list_queue]);

const ROUTES: &[Route] = &[
    Route::post("/scans", Access::Role(Role::Operator), || handler(Verb::Post, push))
        .with_body(limits::MAX_SCAN_BODY_BYTES),
    Route::post("/scan-requests", Access::Role(Role::Operator), || {
        handler(Verb::Post, queue)
    }),
    Route::get("/scan-requests", Access::Role(Role::Viewer), || {
        handler(Verb::Get, list_queue)
    }),
];

/// What to scan.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct QueueScan {
    /// Image reference.
    reference: String,
}

/// Which page.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct QueueQuery {
    /// From the page before.
    cursor: Option<String>,
    /// Rows, 1 to 500; 50 when left out.
    limit: Option<u32>,
}

/// Store a scan report, schema `plimsoll.scan/v1`, as `plimsoll scan --format json` writes it.
#[utoipa::path(post, path = "/scans", request_body(content = Object, content_type = "application/json"), responses(
    (status = 200, body = ImageSummary), (status = 400, body = ErrorBody), (status = 413, body = ErrorBody)))]
async fn push(
    State(app): State<App>,
    from: Address,
    caller: UserCaller,
    Body(report): Body<Box<ScanReport>>,
) -> Answer<ImageSummary> {
    if report.schema != schema::SCAN_REPORT {
        return Err(ApiError::bad_request(format!(
            "`schema` is not {}",
            schema::SCAN_REPORT
        )));
    }
    if report.profile.config_digest != report.image.config_digest {
        return Err(ApiError::bad_request("the profile is of another image"));
    }
    let packages = report.sbom.packages.len();
    if report
        .matches
        .iter()
        .flatten()
        .any(|found| found.package as usize >= packages)
    {
        return Err(ApiError::bad_request("a match points to a package that is not there"));
    }
    let now_ms = app.now_ms();
    let summary = app.store(move |store| store.save_scan(&report, now_ms)).await?;
    app.metrics.scans_stored.inc();
    let mut entry = caller.audit(&from, "push-scan", summary.reference.clone());
    entry.detail.clone_from(&summary.config_digest);
    app.audit(entry).await?;
    Ok(Json(summary))
}

/// Ask the server to scan an image; one request per reference waits.
#[utoipa::path(post, path = "/scan-requests", request_body = QueueScan, responses(
    (status = 200, body = ScanRequest), (status = 400, body = ErrorBody), (status = 409, body = ErrorBody)))]
async fn queue(
    State(app): State<App>,
    from: Address,
    caller: UserCaller,
    Body(input): Body<QueueScan>,
) -> Answer<ScanRequest> {
    let reference: ImageRef = input
        .reference
        .parse()
        .map_err(|error: plimsoll_model::ImageRefError| ApiError::bad_request(error.to_string()))?;
    let (now_ms, by, reference) = (app.now_ms(), caller.user.name.clone(), reference.to_string());
    let entry = caller.audit(&from, "queue-scan", reference.clone());
    let request = app
        .store(move |store| store.add_scan_request(&reference, &by, now_ms))
        .await?;
    app.audit(entry).await?;
    app.scan_queued.notify_one();
    Ok(Json(request))
}

/// Scans that were asked for, newest first.
#[utoipa::path(get, path = "/scan-requests", params(QueueQuery), responses((status = 200, body = PageOf<ScanRequest>)))]
async fn list_queue(State(app): State<App>, Parameters(query): Parameters<QueueQuery>) -> Answer<PageOf<ScanRequest>> {
    let page = page_of(query.cursor, query.limit)?;
    Ok(Json(
        app.store(move |store| store.list_scan_requests(&page)).await?.into(),
    ))
}
