//! Settings that can be changed while the server runs.

use axum::{Json, extract::State};

use crate::{
    answer::{Answer, ApiError, Body, ErrorBody, check_text},
    app::App,
    caller::{Address, UserCaller},
    limits,
    route::{Access, Route, Verb, handler},
    store::{Role, Settings},
};

crate::api::resource!("settings", ROUTES, [show, replace]);

const ROUTES: &[Route] = &[
    Route::get("/settings", Access::Role(Role::Viewer), || handler(Verb::Get, show)),
    Route::put("/settings", Access::Role(Role::Admin), || handler(Verb::Put, replace)),
];

/// The settings.
#[utoipa::path(get, path = "/settings", responses((status = 200, body = Settings)))]
async fn show(State(app): State<App>) -> Answer<Settings> {
    Ok(Json(app.store(|store| store.load_settings()).await?))
}

/// Replace the settings.
#[utoipa::path(put, path = "/settings", request_body = Settings, responses(
    (status = 200, body = Settings), (status = 400, body = ErrorBody)))]
async fn replace(
    State(app): State<App>,
    from: Address,
    caller: UserCaller,
    Body(settings): Body<Settings>,
) -> Answer<Settings> {
    if !(1..=3_650).contains(&settings.alert_retention_days) {
        return Err(ApiError::bad_request("`alert_retention_days` is 1 to 3650"));
    }
    let listed = settings
        .unknown_image_by_namespace
        .len()
        .max(settings.exempt_namespaces.len());
    if listed > limits::MAX_NAMESPACE_SETTINGS {
        return Err(ApiError::bad_request(format!(
            "at most {} namespaces",
            limits::MAX_NAMESPACE_SETTINGS
        )));
    }
    for namespace in settings
        .unknown_image_by_namespace
        .keys()
        .chain(&settings.exempt_namespaces)
    {
        check_text("namespace", namespace, 253)?;
    }
    let mut entry = caller.audit(&from, "change-settings", "");
    entry.detail = serde_json::to_string(&settings)
        .unwrap_or_default()
        .chars()
        .take(limits::MAX_COMMENT_BYTES)
        .collect();
    let new = settings.clone();
    app.store(move |store| store.save_settings(&new)).await?;
    app.audit(entry).await?;
    Ok(Json(settings))
}
