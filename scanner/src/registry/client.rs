//! One registry host, one repository: requests in, answers out. Retries, authenticates, follows redirects without taking
//! credentials or client certificates to another host.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use plimsoll_model::Digest;
use reqwest::{
    Method, Response, StatusCode, Url,
    header::{AUTHORIZATION, CONTENT_LENGTH, HeaderValue, LOCATION},
    redirect,
};
use tokio::runtime::Runtime;

use super::{
    Endpoint, RegistryError, RegistryOptions,
    auth::Auth,
    blob::{self, BlobReader},
    certificates,
    challenge::Challenge,
    request::{Answer, Body, Request},
    retry::{Patience, retry_after},
};
use crate::{
    credentials,
    error::RegistryFailure,
    limits::{MAX_REDIRECTS, MAX_REFUSAL_BYTES},
};

/// A server that accepts no connection for so long is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A server that sends nothing for so long has gone away.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// A repository on a registry.
#[derive(Clone)]
pub(crate) struct Client {
    pub(super) inner: Arc<Inner>,
    runtime: Arc<Runtime>,
}

pub(super) struct Inner {
    pub(super) endpoint: Endpoint,
    options: RegistryOptions,
    /// HTTP, not HTTPS.
    is_plain: AtomicBool,
    has_answered: AtomicBool,
    auth: Auth,
    /// By `HOST[:PORT]`: each host has certificates of its own.
    connections: Mutex<BTreeMap<String, reqwest::Client>>,
}

impl Client {
    /// Finds credentials; connects to nobody yet.
    pub(crate) fn new(
        endpoint: &Endpoint,
        options: &RegistryOptions,
        runtime: &Arc<Runtime>,
    ) -> Result<Self, RegistryError> {
        let found = credentials::find(&options.credential_files, &endpoint.host, &endpoint.repository)?;
        let inner = Inner {
            is_plain: AtomicBool::new(endpoint.plain_http),
            has_answered: AtomicBool::new(false),
            endpoint: endpoint.clone(),
            options: options.clone(),
            auth: Auth::new(found),
            connections: Mutex::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
            runtime: Arc::clone(runtime),
        })
    }

    /// Sends a request and reads the whole answer, at most `limit` bytes. Blocks: not to be called by asynchronous code.
    pub(crate) fn call(&self, request: &Request, limit: u64) -> Result<Answer, RegistryError> {
        self.runtime.block_on(async {
            let mut response = self.inner.send(request).await?;
            let mut body = Vec::new();
            while let Some(piece) = response
                .chunk()
                .await
                .map_err(|error| self.inner.broken(request, error))?
            {
                body.extend_from_slice(&piece);
                if body.len() as u64 > limit {
                    return Err(RegistryError::Limit {
                        action: request.shown(),
                        host: self.inner.endpoint.host.clone(),
                        limit,
                    });
                }
            }
            Ok(Answer {
                headers: response.headers().clone(),
                body,
            })
        })
    }

    /// Begins to download a blob, at most one byte more than stated, which is enough to fail its digest. A broken
    /// connection is continued, by the next client where one gives up. The digest is not verified here.
    pub(crate) fn blob_of_any(clients: &[Self], digest: &Digest, size_bytes: u64) -> BlobReader {
        Self::blob_from(clients, digest, size_bytes, 0)
    }

    /// The same from this byte on, for who has the bytes before it.
    pub(crate) fn blob_from(clients: &[Self], digest: &Digest, size_bytes: u64, start: u64) -> BlobReader {
        let inners = clients.iter().map(|client| Arc::clone(&client.inner)).collect();
        let runtime = &clients.first().expect("callers have at least one client").runtime;
        blob::download(runtime, inners, *digest, size_bytes, start)
    }

    pub(crate) fn host(&self) -> &str {
        &self.inner.endpoint.host
    }
}

impl Request {
    pub(super) fn shown(&self) -> String {
        let place = self.place.split('?').next().unwrap_or_default();
        format!("{} {}", self.method, place.escape_debug())
    }
}

