//! Logging in and out, and one's own account.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    answer::{Answer, ApiError, Body, ErrorBody},
    app::{App, run_blocking},
    caller::{Address, Proof, UserCaller, cookie_name},
    limits,
    metrics::ResultLabel,
    route::{Access, Route, Verb, handler},
    secret::{self, TokenKind},
    store::{NewAuditEntry, Role, UserSecret},
};

crate::api::resource!("session", ROUTES, [log_in, log_out, me, change_password]);

const ROUTES: &[Route] = &[
    Route::post("/session", Access::Public, || handler(Verb::Post, log_in)),
    Route::delete("/session", Access::Account, || handler(Verb::Delete, log_out)),
    Route::get("/me", Access::Account, || handler(Verb::Get, me)),
    Route::post("/me/password", Access::Account, || handler(Verb::Post, change_password)),
];

/// Name and password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LogIn {
    /// Log-in name.
    name: String,
    /// Password.
    password: String,
}

/// The caller's own account.
#[derive(Serialize, ToSchema)]
struct Me {
    /// Log-in name.
    name: String,
    /// What the caller may do with this session or token.
    role: Role,
    /// Everything but this resource is refused until the password was changed.
    must_change_password: bool,
    /// Send it as `x-csrf-token` with every request that is not GET; null for API tokens, which need none.
    csrf_token: Option<String>,
    /// Version of the server.
    version: String,
}

/// The old password and the new one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangePassword {
    /// The password of now.
    current: String,
    /// At least 12 characters, at most 256 bytes.
    new: String,
}

/// Log in; the answer sets the session cookie.
#[utoipa::path(post, path = "/session", request_body = LogIn, responses(
    (status = 200, body = Me), (status = 401, body = ErrorBody), (status = 429, body = ErrorBody)))]
