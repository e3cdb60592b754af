//! Containers that agents see.

use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    answer::{Answer, PageOf, Parameters},
    api::page_of,
    app::App,
    route::{Access, Route, Verb, handler},
    store::{Role, Workload},
};

crate::api::resource!("workloads", ROUTES, [list]);

const ROUTES: &[Route] = &[Route::get("/workloads", Access::Role(Role::Viewer), || {
    handler(Verb::Get, list)
})];

/// Which containers, and which page of them.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct WorkloadQuery {
    /// Part of name, container id, image, namespace, pod or node.
    text: Option<String>,
    /// From the page before.
    cursor: Option<String>,
    /// Rows, 1 to 500; 50 when left out.
    limit: Option<u32>,
}

/// Containers seen by agents or in alerts, last seen first.
#[utoipa::path(get, path = "/workloads", params(WorkloadQuery), responses((status = 200, body = PageOf<Workload>)))]
async fn list(State(app): State<App>, Parameters(query): Parameters<WorkloadQuery>) -> Answer<PageOf<Workload>> {
    let page = page_of(query.cursor, query.limit)?;
    Ok(Json(
        app.store(move |store| store.list_workloads(query.text.as_deref(), &page))
            .await?
            .into(),
    ))
}
