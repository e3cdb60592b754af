//! Shows a registry who asks: a challenge in, an `Authorization` header out, tokens kept until shortly before their end
//! (distribution's token.md and oauth.md).

use std::{
    collections::BTreeMap,
    sync::Mutex,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::{Url, header::HeaderValue};
use serde::Deserialize;

use super::{challenge::Challenge, endpoint::is_loopback, error::RegistryError};
use crate::{credentials::Credentials, limits::MAX_TOKEN_BYTES};

/// Life of a token that does not say how long it lives (token.md).
const DEFAULT_LIFE: Duration = Duration::from_secs(60);
/// A token is not used in the last part of its life: it has to arrive.
const MARGIN: Duration = Duration::from_secs(5);

/// What one registry wants to see, and what we have.
pub(super) struct Auth {
    credentials: Option<Credentials>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    is_basic: bool,
    tokens: BTreeMap<String, Token>,
}

struct Token {
    header: HeaderValue,
    ends: Instant,
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

impl Auth {
    pub(super) fn new(credentials: Option<Credentials>) -> Self {
        Self {
            credentials,
            state: Mutex::default(),
        }
    }

    /// What was accepted for this scope before; `None`: ask without and see.
    pub(super) fn known(&self, scope: &str) -> Option<HeaderValue> {
        if let Some(Credentials::RegistryToken(token)) = &self.credentials {
            return secret(&format!("Bearer {token}"));
        }
        let state = self.state.lock().ok()?;
        if state.is_basic {
            return self.basic();
        }
        let token = state.tokens.get(scope)?;
        (Instant::now() < token.ends).then(|| token.header.clone())
    }

    fn basic(&self) -> Option<HeaderValue> {
        match &self.credentials {
            Some(Credentials::Basic { user, password }) => {
                secret(&format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
            }
            _ => None,
        }
    }

    /// Answers a challenge; `None` when we have nothing that it asks for. `client` speaks to the token server, and
    /// `is_plain` says that the registry itself is spoken to by HTTP.
    pub(super) async fn answer(
        &self,
        challenge: &Challenge,
        scope: &str,
        is_plain: bool,
        client: impl Fn(&Url) -> Result<reqwest::Client, RegistryError>,
    ) -> Result<Option<HeaderValue>, RegistryError> {
        let (realm, service) = match challenge {
            Challenge::Basic => {
                if let Ok(mut state) = self.state.lock() {
                    state.is_basic = self.basic().is_some();
                }
                return Ok(self.basic());
            }
            Challenge::Bearer {
                realm,
                service,
                scope: _,
            } => (realm, service),
        };
        let url = realm_url(realm, is_plain)?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let token = fetch(&client(&url)?, url, &host, service, scope, self.credentials.as_ref()).await?;
        let text = token.token.or(token.access_token).unwrap_or_default();
        let header = secret(&format!("Bearer {text}"))
            .filter(|_| !text.is_empty())
            .ok_or_else(|| RegistryError::Authentication {
                host,
                reason: "its token server gave no token".to_owned(),
            })?;
        let life = token
            .expires_in
            .map_or(DEFAULT_LIFE, |seconds| Duration::from_secs(seconds.min(86_400)));
        if let Ok(mut state) = self.state.lock() {
            let ends = Instant::now() + life.saturating_sub(MARGIN);
            let header = header.clone();
            state.tokens.insert(scope.to_owned(), Token { header, ends });
        }
        Ok(Some(header))
    }
}

/// Credentials go to the token server that the registry names, so what protects the one must protect the other.
fn realm_url(realm: &str, is_plain: bool) -> Result<Url, RegistryError> {
    let refuse = |host: &str, reason: &str| RegistryError::Authentication {
        host: host.to_owned(),
        reason: reason.to_owned(),
    };
    let url: Url = realm
        .parse()
        .map_err(|_| refuse("the registry", "its token server has no proper URL"))?;
    let host = url.host_str().unwrap_or_default().to_owned();
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_plain || is_loopback(&host) => Ok(url),
        _ => Err(refuse(
            &host,
            "the token server is not on HTTPS, though the registry is",
        )),
    }
}

async fn fetch(
    client: &reqwest::Client,
    mut url: Url,
    host: &str,
    service: &str,
    scope: &str,
    credentials: Option<&Credentials>,
) -> Result<TokenAnswer, RegistryError> {
    let request = match credentials {
        // oauth.md: the long-lived token goes in a body, where no log has it.
        Some(Credentials::IdentityToken(token)) => {
            let form = [
                ("grant_type", "refresh_token"),
                ("service", service),
                ("client_id", "plimsoll"),
                ("scope", scope),
                ("refresh_token", token),
            ];
            // A form is written as a query is.
            let mut encoder = url.clone();
            encoder.query_pairs_mut().clear().extend_pairs(form);
            client
                .post(url)
                .header("content-type", "application/x-www-form-urlencoded")
                .body(encoder.query().unwrap_or_default().to_owned())
        }
        other => {
            url.query_pairs_mut()
                .append_pair("service", service)
                .append_pair("scope", scope);
            match other {
                Some(Credentials::Basic { user, password }) => {
                    url.query_pairs_mut().append_pair("account", user);
                    client.get(url).basic_auth(user, Some(password))
                }
                _ => client.get(url),
            }
        }
    };
    let failed = |source: reqwest::Error| RegistryError::Transport {
        action: "ask for a token".to_owned(),
        host: host.to_owned(),
        source: source.without_url(),
    };
    let refuse = |reason: String| RegistryError::Authentication {
        host: host.to_owned(),
        reason,
    };
    let mut response = request.send().await.map_err(failed)?;
    if !response.status().is_success() {
        let status = response.status().as_u16();
        return Err(refuse(format!("its token server answered {status}")));
    }
    let mut bytes = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(failed)? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > MAX_TOKEN_BYTES {
            return Err(refuse(format!(
                "its token server's answer has more than {MAX_TOKEN_BYTES} bytes"
            )));
        }
    }
    // The parser's message would quote the token.
    serde_json::from_slice(&bytes).map_err(|_| refuse("its token server's answer is no token".to_owned()))
}

fn secret(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}
