//! The server: scan reports, alerts and admission reviews in; a REST API, live events, verdicts and a dashboard out.

mod admission;
mod answer;
mod api;
mod app;
mod assets;
mod caller;
mod clock;
mod error;
pub mod limits;
mod metrics;
mod openapi;
mod route;
mod router;
mod secret;
mod server;
mod service;
pub mod store;
mod throttle;

pub use admission::PolicySource;
pub use error::Error;
pub use openapi::openapi_json;
pub use server::{Extent, FIRST_USER, Options, Server, TlsFiles};

#[cfg(test)]
mod tests;
