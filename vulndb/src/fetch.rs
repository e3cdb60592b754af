//! URLs in, feed files on disk out: conditional, resumed, limited in size and time; nothing is parsed here.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::limits::{
    MAX_ATTEMPTS, MAX_DOWNLOAD_BYTES, MAX_REDIRECTS, MAX_RETRY_AFTER_S, MAX_STATE_BYTES, MAX_VALIDATOR_BYTES,
};

/// What a server said of the version that it sent, to be asked with next time (RFC 9110, section 8.8).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Fingerprint {
    /// Where it came from: another mirror's answer to the same validators means nothing.
    pub(crate) url: String,
    pub(crate) etag: Option<String>,
    pub(crate) last_modified: Option<String>,
}

/// What became of a download.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fetched {
    /// The server says that the known version is still the newest.
    Unchanged,
    /// The file is there, whole.
    New(Fingerprint),
}

/// Why one attempt failed, and whether another one may help.
struct Fault {
    reason: String,
    /// `None`: no attempt at this URL will help.
    retry_after: Option<Duration>,
}

impl Fault {
    fn last(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            retry_after: None,
        }
    }

    fn passing(reason: impl Into<String>, retry_after: Duration) -> Self {
        Self {
            reason: reason.into(),
            retry_after: Some(retry_after),
        }
    }
}

/// A client that waits at most `stall` for the next bytes.
pub(crate) fn client(stall: Duration) -> Result<Client, String> {
    let policy = reqwest::redirect::Policy::custom(|attempt| {
        let was_secure = attempt.previous().first().is_some_and(|url| url.scheme() == "https");
        if attempt.previous().len() > MAX_REDIRECTS {
            attempt.error("too many redirects")
        } else if was_secure && attempt.url().scheme() != "https" {
            attempt.error("a redirect from HTTPS to HTTP")
        } else {
            attempt.follow()
        }
    });
    Client::builder()
        .user_agent(concat!("plimsoll/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(stall)
        .read_timeout(stall)
        .redirect(policy)
        .build()
        .map_err(|error| chain(&error))
}

/// Tries the mirrors in order until one answers. `part` is where the bytes go; what an earlier run left there is gone on
/// with, if the server still has the same version. Errors are told as one reason per mirror.
pub(crate) async fn fetch(
    client: &Client,
    mirrors: &[Url],
    known: Option<&Fingerprint>,
    part: &Path,
) -> Result<Fetched, String> {
    let mut reasons = Vec::new();
    for url in mirrors {
        let known = known.filter(|known| known.url == url.as_str());
        match fetch_from(client, url, known, part).await {
            Ok(fetched) => return Ok(fetched),
            Err(reason) => reasons.push(format!("{}: {reason}", shown(url))),
        }
    }
    Err(reasons.join("; "))
}

/// A URL without what may be secret in it.
pub(crate) fn shown(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map_or(String::new(), |port| format!(":{port}"));
    format!("{}://{host}{port}{}", url.scheme(), url.path())
}

async fn fetch_from(client: &Client, url: &Url, known: Option<&Fingerprint>, part: &Path) -> Result<Fetched, String> {
    let mut reason = String::new();
    for attempt in 1..=MAX_ATTEMPTS {
        match attempt_once(client, url, known, part).await {
            Ok(fetched) => return Ok(fetched),
            Err(fault) => {
                reason = fault.reason;
                match fault.retry_after {
                    Some(wait) if attempt < MAX_ATTEMPTS => tokio::time::sleep_until(Instant::now() + wait).await,
                    _ => break,
                }
            }
        }
    }
    Err(reason)
}

/// The first bytes of a download whose connection broke.
struct Resumable {
    length_bytes: u64,
    fingerprint: Fingerprint,
}

fn resumable(url: &Url, part: &Path) -> Option<Resumable> {
    let fingerprint: Fingerprint = read_state(&state_path(part))?;
    let length_bytes = fs::metadata(part).ok()?.len();
    (length_bytes > 0 && fingerprint.url == url.as_str() && validator(&fingerprint).is_some()).then_some(Resumable {
        length_bytes,
        fingerprint,
    })
}

/// What `If-Range` may carry: a strong entity tag, else the date (RFC 9110, section 13.1.5).
fn validator(fingerprint: &Fingerprint) -> Option<&str> {
    let strong = fingerprint.etag.as_deref().filter(|etag| !etag.starts_with("W/"));
    strong.or(fingerprint.last_modified.as_deref())
}

async fn attempt_once(client: &Client, url: &Url, known: Option<&Fingerprint>, part: &Path) -> Result<Fetched, Fault> {
    let begun = resumable(url, part);
    let is_conditional = begun.is_none() && known.is_some();
    let request = match (&begun, known) {
        (Some(begun), _) => with_range(client.get(url.clone()), begun),
        (None, Some(known)) => with_condition(client.get(url.clone()), known),
        (None, None) => client.get(url.clone()),
    };
    let response = request
        .send()
        .await
        .map_err(|error| Fault::passing(chain(&error.without_url()), BACKOFF))?;
    match response.status() {
        StatusCode::OK => receive(response, url, part, 0).await,
        StatusCode::PARTIAL_CONTENT => {
            let start = begun.map(|begun| begun.length_bytes);
            match start.filter(|start| content_range_start(response.headers()) == Some(*start)) {
                Some(start) => receive(response, url, part, start).await,
                None => {
                    forget(part);
                    Err(Fault::passing(
                        "it sends another range than it was asked for",
                        Duration::ZERO,
                    ))
                }
            }
        }
        StatusCode::NOT_MODIFIED if is_conditional => Ok(Fetched::Unchanged),
        StatusCode::RANGE_NOT_SATISFIABLE => {
            forget(part);
            Err(Fault::passing(
                "it does not have the range that is missing",
                Duration::ZERO,
            ))
        }
        status if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() => Err(Fault {
            reason: format!("it answers {status}"),
            retry_after: retry_after(response.headers()),
        }),
        status => Err(Fault::last(format!("it answers {status}"))),
    }
}

/// How long to wait where the server does not say.
const BACKOFF: Duration = Duration::from_millis(200);

fn with_range(request: RequestBuilder, begun: &Resumable) -> RequestBuilder {
    let request = request.header(header::RANGE, format!("bytes={}-", begun.length_bytes));
    match validator(&begun.fingerprint) {
        Some(validator) => request.header(header::IF_RANGE, validator),
        None => request,
    }
}

fn with_condition(mut request: RequestBuilder, known: &Fingerprint) -> RequestBuilder {
    if let Some(etag) = &known.etag {
        request = request.header(header::IF_NONE_MATCH, etag);
    }
    if let Some(date) = &known.last_modified {
        request = request.header(header::IF_MODIFIED_SINCE, date);
    }
    request
}

/// `None` when the server asks for more patience than we have.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let Some(value) = headers.get(header::RETRY_AFTER) else {
        return Some(BACKOFF);
    };
    let seconds: u64 = value.to_str().ok()?.trim().parse().ok()?;
    (seconds <= MAX_RETRY_AFTER_S).then(|| Duration::from_secs(seconds))
}

