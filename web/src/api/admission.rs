//! What admission decided.

use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    answer::{Answer, PageOf, Parameters},
    api::page_of,
    app::App,
    route::{Access, Route, Verb, handler},
    store::{AdmissionDecision, AdmissionFilter, Role},
};

crate::api::resource!("admission", ROUTES, [list]);

const ROUTES: &[Route] = &[Route::get("/admission-decisions", Access::Role(Role::Viewer), || {
    handler(Verb::Get, list)
})];

/// Which decisions, and which page of them.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AdmissionQuery {
    /// Exact namespace.
    namespace: Option<String>,
    /// Only admitted ones (`true`) or only refused ones (`false`).
    allowed: Option<bool>,
    /// Part of the object's kind, name or an image.
    text: Option<String>,
    /// From the page before.
    cursor: Option<String>,
    /// Rows, 1 to 500; 50 when left out.
    limit: Option<u32>,
}

/// Admission decisions, newest first. Dry runs are not recorded.
#[utoipa::path(get, path = "/admission-decisions", params(AdmissionQuery), responses(
    (status = 200, body = PageOf<AdmissionDecision>)))]
async fn list(
    State(app): State<App>,
    Parameters(query): Parameters<AdmissionQuery>,
) -> Answer<PageOf<AdmissionDecision>> {
    let page = page_of(query.cursor, query.limit)?;
    let filter = AdmissionFilter {
        namespace: query.namespace,
        allowed: query.allowed,
        text: query.text,
    };
    Ok(Json(
        app.store(move |store| store.list_admissions(&filter, &page))
            .await?
            .into(),
    ))
}
