//! Users.

use axum::{
    Json,
    extract::{Path, State},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::session;
use crate::{
    answer::{Answer, ApiError, Body, ErrorBody},
    app::App,
    caller::{Address, UserCaller},
    route::{Access, Route, Verb, handler},
    secret,
    store::{Role, User},
};

crate::api::resource!("users", ROUTES, [list, add, change, reset_password]);

const ROUTES: &[Route] = &[
    Route::get("/users", Access::Role(Role::Admin), || handler(Verb::Get, list)),
    Route::post("/users", Access::Role(Role::Admin), || handler(Verb::Post, add)),
    Route::put("/users/{id}", Access::Role(Role::Admin), || handler(Verb::Put, change)),
    Route::post("/users/{id}/password", Access::Role(Role::Admin), || {
        handler(Verb::Post, reset_password)
    }),
];

/// A new user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AddUser {
    /// 1 to 64 lower-case letters, digits, `.`, `_`, `-`, `@`.
    name: String,
    /// Role.
    role: Role,
}

/// What can be changed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeUser {
    /// Role.
    role: Role,
    /// May not log in; sessions end and tokens stop working.
    is_disabled: bool,
}

/// A user with a password that works once, shown once.
#[derive(Serialize, ToSchema)]
struct UserWithPassword {
    /// The user.
    user: User,
    /// One-time password: the user has to choose another at the first log-in.
    password: String,
}

/// Users, by name.
#[utoipa::path(get, path = "/users", responses((status = 200, body = Vec<User>)))]
async fn list(State(app): State<App>) -> Answer<Vec<User>> {
    Ok(Json(app.store(|store| store.list_users()).await?))
}

/// Add a user; the answer has a one-time password.
#[utoipa::path(post, path = "/users", request_body = AddUser, responses(
    (status = 200, body = UserWithPassword), (status = 400, body = ErrorBody), (status = 409, body = ErrorBody)))]
async fn add(
    State(app): State<App>,
    from: Address,
    caller: UserCaller,
    Body(input): Body<AddUser>,
) -> Answer<UserWithPassword> {
    let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-' | '@');
    if !(1..=64).contains(&input.name.len()) || !input.name.chars().all(is_allowed) {
        return Err(ApiError::bad_request(
            "`name` is 1 to 64 lower-case letters, digits, `.`, `_`, `-`, `@`",
        ));
    }
    let password = secret::new_password()?;
    let hash = session::hash(&app, password.clone()).await?;
    let now_ms = app.now_ms();
    let user = app
        .store(move |store| store.add_user(&input.name, &hash, input.role, now_ms))
        .await?
        .ok_or_else(|| ApiError::conflict("the name is taken"))?;
    let mut entry = caller.audit(&from, "add-user", user.name.clone());
    user.role.name().clone_into(&mut entry.detail);
    app.audit(entry).await?;
    Ok(Json(UserWithPassword { user, password }))
}

/// Change a user's role, or disable them. The last enabled admin stays.
#[utoipa::path(put, path = "/users/{id}", request_body = ChangeUser, params(("id" = i64, Path, description = "User")), responses(
    (status = 200, body = User), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
async fn change(
    State(app): State<App>,
    from: Address,
    caller: UserCaller,
    Path(id): Path<i64>,
    Body(input): Body<ChangeUser>,
) -> Answer<User> {
    let user = app
        .store(move |store| store.change_user(id, input.role, input.is_disabled))
        .await?
        .ok_or_else(|| ApiError::not_found("user"))?;
    let mut entry = caller.audit(&from, "change-user", user.name.clone());
    entry.detail = format!(
        "{}{}",
        user.role.name(),
        if user.is_disabled { ", disabled" } else { "" }
    );
    app.audit(entry).await?;
    Ok(Json(user))
}

/// Give a user a new one-time password; their sessions end.
#[utoipa::path(post, path = "/users/{id}/password", params(("id" = i64, Path, description = "User")), responses(
    (status = 200, body = UserWithPassword), (status = 404, body = ErrorBody)))]
async fn reset_password(
    State(app): State<App>,
    from: Address,
    caller: UserCaller,
    Path(id): Path<i64>,
) -> Answer<UserWithPassword> {
    let password = secret::new_password()?;
    let hash = session::hash(&app, password.clone()).await?;
    let changed = app.store(move |store| {
        if store.find_user_by_id(id)?.is_none() {
            return Ok(None);
        }
        store.set_password(id, &hash, true, None)?;
        Ok(store.find_user_by_id(id)?.map(|secret| secret.user))
    });
    let user = changed.await?.ok_or_else(|| ApiError::not_found("user"))?;
    app.audit(caller.audit(&from, "reset-password", user.name.clone()))
        .await?;
    Ok(Json(UserWithPassword { user, password }))
}