async fn log_in(State(app): State<App>, from: Address, Body(input): Body<LogIn>) -> Result<Response, ApiError> {
    let now_ms = app.now_ms();
    if input.name.len() > limits::MAX_TEXT_BYTES || input.password.len() > limits::MAX_PASSWORD_BYTES {
        return Err(ApiError::wrong_password());
    }
    if let Some(wait_ms) = app.throttle.wait_ms(&input.name, &from.0, now_ms) {
        app.metrics
            .logins
            .get_or_create(&ResultLabel { result: "throttled" })
            .inc();
        let seconds = u64::try_from(wait_ms).unwrap_or(0).div_ceil(1_000);
        return Err(ApiError::too_many(
            "too many failed attempts: wait before the next",
            seconds,
        ));
    }
    // Counted as a failure until it turns out right: parallel guesses must not all pass the check above.
    app.throttle.fail(&input.name, &from.0, now_ms);
    let name = input.name.clone();
    let found = app.store(move |store| store.find_user(&name)).await?;
    let Some(secret) = verify(&app, found, input.password).await? else {
        app.metrics.logins.get_or_create(&ResultLabel { result: "wrong" }).inc();
        app.audit(entry(&input.name, "log-in-refused", &from)).await?;
        return Err(ApiError::wrong_password());
    };
    app.throttle.succeed(&input.name, &from.0);
    app.metrics.logins.get_or_create(&ResultLabel { result: "ok" }).inc();
    let token = secret::new_token(TokenKind::Session)?;
    let (digest, id) = (secret::digest_token(&token), secret.user.id);
    app.store(move |store| store.add_session(&digest, id, now_ms)).await?;
    app.audit(entry(&secret.user.name, "log-in", &from)).await?;
    let body = Me {
        name: secret.user.name,
        role: secret.user.role,
        must_change_password: secret.user.must_change_password,
        csrf_token: Some(secret::csrf_token(&token)),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    Ok((set_cookie(&app, &token, limits::SESSION_MS / 1_000), Json(body)).into_response())
}

/// Log out; the session ends on the server.
#[utoipa::path(delete, path = "/session", responses((status = 204)))]
async fn log_out(State(app): State<App>, from: Address, caller: UserCaller) -> Result<Response, ApiError> {
    if let Proof::Session { digest, .. } = caller.proof {
        app.store(move |store| store.remove_session(&digest)).await?;
        app.audit(caller.audit(&from, "log-out", "")).await?;
    }
    Ok((StatusCode::NO_CONTENT, set_cookie(&app, "", 0)).into_response())
}

/// One's own account.
#[utoipa::path(get, path = "/me", responses((status = 200, body = Me), (status = 401, body = ErrorBody)))]
async fn me(caller: UserCaller) -> Answer<Me> {
    Ok(Json(Me {
        csrf_token: match &caller.proof {
            Proof::Session { csrf, .. } => Some(csrf.clone()),
            Proof::Token(_) => None,
        },
        must_change_password: caller.must_change_password(),
        name: caller.user.name,
        role: caller.role,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }))
}

/// Change one's own password; all other sessions end.
#[utoipa::path(post, path = "/me/password", request_body = ChangePassword, responses(
    (status = 204), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
async fn change_password(
    State(app): State<App>,
    from: Address,
    caller: UserCaller,
    Body(input): Body<ChangePassword>,
) -> Result<StatusCode, ApiError> {
    let Proof::Session { digest, .. } = caller.proof else {
        return Err(ApiError::forbidden(
            "a password is changed by logging in, not with a token",
        ));
    };
    check_password(&input.new, &caller.user.name)?;
    if input.new == input.current {
        return Err(ApiError::bad_request("the new password is the old one"));
    }
    let (id, now_ms) = (caller.user.id, app.now_ms());
    if app.throttle.wait_ms(&caller.user.name, &from.0, now_ms).is_some() {
        return Err(ApiError::too_many("too many failed attempts: wait before the next", 60));
    }
    app.throttle.fail(&caller.user.name, &from.0, now_ms);
    let found = app.store(move |store| store.find_user_by_id(id)).await?;
    if verify(&app, found, input.current).await?.is_none() {
        return Err(ApiError::wrong_password());
    }
    app.throttle.succeed(&caller.user.name, &from.0);
    let hash = hash(&app, input.new).await?;
    app.store(move |store| store.set_password(id, &hash, false, Some(&digest)))
        .await?;
    app.audit(caller.audit(&from, "change-password", caller.user.name.clone()))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Refuses a password that is too short, too long or the name.
pub(super) fn check_password(password: &str, name: &str) -> Result<(), ApiError> {
    let (shortest, longest) = (limits::MIN_PASSWORD_CHARS, limits::MAX_PASSWORD_BYTES);
    if password.chars().count() < shortest || password.len() > longest {
        return Err(ApiError::bad_request(format!(
            "a password has at least {shortest} characters and at most {longest} bytes"
        )));
    }
    if password.to_lowercase().contains(&name.to_lowercase()) {
        return Err(ApiError::bad_request("a password does not contain the name"));
    }
    Ok(())
}

/// Hashes a password when it is its turn.
pub(super) async fn hash(app: &App, password: String) -> Result<String, ApiError> {
    let _slot = app.hash_slots.acquire().await;
    Ok(run_blocking(move || secret::hash_password(&password)).await??)
}

/// The user when the password is theirs and they may log in. Takes as long for a name that does not exist.
async fn verify(app: &App, found: Option<UserSecret>, password: String) -> Result<Option<UserSecret>, ApiError> {
    let Ok(_waiting) = app.login_slots.try_acquire() else {
        return Err(ApiError::too_many("too many people log in at this moment", 5));
    };
    let _slot = app.hash_slots.acquire().await;
    let checked = run_blocking(move || match found {
        Some(secret) => secret::verify_password(&password, &secret.password_hash).then_some(secret),
        None => {
            // The result is of no interest, the time that it takes is.
            let _ = secret::hash_password(&password);
            None
        }
    });
    Ok(checked.await?.filter(|secret| !secret.user.is_disabled))
}

fn entry(name: &str, action: &'static str, from: &Address) -> NewAuditEntry {
    NewAuditEntry {
        actor: name.chars().take(100).collect(),
        action,
        subject: String::new(),
        detail: String::new(),
        address: from.0.clone(),
    }
}

fn set_cookie(app: &App, token: &str, max_age_s: i64) -> HeaderMap {
    let secure = if app.is_tls { "; Secure" } else { "" };
    let cookie = format!(
        "{}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={max_age_s}{secure}",
        cookie_name(app)
    );
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        headers.insert(header::SET_COOKIE, value);
    }
    headers
}
