//! What is asked of a registry and what it answers.

use std::path::PathBuf;

use reqwest::{
    Method,
    header::{ACCEPT, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderName, RANGE},
};

/// What a request must be allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Read.
    Pull,
    /// Read and write.
    Push,
}

impl Access {
    pub(super) fn actions(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "pull,push",
        }
    }
}

/// What a request carries. Everything can be sent again after a broken connection.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    /// Nothing.
    Empty,
    /// Bytes in memory.
    Bytes(Vec<u8>),
    /// A file, streamed.
    File(PathBuf),
}

/// One request, to be sent by [`super::Client`].
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(super) method: Method,
    pub(super) place: String,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) access: Access,
    pub(super) headers: Vec<(HeaderName, String)>,
    pub(super) body: Body,
}

impl Request {
    fn new(method: Method, place: impl Into<String>, access: Access) -> Self {
        Self {
            method,
            place: place.into(),
            query: Vec::new(),
            access,
            headers: Vec::new(),
            body: Body::Empty,
        }
    }

    pub(crate) fn get(place: impl Into<String>, access: Access) -> Self {
        Self::new(Method::GET, place, access)
    }

    pub(crate) fn head(place: impl Into<String>, access: Access) -> Self {
        Self::new(Method::HEAD, place, access)
    }

    pub(crate) fn put(place: impl Into<String>, access: Access) -> Self {
        Self::new(Method::PUT, place, access)
    }

    pub(crate) fn post(place: impl Into<String>, access: Access) -> Self {
        Self::new(Method::POST, place, access)
    }

    /// Media types that the answer may have.
    pub(crate) fn accept(mut self, types: &[&str]) -> Self {
        self.headers.push((ACCEPT, types.join(", ")));
        self
    }

    /// Media type of the body.
    pub(crate) fn content_type(mut self, media_type: &str) -> Self {
        self.headers.push((CONTENT_TYPE, media_type.to_owned()));
        self
    }

    /// One more parameter behind the question mark, encoded here.
    pub(crate) fn query(mut self, name: &'static str, value: &(impl ToString + ?Sized)) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    pub(crate) fn body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }

    /// Only what comes from this byte on.
    pub(super) fn starting_at(mut self, offset: u64) -> Self {
        if offset > 0 {
            self.headers.push((RANGE, format!("bytes={offset}-")));
        }
        self
    }
}

/// A registry's answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(super) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// A header's text; empty when it is not there or no text.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

/// Where the bytes of a partial answer begin: `bytes 100-199/200`.
pub(super) fn range_start(headers: &HeaderMap) -> Option<u64> {
    let text = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    text.trim()
        .strip_prefix("bytes ")?
        .split('-')
        .next()?
        .trim()
        .parse()
        .ok()
}
