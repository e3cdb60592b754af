//! What running containers use of an image: told by agents, merged over all nodes for everybody else.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use plimsoll_model::{ImageUsage, Reach, ScanReport};
use plimsoll_policy::{IdleThresholds, merge_usage, reach};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    answer::{Answer, ApiError, Body, ErrorBody},
    api::digest_of,
    app::App,
    caller::AgentCaller,
    limits,
    route::{Access, Route, Verb, handler},
    store::{NodeUsage, Role, Store},
};

crate::api::resource!("usage", ROUTES, [tell, show]);

const ROUTES: &[Route] = &[
    Route::post("/agent/usage", Access::Agent, || handler(Verb::Post, tell)).with_body(limits::MAX_USAGE_BODY_BYTES),
    Route::get("/images/{digest}/usage", Access::Role(Role::Viewer), || {
        handler(Verb::Get, show)
    }),
];

/// What an agent has seen.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Told {
    /// Images as in a document of schema `plimsoll.usage/v1`, at most 512: config digest, window, files.
    #[schema(value_type = Vec<Object>)]
    images: Vec<ImageUsage>,
}

/// What an image's containers use, on all nodes.
#[derive(Serialize, ToSchema)]
struct ImageUse {
    /// All nodes together, as in a document of schema `plimsoll.usage/v1`: window, coverage, and files that were used.
    #[schema(value_type = Object)]
    usage: ImageUsage,
    /// Who has said so, the newest first.
    nodes: Vec<UsageNode>,
    /// The image's packages, nearest to being used first; empty when the image has no scan here.
    packages: Vec<PackageReach>,
}

/// A node that has watched containers of the image.
#[derive(Serialize, ToSchema)]
struct UsageNode {
    /// Its name.
    node: String,
    /// When it last said what it saw, milliseconds since the Unix epoch.
    updated_ms: i64,
}

/// How near one package is to being used.
#[derive(Serialize, ToSchema)]
struct PackageReach {
    /// Name.
    name: String,
    /// Version.
    version: String,
    /// Package URL.
    purl: String,
    /// `present`, `reachable`, `linked`, `loaded`, `executed` or `listening`.
    rung: String,
    /// Why, in words. Hostile text.
    because: String,
    /// Containers were watched long and well enough, and used nothing of it.
    is_idle: bool,
    /// How often a file of it was executed.
    executed: u64,
    /// How often a file of it was loaded.
    loaded: u64,
    /// First use, milliseconds since the Unix epoch; null when there was none.
    first_ms: Option<u64>,
    /// Last use.
    last_ms: Option<u64>,
}

/// Say what containers use of their images. What this node said of the same images before is replaced.
#[utoipa::path(post, path = "/agent/usage", request_body = Told, responses(
    (status = 204), (status = 400, body = ErrorBody)))]
async fn tell(
    State(app): State<App>,
    AgentCaller(agent): AgentCaller,
    Body(told): Body<Told>,
) -> Result<StatusCode, ApiError> {
    if told.images.len() > limits::MAX_USAGE_IMAGES {
        return Err(ApiError::bad_request(format!(
            "`images` has at most {} entries",
            limits::MAX_USAGE_IMAGES
        )));
    }
    let now_ms = app.now_ms();
    app.store(move |store| store.save_usage(&agent.node, &told.images, now_ms))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What an image's containers use, merged over all nodes that watch some.
#[utoipa::path(get, path = "/images/{digest}/usage", params(("digest" = String, Path, description = "Config or manifest digest")),
    responses((status = 200, body = ImageUse), (status = 404, body = ErrorBody)))]
async fn show(State(app): State<App>, Path(digest): Path<String>) -> Answer<ImageUse> {
    let digest = digest_of(&digest)?;
    let found = app.store(move |store| {
        let all = store.list_usage(&digest)?;
        let nodes = all.iter().map(|one| UsageNode {
            node: one.node.clone(),
            updated_ms: one.updated_ms,
        });
        let nodes = nodes.collect();
        let Some(usage) = merged(all) else { return Ok(None) };
        let report = store.find_report(&digest)?;
        Ok(Some(ImageUse {
            packages: report.map_or_else(Vec::new, |report| packages(&report, &usage)),
            usage,
            nodes,
        }))
    });
    found
        .await?
        .map(Json)
        .ok_or_else(|| ApiError::not_found("usage of this image"))
}

fn merged(all: Vec<NodeUsage>) -> Option<ImageUsage> {
    merge_usage(all.into_iter().map(|one| one.usage))
}

fn packages(report: &ScanReport, usage: &ImageUsage) -> Vec<PackageReach> {
    let reach = reach(report, Some(usage), IdleThresholds::DEFAULT);
    let mut rows: Vec<(Reach, PackageReach)> = Vec::new();
    for (package, reach) in report.sbom.packages.iter().zip(reach) {
        let used = reach.used;
        let row = PackageReach {
            name: package.name.clone(),
            version: package.version.clone(),
            purl: package.purl.clone(),
            rung: reach.rung.name().to_owned(),
            because: reach.because.clone(),
            is_idle: reach.is_idle,
            executed: used.map_or(0, |used| used.executed),
            loaded: used.map_or(0, |used| used.loaded),
            first_ms: used.map(|used| used.first_ns / 1_000_000),
            last_ms: used.map(|used| used.last_ns / 1_000_000),
        };
        rows.push((reach, row));
    }
    rows.sort_by_key(|(reach, _)| (std::cmp::Reverse(reach.rung), reach.is_idle));
    rows.into_iter().map(|(_, row)| row).collect()
}

/// How near each package of an image is to being used, in the order of its packages; `None` when no node watches it.
pub(super) fn reach_of(store: &dyn Store, digest: &plimsoll_model::Digest) -> crate::error::Result<Option<Vec<Reach>>> {
    let Some(usage) = merged(store.list_usage(digest)?) else {
        return Ok(None);
    };
    let report = store.find_report(digest)?;
    Ok(report.map(|report| reach(&report, Some(&usage), IdleThresholds::DEFAULT)))
}
