//! Scanned images: listed by danger, with vulnerabilities, packages and profile.

use axum::{
    Json,
    extract::{Path, State},
    http::header,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    answer::{Answer, ApiError, ErrorBody, PageOf, Parameters},
    api::{digest_of, page_of, usage::reach_of},
    app::App,
    route::{Access, Route, Verb, handler},
    store::{ImageFilter, ImageSummary, PackageRow, Role, VulnerabilityFilter, VulnerabilityRow},
};

crate::api::resource!(
    "images",
    ROUTES,
    [list, show, list_vulnerabilities, list_packages, report]
);

const ROUTES: &[Route] = &[
    Route::get("/images", Access::Role(Role::Viewer), || handler(Verb::Get, list)),
    Route::get("/images/{digest}", Access::Role(Role::Viewer), || {
        handler(Verb::Get, show)
    }),
    Route::get("/images/{digest}/vulnerabilities", Access::Role(Role::Viewer), || {
        handler(Verb::Get, list_vulnerabilities)
    }),
    Route::get("/images/{digest}/packages", Access::Role(Role::Viewer), || {
        handler(Verb::Get, list_packages)
    }),
    Route::get("/images/{digest}/report", Access::Role(Role::Viewer), || {
        handler(Verb::Get, report)
    }),
];

/// Which images, and which page of them.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ImageQuery {
    /// Part of the reference or a digest.
    text: Option<String>,
    /// `go`, `warn`, `stop`, or `none` for images that no policy has judged.
    decision: Option<String>,
    /// Has this vulnerability.
    vulnerability: Option<String>,
    /// Has a package of this name.
    package: Option<String>,
    /// Has a known exploited vulnerability.
    known_exploited: Option<bool>,
    /// From the page before.
    cursor: Option<String>,
    /// Rows, 1 to 500; 50 when left out.
    limit: Option<u32>,
}

/// Which vulnerabilities, and which page of them.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct VulnerabilityQuery {
    /// Part of the id or package name.
    text: Option<String>,
    /// `critical`, `high`, `medium`, `low`, `negligible`, `unknown`.
    severity: Option<String>,
    /// A fix can be had.
    fixable: Option<bool>,
    /// Known to be exploited.
    known_exploited: Option<bool>,
    /// From the page before.
    cursor: Option<String>,
    /// Rows, 1 to 500; 50 when left out.
    limit: Option<u32>,
}

/// Which packages, and which page of them.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct PackageQuery {
    /// Part of the name or purl.
    text: Option<String>,
    /// From the page before.
    cursor: Option<String>,
    /// Rows, 1 to 500; 50 when left out.
    limit: Option<u32>,
}

/// One image with all but its packages, files and vulnerabilities.
#[derive(Serialize, ToSchema)]
struct ImageDetail {
    /// As in lists.
    summary: ImageSummary,
    /// How it is run: entrypoint, command, environment, user, ports, volumes, labels, history.
    #[schema(value_type = Object)]
    config: serde_json::Value,
    /// Its layers, base first: diff id, sizes, the instruction that made it.
    #[schema(value_type = Vec<Object>)]
    layers: serde_json::Value,
    /// What image checks found: check, severity, message, path.
    #[schema(value_type = Vec<Object>)]
    findings: serde_json::Value,
    /// What could not be read: kind, subject, detail.
    #[schema(value_type = Vec<Object>)]
    notes: serde_json::Value,
    /// What the policy decided at scan time: decision, policy, reasons, unused waivers; null when none was asked.
    #[schema(value_type = Option<Object>)]
    verdict: serde_json::Value,
    /// What its containers should do, schema `plimsoll.profile/v1`: main program, facts with evidence, denials, facets.
    #[schema(value_type = Object)]
    profile: serde_json::Value,
    /// Files of all kinds in the image.
    file_count: u64,
}

/// Images, most endangered first.
#[utoipa::path(get, path = "/images", params(ImageQuery), responses((status = 200, body = PageOf<ImageSummary>)))]
async fn list(State(app): State<App>, Parameters(query): Parameters<ImageQuery>) -> Answer<PageOf<ImageSummary>> {
    let page = page_of(query.cursor, query.limit)?;
    let filter = ImageFilter {
        text: query.text,
        decision: query.decision,
        vulnerability: query.vulnerability,
        package: query.package,
        known_exploited: query.known_exploited,
    };
    Ok(Json(
        app.store(move |store| store.list_images(&filter, &page)).await?.into(),
    ))
}

