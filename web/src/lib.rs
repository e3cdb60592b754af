//! The server: scan reports, alerts and admission reviews in; a REST API, live events, verdicts and a dashboard out.

mod admission;
mod answer;
mod api;
mod app;
mod caller;
mod clock;
mod error;
pub mod limits;
mod metrics;
mod openapi;
mod route;
mod secret;
pub mod store;
mod throttle;

pub use error::Error;
pub use openapi::openapi_json;
