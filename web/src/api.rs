//! The REST API, version 1: one file per resource, listed here once.

mod admission;
mod agent;
mod agents;
mod alerts;
mod audit;
mod events;
mod images;
mod kubernetes;
mod overview;
mod scans;
mod session;
mod settings;
mod tokens;
mod usage;
mod users;
mod waivers;
mod workloads;

use utoipa::openapi::OpenApi;

use crate::route::Route;

/// One resource of the API.
pub(crate) trait Resource: Sync {
    /// Its file's name, and its tag in the API description.
    fn name(&self) -> &'static str;
    /// Its routes.
    fn routes(&self) -> &'static [Route];
    /// Description of its routes.
    fn description(&self) -> OpenApi;
}

/// All resources.
pub(crate) const ALL: &[&dyn Resource] = &[
    &admission::Resource,
    &agent::Resource,
    &agents::Resource,
    &alerts::Resource,
    &audit::Resource,
    &events::Resource,
    &images::Resource,
    &kubernetes::Resource,
    &overview::Resource,
    &scans::Resource,
    &session::Resource,
    &settings::Resource,
    &tokens::Resource,
    &usage::Resource,
    &users::Resource,
    &waivers::Resource,
    &workloads::Resource,
];

/// Every route of every resource.
pub(crate) fn routes() -> impl Iterator<Item = &'static Route> {
    ALL.iter().flat_map(|resource| resource.routes())
}

/// Writes the `impl` of [`Resource`] for a file: its name, its routes, and the documented handlers.
macro_rules! resource {
    ($name:literal, $routes:expr, [$($handler:ident),+ $(,)?]) => {
        /// This file's resource.
        pub(crate) struct Resource;

        impl crate::api::Resource for Resource {
            fn name(&self) -> &'static str {
                $name
            }

            fn routes(&self) -> &'static [crate::route::Route] {
                $routes
            }

            fn description(&self) -> utoipa::openapi::OpenApi {
                #[derive(utoipa::OpenApi)]
                #[openapi(paths($($handler),+))]
                struct Description;
                <Description as utoipa::OpenApi>::openapi()
            }
        }
    };
}
pub(crate) use resource;

/// A page asked for by query parameters; a limit out of range is an error, not a surprise.
fn page_of(cursor: Option<String>, limit: Option<u32>) -> Result<crate::store::Page, crate::answer::ApiError> {
    let limit = limit.unwrap_or(crate::limits::DEFAULT_PAGE_ROWS);
    match limit {
        1..=crate::limits::MAX_PAGE_ROWS => Ok(crate::store::Page { cursor, limit }),
        _ => Err(crate::answer::ApiError::bad_request(format!(
            "`limit` is 1 to {}",
            crate::limits::MAX_PAGE_ROWS
        ))),
    }
}

/// A digest from a path.
fn digest_of(text: &str) -> Result<plimsoll_model::Digest, crate::answer::ApiError> {
    text.parse()
        .map_err(|error: plimsoll_model::DigestError| crate::answer::ApiError::bad_request(error.to_string()))
}