impl Inner {
    /// Sends until there is an answer that waiting would not change. Statuses of 400 and above are errors.
    pub(super) async fn send(&self, request: &Request) -> Result<Response, RegistryError> {
        let mut patience = Patience::new(self.options.max_wait);
        loop {
            let error = match self.attempt(request).await {
                Ok(response) if response.status().as_u16() < 400 => return Ok(response),
                Ok(response) => self.refusal(request, response).await,
                Err(error) => error,
            };
            let asked = match &error {
                RegistryError::RateLimit { retry_after, .. } => *retry_after,
                _ => None,
            };
            let pause = self.may_pass(&error).then(|| patience.pause(asked)).flatten();
            let Some(pause) = pause else {
                return Err(error);
            };
            tracing::warn!(%error, pause_ms = pause.as_millis(), "registry is asked again");
            tokio::time::sleep(pause).await;
        }
    }

    /// Whether trying again may help.
    pub(super) fn may_pass(&self, error: &RegistryError) -> bool {
        match error {
            RegistryError::RateLimit { .. } => true,
            RegistryError::Answer { status, .. } => *status >= 500 && *status != 501,
            RegistryError::Transport { source, .. } => {
                // Who never answered is not there; the next mirror may be.
                (self.has_answered.load(Ordering::Relaxed) || !source.is_connect())
                    && error.failure() != RegistryFailure::Untrusted
            }
            _ => false,
        }
    }

    /// One try, with its challenge and redirects.
    async fn attempt(&self, request: &Request) -> Result<Response, RegistryError> {
        let scope = format!("repository:{}:{}", self.endpoint.repository, request.access.actions());
        let mut authorization = self.auth.known(&scope);
        let mut response = match self.exchange(request, authorization.as_ref()).await {
            // Falling back to HTTP before anybody has answered gives nothing away: nothing was shown yet but the name.
            Err(error) if self.may_fall_back(&error) => {
                self.is_plain.store(true, Ordering::Relaxed);
                self.exchange(request, authorization.as_ref()).await
            }
            other => other,
        }?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        if let Some(challenge) = Challenge::of(response.headers()) {
            let is_plain = self.is_plain.load(Ordering::Relaxed);
            let answer = self
                .auth
                .answer(&challenge, &scope, is_plain, |url| self.connection(url));
            authorization = answer.await?;
            if authorization.is_some() {
                response = self.exchange(request, authorization.as_ref()).await?;
            }
        }
        Ok(response)
    }

    fn may_fall_back(&self, error: &RegistryError) -> bool {
        (self.endpoint.is_loopback() || self.endpoint.is_insecure)
            && !self.is_plain.load(Ordering::Relaxed)
            && !self.has_answered.load(Ordering::Relaxed)
            && error.failure() == RegistryFailure::Unreachable
    }

    /// Request and answer, redirects followed.
    async fn exchange(
        &self,
        request: &Request,
        authorization: Option<&HeaderValue>,
    ) -> Result<Response, RegistryError> {
        let own = self.base()?;
        let mut url = self.url(&own, request)?;
        for _ in 0..=MAX_REDIRECTS {
            let is_own = url.origin() == own.origin();
            let mut builder = self.connection(&url)?.request(request.method.clone(), url.clone());
            for (name, value) in &request.headers {
                builder = builder.header(name, value);
            }
            if let Some(value) = authorization.filter(|_| is_own) {
                builder = builder.header(AUTHORIZATION, value.clone());
            }
            builder = self.with_body(builder, request).await?;
            let response = builder.send().await.map_err(|error| self.broken(request, error))?;
            if is_own {
                self.has_answered.store(true, Ordering::Relaxed);
            }
            let is_read = matches!(request.method, Method::GET | Method::HEAD);
            if !response.status().is_redirection() || !is_read {
                return Ok(response);
            }
            url = self.target(&url, &response)?;
        }
        Err(self.redirect_error(&format!("more than {MAX_REDIRECTS} in a row")))
    }

    async fn with_body(
        &self,
        builder: reqwest::RequestBuilder,
        request: &Request,
    ) -> Result<reqwest::RequestBuilder, RegistryError> {
        match &request.body {
            Body::Empty if matches!(request.method, Method::GET | Method::HEAD) => Ok(builder),
            Body::Empty => Ok(builder.header(CONTENT_LENGTH, 0)),
            Body::Bytes(bytes) => Ok(builder.body(bytes.clone())),
            Body::File(path) => {
                let refuse = |error: std::io::Error| RegistryError::File {
                    path: path.clone(),
                    reason: error.to_string(),
                };
                let file = tokio::fs::File::open(path).await.map_err(refuse)?;
                let length = file.metadata().await.map_err(refuse)?.len();
                Ok(builder.header(CONTENT_LENGTH, length).body(file))
            }
        }
    }