/// One image, by config or manifest digest.
#[utoipa::path(get, path = "/images/{digest}", params(("digest" = String, Path, description = "Config or manifest digest")),
    responses((status = 200, body = ImageDetail), (status = 404, body = ErrorBody)))]
async fn show(State(app): State<App>, Path(digest): Path<String>) -> Answer<ImageDetail> {
    let digest = digest_of(&digest)?;
    let found = app.store(move |store| {
        let (Some(summary), Some(report)) = (store.find_image(&digest)?, store.find_report(&digest)?) else {
            return Ok(None);
        };
        let json = |value: Result<serde_json::Value, _>| value.unwrap_or_default();
        Ok(Some(ImageDetail {
            summary,
            config: json(serde_json::to_value(&report.config)),
            layers: json(serde_json::to_value(&report.layers)),
            findings: json(serde_json::to_value(&report.findings)),
            notes: json(serde_json::to_value(&report.notes)),
            verdict: json(serde_json::to_value(&report.verdict)),
            profile: json(serde_json::to_value(&report.profile)),
            file_count: report.file_count,
        }))
    });
    found.await?.map(Json).ok_or_else(|| ApiError::not_found("image"))
}

/// An image's vulnerabilities, worst first.
#[utoipa::path(get, path = "/images/{digest}/vulnerabilities",
    params(("digest" = String, Path, description = "Config or manifest digest"), VulnerabilityQuery),
    responses((status = 200, body = PageOf<VulnerabilityRow>)))]
async fn list_vulnerabilities(
    State(app): State<App>,
    Path(digest): Path<String>,
    Parameters(query): Parameters<VulnerabilityQuery>,
) -> Answer<PageOf<VulnerabilityRow>> {
    let digest = digest_of(&digest)?;
    let page = page_of(query.cursor, query.limit)?;
    let filter = VulnerabilityFilter {
        text: query.text,
        severity: query.severity,
        fixable: query.fixable,
        known_exploited: query.known_exploited,
    };
    let found = app.store(move |store| {
        let mut rows = store.list_vulnerabilities(&digest, &filter, &page)?;
        if let Some(reach) = reach_of(store, &digest)? {
            for row in &mut rows.rows {
                let one = usize::try_from(row.package_position).ok().and_then(|at| reach.get(at));
                row.reach = one.map(|one| if one.is_idle { "idle" } else { one.rung.name() }.to_owned());
                row.reach_because = one.map(|one| one.because.clone());
            }
        }
        Ok(rows)
    });
    Ok(Json(found.await?.into()))
}

/// An image's packages.
#[utoipa::path(get, path = "/images/{digest}/packages",
    params(("digest" = String, Path, description = "Config or manifest digest"), PackageQuery),
    responses((status = 200, body = PageOf<PackageRow>)))]
async fn list_packages(
    State(app): State<App>,
    Path(digest): Path<String>,
    Parameters(query): Parameters<PackageQuery>,
) -> Answer<PageOf<PackageRow>> {
    let digest = digest_of(&digest)?;
    let page = page_of(query.cursor, query.limit)?;
    Ok(Json(
        app.store(move |store| store.list_packages(&digest, query.text.as_deref(), &page))
            .await?
            .into(),
    ))
}

/// The whole scan report, schema `plimsoll.scan/v1`.
#[utoipa::path(get, path = "/images/{digest}/report", params(("digest" = String, Path, description = "Config or manifest digest")),
    responses((status = 200, body = Object), (status = 404, body = ErrorBody)))]
async fn report(State(app): State<App>, Path(digest): Path<String>) -> Result<Response, ApiError> {
    let digest = digest_of(&digest)?;
    let json = app.store(move |store| store.find_report_json(&digest)).await?;
    let json = json.ok_or_else(|| ApiError::not_found("image"))?;
    Ok(([(header::CONTENT_TYPE, "application/json")], json).into_response())
}
