//! HTTP clients as outputs want them: no redirects (a token goes to one host only), no proxies, bounded answers, and errors
//! without addresses, which may hold secrets.

use std::path::Path;

use reqwest::{Certificate, Client, ClientBuilder, Response, Url, redirect::Policy};

use super::{OutputError, Pace};
use crate::{
    limits::{MAX_CA_BYTES, MAX_HTTP_ANSWER_BYTES},
    reason::chain,
};

/// An `http` or `https` URL with a host.
pub(super) fn parse_url(output: &'static str, text: &str) -> Result<Url, OutputError> {
    let refuse = |reason: String| OutputError::Address { output, reason };
    let url = Url::parse(text).map_err(|error| refuse(error.to_string()))?;
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(url),
        scheme => Err(refuse(format!("its scheme is `{scheme}`, not https or http"))),
    }
}

/// Whether everything stays on this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Makes a client for one URL. `ca` holds the only certificates that are trusted, instead of the system's.
pub(super) fn client(output: &'static str, url: &Url, ca: Option<&Path>, pace: Pace) -> Result<Client, OutputError> {
    let mut builder: ClientBuilder = Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .timeout(pace.request)
        .connect_timeout(pace.request / 2)
        .pool_max_idle_per_host(1)
        .user_agent(concat!("plimsoll-agent/", env!("CARGO_PKG_VERSION")));
    if let Some(path) = ca {
        let bytes = crate::identity::read_bounded(path, MAX_CA_BYTES).map_err(|source| OutputError::File {
            path: path.display().to_string(),
            source,
        })?;
        let certificates = Certificate::from_pem_bundle(&bytes).map_err(|error| OutputError::Client {
            output,
            reason: reason(error),
        })?;
        if certificates.is_empty() {
            return Err(OutputError::Client {
                output,
                reason: format!("{} holds no certificate", path.display()),
            });
        }
        builder = builder.tls_certs_only(certificates);
    } else if url.scheme() == "http" {
        // Nothing is verified: a machine without certificates can send too.
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(|error| OutputError::Client {
        output,
        reason: reason(error),
    })
}

/// What went wrong, down to its cause, without the URL.
pub(super) fn reason(error: reqwest::Error) -> String {
    chain(&error.without_url())
}

/// The beginning of an answer's body, as far as it is of use.
pub(super) async fn read_body(mut response: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(reason)? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_HTTP_ANSWER_BYTES {
            return Err(format!("answers with more than {MAX_HTTP_ANSWER_BYTES} bytes"));
        }
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_this_machine_from_others() {
        for (text, expected) in [
            ("http://127.0.0.1:80/x", true),
            ("http://127.9.9.9", true),
            ("http://[::1]:8080", true),
            ("http://localhost:1", true),
            ("http://localhost.example", false),
            ("http://10.0.0.1", false),
            ("http://127.0.0.1.example", false),
        ] {
            assert_eq!(is_loopback(&parse_url("server", text).unwrap()), expected, "{text}");
        }
        for text in ["ftp://host", "host:80", "", "http://"] {
            assert!(parse_url("server", text).is_err(), "{text}");
        }
    }
}