fn content_range_start(headers: &HeaderMap) -> Option<u64> {
    let value = headers.get(header::CONTENT_RANGE)?.to_str().ok()?;
    value.strip_prefix("bytes ")?.split('-').next()?.parse().ok()
}

/// Writes the body to the part from `start` on.
async fn receive(mut response: Response, url: &Url, part: &Path, start: u64) -> Result<Fetched, Fault> {
    let too_long = || Fault::last(format!("it is longer than {MAX_DOWNLOAD_BYTES} bytes"));
    if response
        .content_length()
        .is_some_and(|length| start.saturating_add(length) > MAX_DOWNLOAD_BYTES)
    {
        return Err(too_long());
    }
    let fingerprint = Fingerprint {
        url: url.as_str().to_owned(),
        etag: text(response.headers().get(header::ETAG)),
        last_modified: text(response.headers().get(header::LAST_MODIFIED)),
    };
    let failed = |error: std::io::Error| Fault::last(format!("write {}: {error}", part.display()));
    let mut file = open_part(part, start, &fingerprint).map_err(failed)?;
    let mut length_bytes = start;
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                length_bytes += chunk.len() as u64;
                if length_bytes > MAX_DOWNLOAD_BYTES {
                    forget(part);
                    return Err(too_long());
                }
                file.write_all(&chunk).map_err(failed)?;
            }
            Ok(None) => break,
            Err(error) => {
                return Err(Fault::passing(
                    format!("after {length_bytes} bytes: {}", chain(&error.without_url())),
                    BACKOFF,
                ));
            }
        }
    }
    file.sync_all().map_err(failed)?;
    // Whole now: nothing to go on with.
    let _ = fs::remove_file(state_path(part));
    Ok(Fetched::New(fingerprint))
}

fn text(value: Option<&HeaderValue>) -> Option<String> {
    let text = value?.to_str().ok()?;
    (text.len() <= MAX_VALIDATOR_BYTES).then(|| text.to_owned())
}

fn open_part(part: &Path, start: u64, fingerprint: &Fingerprint) -> std::io::Result<File> {
    if start > 0 {
        return OpenOptions::new().append(true).open(part);
    }
    // The bytes of an older version go first, so that its state never stands beside bytes of this one.
    let file = File::create(part)?;
    write_state(&state_path(part), fingerprint)?;
    Ok(file)
}

/// Forgets what an unfinished download has left.
pub(crate) fn forget(part: &Path) {
    // What is not there need not be removed, and what cannot be removed is overwritten.
    let _ = fs::remove_file(state_path(part));
    let _ = fs::remove_file(part);
}

fn state_path(part: &Path) -> PathBuf {
    part.with_file_name("part.json")
}

/// Reads a small JSON file of ours; `None` when it is absent or damaged, which costs a download.
pub(crate) fn read_state<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
    let metadata = fs::metadata(path).ok()?;
    if metadata.len() > MAX_STATE_BYTES {
        return None;
    }
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

pub(crate) fn write_state<T: Serialize>(path: &Path, state: &T) -> std::io::Result<()> {
    let new = path.with_extension("new");
    fs::write(&new, serde_json::to_vec(state)?)?;
    fs::rename(new, path)
}

/// An error with its causes on one line; reqwest says little by itself.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
