//! Who makes a request: a user by session cookie or API token, or an agent by its token.

use std::net::SocketAddr;

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{HeaderMap, header, request::Parts},
};

use crate::{
    answer::ApiError,
    app::App,
    secret::{self, TokenDigest, TokenKind},
    store::{Agent, NewAuditEntry, Role, User},
};

/// An authenticated caller.
#[derive(Debug, Clone)]
pub(crate) enum Caller {
    /// A person, or a program with a person's token.
    User(UserCaller),
    /// An enrolled agent.
    Agent(Agent),
}

/// An authenticated user.
#[derive(Debug, Clone)]
pub(crate) struct UserCaller {
    /// Who.
    pub(crate) user: User,
    /// What they may do now.
    pub(crate) role: Role,
    /// How they proved it.
    pub(crate) proof: Proof,
}

/// How a user proved who they are.
#[derive(Debug, Clone)]
pub(crate) enum Proof {
    /// Session cookie.
    Session {
        /// Digest of the cookie's token.
        digest: TokenDigest,
        /// What must come with changes.
        csrf: String,
    },
    /// API token of this name.
    Token(String),
}

impl UserCaller {
    /// Tokens of a user whose password was reset wait for the new one too.
    pub(crate) fn must_change_password(&self) -> bool {
        self.user.must_change_password
    }

    /// For the audit log: `ann`, `ann (token ci)`.
    pub(crate) fn actor(&self) -> String {
        match &self.proof {
            Proof::Session { .. } => self.user.name.clone(),
            Proof::Token(token) => format!("{} (token {token})", self.user.name),
        }
    }

    /// An entry of the audit log about something that this user did.
    pub(crate) fn audit(&self, from: &Address, action: &'static str, subject: impl Into<String>) -> NewAuditEntry {
        NewAuditEntry {
            actor: self.actor(),
            action,
            subject: subject.into(),
            detail: String::new(),
            address: from.0.clone(),
        }
    }
}

impl Caller {
    /// A change in a session must carry the session's token: another site can make a browser send the cookie, but not
    /// this header. Callers with a bearer token are not browsers.
    pub(crate) fn check_csrf(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        let Self::User(UserCaller {
            proof: Proof::Session { csrf, .. },
            ..
        }) = self
        else {
            return Ok(());
        };
        let sent = headers
            .get("x-csrf-token")
            .map(|value| value.as_bytes())
            .unwrap_or_default();
        match secret::is_equal(sent, csrf.as_bytes()) {
            true => Ok(()),
            false => Err(ApiError::csrf()),
        }
    }
}

/// The session cookie's name. The prefix makes browsers refuse it without `Secure` or from another host.
pub(crate) fn cookie_name(app: &App) -> &'static str {
    match app.is_tls {
        true => "__Host-plimsoll_session",
        false => "plimsoll_session",
    }
}

/// Finds the caller of a request; a token that is not valid is refused even when a cookie is.
pub(crate) async fn identify(app: &App, headers: &HeaderMap) -> Result<Caller, ApiError> {
    let now_ms = app.now_ms();
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let token = value
            .to_str()
            .ok()
            .and_then(|value| value.strip_prefix("Bearer "))
            .ok_or_else(ApiError::unauthenticated)?;
        return identify_token(app, token, now_ms).await;
    }
    let token = read_cookie(headers, cookie_name(app)).ok_or_else(ApiError::unauthenticated)?;
    let digest = secret::digest_token(token);
    let csrf = secret::csrf_token(token);
    let user = app
        .store(move |store| store.find_session(&digest, now_ms))
        .await?
        .ok_or_else(ApiError::unauthenticated)?;
    Ok(Caller::User(UserCaller {
        role: user.role,
        user,
        proof: Proof::Session { digest, csrf },
    }))
}

async fn identify_token(app: &App, token: &str, now_ms: i64) -> Result<Caller, ApiError> {
    let digest = secret::digest_token(token);
    if TokenKind::Agent.is_kind_of(token) {
        let agent = app.store(move |store| store.find_agent_by_token(&digest)).await?;
        return agent.map(Caller::Agent).ok_or_else(ApiError::unauthenticated);
    }
    if !TokenKind::Api.is_kind_of(token) {
        return Err(ApiError::unauthenticated());
    }
    let owner = app
        .store(move |store| store.find_api_token(&digest, now_ms))
        .await?
        .ok_or_else(ApiError::unauthenticated)?;
    Ok(Caller::User(UserCaller {
        user: owner.user,
        role: owner.role,
        proof: Proof::Token(owner.token),
    }))
}

/// RFC 6265, section 4.2.1. A name that is sent twice is nobody's: one of them may have been planted.
pub(crate) fn read_cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value);
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

/// A user who passed the route's checks.
impl<S: Send + Sync> FromRequestParts<S> for UserCaller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        match parts.extensions.get::<Caller>() {
            Some(Caller::User(user)) => Ok(user.clone()),
            _ => Err(ApiError::unauthenticated()),
        }
    }
}

/// An agent that passed the route's checks.
pub(crate) struct AgentCaller(pub(crate) Agent);

impl<S: Send + Sync> FromRequestParts<S> for AgentCaller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        match parts.extensions.get::<Caller>() {
            Some(Caller::Agent(agent)) => Ok(Self(agent.clone())),
            _ => Err(ApiError::unauthenticated()),
        }
    }
}

/// Address of the other end, without port; empty when the connection is not known. No forwarding header is believed.
#[derive(Debug, Clone)]
pub(crate) struct Address(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Address {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Ok(Self(
            peer.map(|ConnectInfo(peer)| peer.ip().to_string()).unwrap_or_default(),
        ))
    }
}
