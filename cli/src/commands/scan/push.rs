//! `--server URL` in, the scan report stored there out; and what a server is asked for.

use std::{
    fs::File,
    io::Read as _,
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, anyhow, bail};
use plimsoll_model::ScanReport;
use reqwest::{Certificate, Client, StatusCode, Url, header::HeaderValue, redirect};

use crate::exit::{Exit, Failure, escape};

/// A server that accepts no connection for so long is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// One attempt, from connection to answer.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(120);
/// Attempts after the first one.
const MAX_RETRIES: u32 = 3;
/// Pause before the first retry; doubles each time.
const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// Longest pause that a server may ask for.
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// Largest token or certificate file, bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// Bytes of a refusal that are read.
const MAX_ANSWER_BYTES: usize = 4096;
/// Largest document that a server is asked for, bytes.
const MAX_DOCUMENT_BYTES: usize = 64 << 20;
/// Where reports go, below the server's own path.
const PATH: &str = "api/v1/scans";
/// Never an argument: every process on the machine can read those.
const TOKEN_VARIABLE: &str = "PLIMSOLL_TOKEN";

/// Where to send the report.
#[derive(clap::Args)]
pub(super) struct ServerArguments {
    /// Send the report to this Plimsoll server, with the token in PLIMSOLL_TOKEN
    #[arg(long, env = "PLIMSOLL_SERVER", value_name = "URL")]
    server: Option<String>,
    /// File with the token, instead of PLIMSOLL_TOKEN
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Certificates (PEM) to trust besides those of the system
    #[arg(long, value_name = "FILE")]
    server_ca: Option<PathBuf>,
    /// Speak plain HTTP to a server that is not on this machine: others can read the token
    #[arg(long)]
    insecure_server: bool,
}

/// A server that can be spoken to.
pub(super) struct Server {
    client: Client,
    url: Url,
    authorization: HeaderValue,
}

impl ServerArguments {
    /// `None` when no server was asked for. Nothing is sent yet.
    pub(super) fn connect(&self) -> Result<Option<Server>, Failure> {
        self.server.as_deref().map(|text| self.open(text)).transpose()
    }

    /// Whether it is said how a server is spoken to, and no server is named.
    pub(super) fn is_for_nobody(&self) -> bool {
        let is_said = self.token_file.is_some() || self.server_ca.is_some() || self.insecure_server;
        self.server.is_none() && is_said
    }

    /// The server at this URL.
    pub(super) fn open(&self, text: &str) -> Result<Server, Failure> {
        let usage = |hint: &str, error: anyhow::Error| Failure::new(Exit::Usage, error, hint);
        let url = endpoint(text, self.insecure_server).map_err(|error| {
            let hint =
                "for example https://plimsoll.example; plain http only on this machine, or with --insecure-server";
            usage(hint, error)
        })?;
        let authorization = self.authorization().map_err(|error| {
            let hint =
                "make a token of role operator in the dashboard's settings; give it in PLIMSOLL_TOKEN or --token-file";
            usage(hint, error)
        })?;
        let client = self.client(&url);
        let client = client.map_err(|error| usage("--server-ca wants a file with PEM certificates", error))?;
        Ok(Server {
            client,
            url,
            authorization,
        })
    }

    fn authorization(&self) -> anyhow::Result<HeaderValue> {
        let text = match &self.token_file {
            Some(path) => String::from_utf8(read(path)?).with_context(|| format!("read {}", path.display()))?,
            None => std::env::var(TOKEN_VARIABLE).unwrap_or_default(),
        };
        let token = text.trim();
        if token.is_empty() {
            bail!("find a token for the server");
        }
        // The error would quote the token.
        let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| anyhow!("use the token: it has characters that no token has"))?;
        value.set_sensitive(true);
        Ok(value)
    }

    fn client(&self, url: &Url) -> anyhow::Result<Client> {
        let mut builder = Client::builder()
            .user_agent(concat!("plimsoll/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ATTEMPT_TIMEOUT)
            // The token is for this server and no other.
            .redirect(redirect::Policy::none());
        if is_loopback(url) {
            builder = builder.no_proxy();
        }
        if let Some(path) = &self.server_ca {
            let certificates = Certificate::from_pem_bundle(&read(path)?)
                .with_context(|| format!("read certificates from {}", path.display()))?;
            if certificates.is_empty() {
                bail!("read certificates from {}: there is none", path.display());
            }
            builder = builder.tls_certs_merge(certificates);
        }
        builder.build().context("set up TLS")
    }
}

fn endpoint(text: &str, allows_plain: bool) -> anyhow::Result<Url> {
    // The text may hold a password, so it is not quoted.
    let mut url: Url = text.parse().context("parse the server's URL")?;
    if !url.username().is_empty() || url.password().is_some() {
        bail!("use a server URL with a user name or password in it");
    }
    if url.query().is_some() || url.fragment().is_some() {
        bail!("use a server URL with a query or fragment");
    }
    match url.scheme() {
        "https" => {}
        "http" if allows_plain || is_loopback(&url) => {}
        "http" => bail!("send a token over plain HTTP to {url}"),
        scheme => bail!("use a server URL with the scheme `{}`", escape(scheme)),
    }
    let folder = format!("{}/", url.path().trim_end_matches('/'));
    url.set_path(&folder);
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)
        .with_context(|| format!("open {}", path.display()))?
        .take(MAX_FILE_BYTES)
        .read_to_end(&mut bytes)
        .with_context(|| format!("read {}", path.display()))?;
    Ok(bytes)
}

