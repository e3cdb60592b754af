//! The server: scan reports, alerts and admission reviews in; a REST API, live events, verdicts and a dashboard out.

mod admission;
mod answer;
mod api;
mod app;
mod assets;
mod caller;
mod clock;
mod error;
#[doc(hidden)]
pub mod fuzzing;
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
mod token;

pub use admission::PolicySource;
pub use error::Error;
pub use openapi::openapi_json;
pub use server::{Extent, FIRST_USER, Options, Server, TlsFiles};
pub use token::{CONSOLE_USER, NewToken, make_token};

#[cfg(test)]
mod tests;
