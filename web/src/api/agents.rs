//! Agents as people see them, and the tokens that admit new ones.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    answer::{Answer, ApiError, Body, ErrorBody},
    app::App,
    caller::{Address, UserCaller},
    limits,
    route::{Access, Route, Verb, handler},
    secret::{self, TokenKind},
    store::{Agent, Enrolment, Role},
};

crate::api::resource!(
    "agents",
    ROUTES,
    [list, revoke, list_enrolments, add_enrolment, revoke_enrolment]
);

const ROUTES: &[Route] = &[
    Route::get("/agents", Access::Role(Role::Viewer), || handler(Verb::Get, list)),
    Route::delete("/agents/{id}", Access::Role(Role::Admin), || {
        handler(Verb::Delete, revoke)
    }),
    Route::get("/enrolment-tokens", Access::Role(Role::Admin), || {
        handler(Verb::Get, list_enrolments)
    }),
    Route::post("/enrolment-tokens", Access::Role(Role::Admin), || {
        handler(Verb::Post, add_enrolment)
    }),
    Route::delete("/enrolment-tokens/{id}", Access::Role(Role::Admin), || {
        handler(Verb::Delete, revoke_enrolment)
    }),
];

/// How many agents a new token admits, and for how long.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AddEnrolment {
    /// 1 to 10000; 1 when left out. A DaemonSet needs one per node.
    #[serde(default = "one")]
    uses: u32,
    /// 1 to 720; 24 when left out.
    #[serde(default = "day")]
    valid_hours: u32,
}

fn one() -> u32 {
    1
}

fn day() -> u32 {
    24
}

/// A new enrolment token, shown once.
#[derive(Serialize, ToSchema)]
struct AddedEnrolment {
    /// Give it to `plimsoll agent`.
    token: String,
    /// What it admits.
    enrolment: Enrolment,
}

/// Agents, by node.
#[utoipa::path(get, path = "/agents", responses((status = 200, body = Vec<Agent>)))]
async fn list(State(app): State<App>) -> Answer<Vec<Agent>> {
    Ok(Json(app.store(|store| store.list_agents()).await?))
}

/// Make an agent's token useless.
#[utoipa::path(delete, path = "/agents/{id}", params(("id" = i64, Path, description = "Agent")), responses(
    (status = 204), (status = 404, body = ErrorBody)))]
async fn revoke(
    State(app): State<App>,
    from: Address,
    caller: UserCaller,
    Path(id): Path<i64>,
) -> Result<StatusCode, ApiError> {
    let now_ms = app.now_ms();
    if !app.store(move |store| store.revoke_agent(id, now_ms)).await? {
        return Err(ApiError::not_found("agent"));
    }
    app.audit(caller.audit(&from, "revoke-agent", id.to_string())).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Tokens that admit agents, newest first, without the tokens.
#[utoipa::path(get, path = "/enrolment-tokens", responses((status = 200, body = Vec<Enrolment>)))]
async fn list_enrolments(State(app): State<App>) -> Answer<Vec<Enrolment>> {
    Ok(Json(app.store(|store| store.list_enrolments()).await?))
}

/// Make a token that admits agents; it is shown once.
#[utoipa::path(post, path = "/enrolment-tokens", request_body = AddEnrolment, responses(
    (status = 200, body = AddedEnrolment), (status = 400, body = ErrorBody)))]
async fn add_enrolment(
    State(app): State<App>,
    from: Address,
    caller: UserCaller,
    Body(input): Body<AddEnrolment>,
) -> Answer<AddedEnrolment> {
    let valid_ms = i64::from(input.valid_hours) * 3_600_000;
    if !(1..=limits::MAX_ENROLMENT_USES).contains(&input.uses) || !(1..=limits::MAX_ENROLMENT_MS).contains(&valid_ms) {
        return Err(ApiError::bad_request(
            "`uses` is 1 to 10000 and `valid_hours` is 1 to 720",
        ));
    }
    let now_ms = app.now_ms();
    let token = secret::new_token(TokenKind::Enrolment)?;
    let digest = secret::digest_token(&token);
    let mut enrolment = Enrolment {
        id: 0,
        created_by: caller.user.name.clone(),
        created_ms: now_ms,
        expires_ms: now_ms + valid_ms,
        uses_left: input.uses,
    };
    let new = enrolment.clone();
    enrolment.id = app.store(move |store| store.add_enrolment(&new, &digest)).await?;
    app.audit(caller.audit(&from, "add-enrolment-token", enrolment.id.to_string()))
        .await?;
    Ok(Json(AddedEnrolment { token, enrolment }))
}

/// Make an enrolment token useless.
#[utoipa::path(delete, path = "/enrolment-tokens/{id}", params(("id" = i64, Path, description = "Enrolment token")), responses(
    (status = 204), (status = 404, body = ErrorBody)))]
async fn revoke_enrolment(
    State(app): State<App>,
    from: Address,
    caller: UserCaller,
    Path(id): Path<i64>,
) -> Result<StatusCode, ApiError> {
    if !app.store(move |store| store.revoke_enrolment(id)).await? {
        return Err(ApiError::not_found("enrolment token"));
    }
    app.audit(caller.audit(&from, "revoke-enrolment-token", id.to_string()))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