/// Why an attempt failed.
struct Refusal {
    error: anyhow::Error,
    hint: &'static str,
    /// How long to wait before the next attempt; `None`: another one would fail the same way.
    retry: Option<Duration>,
}

impl Server {
    /// What is below the server's own path; `None` when it has no such thing.
    pub(super) fn get(&self, path: &str) -> Result<Option<Vec<u8>>, Failure> {
        let url = self.below(path);
        let failed = |refusal: Refusal| {
            let error = refusal.error.context(format!("ask {url}"));
            Failure::new(Exit::Target, error, refusal.hint)
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| {
            let error = anyhow::Error::new(error).context(format!("ask {url}"));
            Failure::new(Exit::Target, error, "free memory or raise the limit of processes")
        })?;
        runtime.block_on(self.fetch(&url)).map_err(failed)
    }

    async fn fetch(&self, url: &Url) -> Result<Option<Vec<u8>>, Refusal> {
        let lost = |error: reqwest::Error| Refusal {
            error: anyhow::Error::new(error.without_url()),
            hint: "check URL, port and network; a certificate of your own needs --server-ca FILE",
            retry: None,
        };
        let request = self.client.get(url.clone());
        let request = request.header(reqwest::header::AUTHORIZATION, self.authorization.clone());
        let mut answer = request.send().await.map_err(lost)?;
        let status = answer.status();
        if status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if !status.is_success() {
            return Err(Refusal {
                error: anyhow!("the server answered {status}: {}", said(answer).await),
                hint: hint(status),
                retry: None,
            });
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(lost)? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > MAX_DOCUMENT_BYTES {
                return Err(Refusal {
                    error: anyhow!("its answer is longer than {MAX_DOCUMENT_BYTES} bytes"),
                    hint: "is it a Plimsoll server?",
                    retry: None,
                });
            }
        }
        Ok(Some(bytes))
    }

    fn below(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        url.set_path(&format!("{}{path}", self.url.path()));
        url
    }

    /// Sends the report; tries again what may pass.
    pub(super) fn push(&self, report: &ScanReport) -> Result<(), Failure> {
        let failed = |error: anyhow::Error, hint: &str| {
            let error = error.context(format!("send the report to {}", self.below(PATH)));
            Failure::new(Exit::Target, error, hint)
        };
        let body = serde_json::to_vec(report).map_err(|error| failed(error.into(), "this is a bug: report it"))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| failed(error.into(), "free memory or raise the limit of processes"))?;
        runtime
            .block_on(self.send_until_it_arrives(&body))
            .map_err(|refusal| failed(refusal.error, refusal.hint))
    }

    async fn send_until_it_arrives(&self, body: &[u8]) -> Result<(), Refusal> {
        let mut attempt = 0;
        loop {
            let refusal = match self.send(body).await {
                Ok(()) => return Ok(()),
                Err(refusal) => refusal,
            };
            match refusal.retry {
                Some(asked) if attempt < MAX_RETRIES => {
                    let pause = asked.max(RETRY_PAUSE * 2_u32.pow(attempt)).min(MAX_PAUSE);
                    tracing::warn!(error = %refusal.error, ?pause, "report not sent, trying again");
                    tokio::time::sleep(pause).await;
                    attempt += 1;
                }
                _ => return Err(refusal),
            }
        }
    }

    async fn send(&self, body: &[u8]) -> Result<(), Refusal> {
        let request = self
            .client
            .post(self.below(PATH))
            .header(reqwest::header::AUTHORIZATION, self.authorization.clone())
            .header(reqwest::header::CONTENT_TYPE, "application/json")
            .body(body.to_vec());
        let answer = request.send().await.map_err(|error| Refusal {
            error: anyhow::Error::new(error.without_url()),
            hint: "check URL, port and network; a certificate of your own needs --server-ca FILE",
            retry: Some(Duration::ZERO),
        })?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let retry_after = answer.headers().get(reqwest::header::RETRY_AFTER);
        let asked = retry_after.and_then(|value| value.to_str().ok()?.parse().ok());
        let may_pass = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
        Err(Refusal {
            error: anyhow!("the server answered {status}: {}", said(answer).await),
            hint: hint(status),
            retry: may_pass.then(|| Duration::from_secs(asked.unwrap_or(0))),
        })
    }
}

fn hint(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 | 403 => "the token must be valid and of role operator or admin",
        404 => "is there a Plimsoll server at this URL?",
        400 | 422 => "command and server must be of the same version",
        413 => "the report is larger than the server takes",
        300..=399 => "give the URL that it redirects to: a token is not sent on",
        429 | 500..=599 => "look at the server's log and run the scan again",
        _ => "look at the server's log",
    }
}

/// The beginning of an answer, safe to print.
async fn said(mut answer: reqwest::Response) -> String {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        bytes.extend_from_slice(&chunk[..chunk.len().min(MAX_ANSWER_BYTES - bytes.len())]);
        if bytes.len() == MAX_ANSWER_BYTES {
            break;
        }
    }
    let text = String::from_utf8_lossy(&bytes);
    escape(text.trim()).chars().take(300).collect()
}

#[cfg(test)]
mod tests;
