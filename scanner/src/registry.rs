//! Speaks to registries (distribution-spec): an image's name in, answers and blobs out, with credentials, certificates,
//! mirrors, pauses and continued downloads. Image source and artifacts use the same client.
//!
//! How other code uses it, all calls blocking:
//!
//! ```text
//! let runtime = registry::runtime()?;                                   // one for all clients of a task
//! let endpoints = registry::endpoints(&image, &options)?;              // mirrors first, the registry itself last
//! let client = Client::new(endpoints.last(), &options, &runtime)?;     // no connection yet; pushes go to the last one
//! let answer = client.call(&Request::get("manifests/1", Access::Pull).accept(TYPES), MAX_BYTES)?;
//! let reader = Client::blob_of_any(&[client], &digest, size_bytes);    // `impl Read`, resumed; verify the digest!
//! let upload = client.call(&Request::post("blobs/uploads/", Access::Push), MAX_BYTES)?;
//! let place = upload.header("location");                               // then put its bytes there
//! client.call(&Request::put(place, Access::Push).query("digest", &digest).body(Body::Bytes(bytes)), MAX_BYTES)?;
//! ```
//!
//! Paths are relative to `/v2/REPOSITORY/`; one that begins with `/` or a scheme is taken as the registry's answer gave
//! it. Statuses of 400 and above are errors; [`RegistryError::is_not_found`] tells 404.

mod auth;
mod blob;
mod certificates;
mod challenge;
mod client;
mod endpoint;
mod error;
mod request;
mod retry;

use std::{io, path::PathBuf, sync::Arc, time::Duration};

pub(crate) use self::{
    blob::{BlobReader, read_body},
    client::Client,
    endpoint::{Endpoint, endpoints},
    request::{Access, Answer, Body, Request},
};
pub use self::{endpoint::Mirror, error::RegistryError};

/// How registries are spoken to.
#[derive(Debug, Clone)]
pub struct RegistryOptions {
    /// Speak HTTP to a registry that is not on this machine.
    pub plain_http: bool,
    /// Take any certificate, and HTTP where HTTPS does not answer: whoever is between can read and change everything but
    /// what a digest holds.
    pub is_insecure: bool,
    /// PEM files with certificate authorities to trust besides the system's.
    pub ca_files: Vec<PathBuf>,
    /// Folders laid out as Docker's `certs.d`: `HOST[:PORT]/{*.crt, NAME.cert, NAME.key}`.
    pub certificate_folders: Vec<PathBuf>,
    /// Files with credentials, most important first; those that do not exist are left out.
    pub credential_files: Vec<PathBuf>,
    /// Mirrors that are asked first, in this order.
    pub mirrors: Vec<Mirror>,
    /// Files as containers-registries.conf(5) describes them, version 2; later ones win, missing ones are left out. Of
    /// `FILE.d/*.conf`, the caller lists what counts.
    pub configuration_files: Vec<PathBuf>,
    /// Longest time that one request may wait for a registry that limits its rate.
    pub max_wait: Duration,
}

/// What clients run on: one thread of its own for all connections.
pub(crate) fn runtime() -> io::Result<Arc<tokio::runtime::Runtime>> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("registry")
        .enable_all()
        .build()
        .map(Arc::new)
}