    fn base(&self) -> Result<Url, RegistryError> {
        let scheme = if self.is_plain.load(Ordering::Relaxed) {
            "http"
        } else {
            "https"
        };
        let Endpoint { host, repository, .. } = &self.endpoint;
        let text = format!("{scheme}://{host}/v2/{repository}/");
        text.parse()
            .map_err(|_| self.protocol_error("its name is no host name"))
    }

    fn url(&self, own: &Url, request: &Request) -> Result<Url, RegistryError> {
        let mut url = own
            .join(&request.place)
            .map_err(|_| self.protocol_error("it gave a location that is no URL"))?;
        if url.scheme() != own.scheme() && url.scheme() != "https" {
            return Err(self.redirect_error("it leads away from HTTPS"));
        }
        for (name, value) in &request.query {
            url.query_pairs_mut().append_pair(name, value);
        }
        Ok(url)
    }

    /// Where a redirect leads.
    fn target(&self, from: &Url, response: &Response) -> Result<Url, RegistryError> {
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let location = location.ok_or_else(|| self.redirect_error("it says nowhere to go"))?;
        let url = from.join(location).map_err(|_| self.redirect_error("it is no URL"))?;
        match (from.scheme(), url.scheme()) {
            (_, "https") | ("http", "http") => Ok(url),
            _ => Err(self.redirect_error("it leads away from HTTPS")),
        }
    }

    /// The connections to the host of a URL, with the certificates that are for it.
    fn connection(&self, url: &Url) -> Result<reqwest::Client, RegistryError> {
        let name = url.host_str().unwrap_or_default();
        let host = url.port().map_or(name.to_owned(), |port| format!("{name}:{port}"));
        let mut connections = self.connections.lock().expect("no holder of this lock can panic");
        if let Some(client) = connections.get(&host) {
            return Ok(client.clone());
        }
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("plimsoll/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .redirect(redirect::Policy::none());
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        if bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()) {
            builder = builder.no_proxy();
        }
        if self.endpoint.is_insecure {
            builder = builder.tls_danger_accept_invalid_certs(true);
        }
        let builder = certificates::apply(builder, &host, &self.options)?;
        let client = builder
            .build()
            .map_err(|error| RegistryError::SetUp(std::io::Error::other(error)))?;
        connections.insert(host, client.clone());
        Ok(client)
    }

    /// An answer of 400 and above, as an error.
    async fn refusal(&self, request: &Request, mut response: Response) -> RegistryError {
        let status = response.status().as_u16();
        let wait = retry_after(response.headers(), jiff::Timestamp::now());
        let mut body = Vec::new();
        while let Ok(Some(piece)) = response.chunk().await {
            body.extend_from_slice(&piece);
            if body.len() > MAX_REFUSAL_BYTES {
                break;
            }
        }
        let (codes, message) = reasons(&body);
        if status == 429 || codes.iter().any(|code| code == "TOOMANYREQUESTS") {
            return RegistryError::RateLimit {
                host: self.endpoint.host.clone(),
                retry_after: wait,
            };
        }
        RegistryError::Answer {
            action: request.shown(),
            host: self.endpoint.host.clone(),
            status,
            codes,
            message,
        }
    }

    pub(super) fn broken(&self, request: &Request, source: reqwest::Error) -> RegistryError {
        RegistryError::Transport {
            action: request.shown(),
            host: self.endpoint.host.clone(),
            source: source.without_url(),
        }
    }

    pub(super) fn protocol_error(&self, reason: &str) -> RegistryError {
        RegistryError::Protocol {
            host: self.endpoint.host.clone(),
            reason: reason.to_owned(),
        }
    }

    fn redirect_error(&self, reason: &str) -> RegistryError {
        RegistryError::Redirect {
            host: self.endpoint.host.clone(),
            reason: reason.to_owned(),
        }
    }
}

/// Codes and the first message of the distribution-spec's error document.
fn reasons(body: &[u8]) -> (Vec<String>, String) {
    let Ok(document) = serde_json::from_slice::<serde_json::Value>(body) else {
        return (Vec::new(), String::new());
    };
    let errors = document["errors"].as_array().cloned().unwrap_or_default();
    let codes = errors
        .iter()
        .filter_map(|error| error["code"].as_str())
        .map(str::to_uppercase)
        .take(8);
    let message = errors
        .first()
        .and_then(|error| error["message"].as_str())
        .unwrap_or_default();
    let message = message.chars().take(200).collect::<String>().escape_debug().to_string();
    (codes.collect(), message)
}
