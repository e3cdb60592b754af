//! API tokens: one's own; admins see and remove everybody's.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    answer::{Answer, ApiError, Body, ErrorBody, check_text},
    app::App,
    caller::{Address, Proof, UserCaller},
    route::{Access, Route, Verb, handler},
    secret::{self, TokenKind},
    store::{ApiToken, NewApiToken, Role},
};

crate::api::resource!("tokens", ROUTES, [list, add, remove]);

const ROUTES: &[Route] = &[
    Route::get("/tokens", Access::Role(Role::Viewer), || handler(Verb::Get, list)),
    Route::post("/tokens", Access::Role(Role::Viewer), || handler(Verb::Post, add)),
    Route::delete("/tokens/{id}", Access::Role(Role::Viewer), || {
        handler(Verb::Delete, remove)
    }),
];

/// A new token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AddToken {
    /// What it is for.
    name: String,
    /// At most one's own role.
    role: Role,
    /// Until it stops working, 1 to 3650 days; null: until it is removed.
    valid_days: Option<u32>,
}

/// A new token, shown once.
#[derive(Serialize, ToSchema)]
struct AddedToken {
    /// Send it as `Authorization: Bearer …`.
    token: String,
    /// What it is.
    detail: ApiToken,
}

/// Tokens, newest first, without the tokens: one's own, or everybody's for admins.
#[utoipa::path(get, path = "/tokens", responses((status = 200, body = Vec<ApiToken>)))]
async fn list(State(app): State<App>, caller: UserCaller) -> Answer<Vec<ApiToken>> {
    let owner = (caller.role < Role::Admin).then_some(caller.user.id);
    Ok(Json(app.store(move |store| store.list_api_tokens(owner)).await?))
}

/// Make a token; it is shown once. A token cannot make tokens.
#[utoipa::path(post, path = "/tokens", request_body = AddToken, responses(
    (status = 200, body = AddedToken), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody)))]
async fn add(
    State(app): State<App>,
    from: Address,
    caller: UserCaller,
    Body(input): Body<AddToken>,
) -> Answer<AddedToken> {
    check_text("name", &input.name, 100)?;
    if matches!(caller.proof, Proof::Token(_)) {
        return Err(ApiError::forbidden("a token cannot make tokens: log in"));
    }
    if input.role > caller.role {
        return Err(ApiError::forbidden("a token has at most your own role"));
    }
    if input.valid_days.is_some_and(|days| !(1..=3_650).contains(&days)) {
        return Err(ApiError::bad_request("`valid_days` is 1 to 3650"));
    }
    let now_ms = app.now_ms();
    let token = secret::new_token(TokenKind::Api)?;
    let digest = secret::digest_token(&token);
    let new = NewApiToken {
        user: caller.user.id,
        name: input.name,
        role: input.role,
        expires_ms: input.valid_days.map(|days| now_ms + i64::from(days) * 86_400_000),
    };
    let detail = app
        .store(move |store| store.add_api_token(&new, &digest, now_ms))
        .await?;
    app.audit(caller.audit(&from, "add-token", detail.name.clone())).await?;
    Ok(Json(AddedToken { token, detail }))
}

/// Remove a token: one's own, or anybody's for admins.
#[utoipa::path(delete, path = "/tokens/{id}", params(("id" = i64, Path, description = "Token")), responses(
    (status = 204), (status = 404, body = ErrorBody)))]
async fn remove(
    State(app): State<App>,
    from: Address,
    caller: UserCaller,
    Path(id): Path<i64>,
) -> Result<StatusCode, ApiError> {
    let owner = (caller.role < Role::Admin).then_some(caller.user.id);
    if !app.store(move |store| store.remove_api_token(id, owner)).await? {
        return Err(ApiError::not_found("token"));
    }
    app.audit(caller.audit(&from, "remove-token", id.to_string())).await?;
    Ok(StatusCode::NO_CONTENT)
}
