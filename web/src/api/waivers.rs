//! Waivers that admission honours: each with a reason, an owner and an end.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    answer::{Answer, ApiError, Body, ErrorBody, check_text},
    app::App,
    caller::{Address, UserCaller},
    limits,
    route::{Access, Route, Verb, handler},
    secret,
    store::{Role, StoredWaiver},
};

crate::api::resource!("waivers", ROUTES, [list, add, remove]);

const ROUTES: &[Route] = &[
    Route::get("/waivers", Access::Role(Role::Viewer), || handler(Verb::Get, list)),
    Route::post("/waivers", Access::Role(Role::Operator), || handler(Verb::Post, add)),
    Route::delete("/waivers/{id}", Access::Role(Role::Operator), || {
        handler(Verb::Delete, remove)
    }),
];

/// A new waiver. At least one of rule, subject and image is given.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AddWaiver {
    /// Name of the rule that it silences; null: any.
    rule: Option<String>,
    /// Vulnerability, package, path or check; null: any. `*` stands for any characters.
    subject: Option<String>,
    /// Image references; null: all. `*` stands for any characters.
    image: Option<String>,
    /// Why.
    reason: String,
    /// Who answers for it.
    owner: String,
    /// Last day on which it counts, `YYYY-MM-DD`, UTC.
    until: String,
}

/// Waivers, those that end first in front.
#[utoipa::path(get, path = "/waivers", responses((status = 200, body = Vec<StoredWaiver>)))]
async fn list(State(app): State<App>) -> Answer<Vec<StoredWaiver>> {
    Ok(Json(app.store(|store| store.list_waivers()).await?))
}

/// Add a waiver.
#[utoipa::path(post, path = "/waivers", request_body = AddWaiver, responses(
    (status = 200, body = StoredWaiver), (status = 400, body = ErrorBody)))]
async fn add(
    State(app): State<App>,
    from: Address,
    caller: UserCaller,
    Body(input): Body<AddWaiver>,
) -> Answer<StoredWaiver> {
    for (name, text) in [
        ("rule", &input.rule),
        ("subject", &input.subject),
        ("image", &input.image),
    ] {
        if let Some(text) = text {
            check_text(name, text, limits::MAX_TEXT_BYTES)?;
        }
    }
    check_text("reason", &input.reason, limits::MAX_COMMENT_BYTES)?;
    check_text("owner", &input.owner, 200)?;
    if input.rule.is_none() && input.subject.is_none() && input.image.is_none() {
        return Err(ApiError::bad_request(
            "a waiver of everything is no waiver: give `rule`, `subject` or `image`",
        ));
    }
    let until: jiff::civil::Date = input
        .until
        .parse()
        .map_err(|_| ApiError::bad_request("`until` is a day: `2026-12-31`"))?;
    let now_ms = app.now_ms();
    let waiver = StoredWaiver {
        id: format!("w-{}", &secret::hex(&secret::random::<6>()?)),
        rule: input.rule,
        subject: input.subject,
        image: input.image,
        reason: input.reason,
        owner: input.owner,
        until: until.to_string(),
        created_by: caller.user.name.clone(),
        created_ms: now_ms,
    };
    let new = waiver.clone();
    app.store(move |store| store.add_waiver(&new)).await?;
    let mut entry = caller.audit(&from, "add-waiver", waiver.id.clone());
    entry.detail.clone_from(&waiver.reason);
    app.audit(entry).await?;
    Ok(Json(waiver))
}

/// Remove a waiver.
#[utoipa::path(delete, path = "/waivers/{id}", params(("id" = String, Path, description = "Waiver")), responses(
    (status = 204), (status = 404, body = ErrorBody)))]
async fn remove(
    State(app): State<App>,
    from: Address,
    caller: UserCaller,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let entry = caller.audit(&from, "remove-waiver", id.clone());
    if !app.store(move |store| store.remove_waiver(&id)).await? {
        return Err(ApiError::not_found("waiver"));
    }
    app.audit(entry).await?;
    Ok(StatusCode::NO_CONTENT)
}
