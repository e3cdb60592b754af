//! Who did what.

use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    answer::{Answer, PageOf, Parameters},
    api::page_of,
    app::App,
    route::{Access, Route, Verb, handler},
    store::{AuditEntry, Role},
};

crate::api::resource!("audit", ROUTES, [list]);

const ROUTES: &[Route] = &[Route::get("/audit", Access::Role(Role::Admin), || {
    handler(Verb::Get, list)
})];

/// Which page.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AuditQuery {
    /// From the page before.
    cursor: Option<String>,
    /// Rows, 1 to 500; 50 when left out.
    limit: Option<u32>,
}

/// The audit log, newest first.
#[utoipa::path(get, path = "/audit", params(AuditQuery), responses((status = 200, body = PageOf<AuditEntry>)))]
async fn list(State(app): State<App>, Parameters(query): Parameters<AuditQuery>) -> Answer<PageOf<AuditEntry>> {
    let page = page_of(query.cursor, query.limit)?;
    Ok(Json(app.store(move |store| store.list_audit(&page)).await?.into()))
}
