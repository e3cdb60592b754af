//! The agents' side: enrol, send alerts and heartbeats, fetch scan reports with their profiles.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use plimsoll_model::Alert;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    answer::{Answer, ApiError, Body, ErrorBody, check_text},
    api::digest_of,
    app::App,
    caller::{Address, AgentCaller},
    limits,
    route::{Access, Route, Verb, handler},
    secret::{self, TokenKind},
    store::{Heartbeat, NewAuditEntry, RejectedAlert},
};

crate::api::resource!("agent", ROUTES, [enrol, ingest, heartbeat, profile]);

const ROUTES: &[Route] = &[
    Route::post("/agents/enrol", Access::Public, || handler(Verb::Post, enrol)),
    Route::post("/agent/alerts", Access::Agent, || handler(Verb::Post, ingest))
        .with_body(limits::MAX_ALERT_BATCH_BYTES),
    Route::post("/agent/heartbeat", Access::Agent, || handler(Verb::Post, heartbeat)).with_body(1024 * 1024),
    Route::get("/agent/profiles/{digest}", Access::Agent, || {
        handler(Verb::Get, profile)
    }),
];

/// A token that admits, and who wants in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Enrol {
    /// Enrolment token, made by an admin.
    token: String,
    /// Name of the node; an agent that enrolled under it before is replaced.
    node: String,
}

/// An agent's own token, shown once.
#[derive(Serialize, ToSchema)]
struct Enrolled {
    /// Number of the agent.
    id: i64,
    /// Its node.
    node: String,
    /// Send it as `Authorization: Bearer …` with every request.
    token: String,
}

/// Alerts, oldest first.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AlertBatch {
    /// 1 to 1000 documents of schema `plimsoll.alert/v1`. One that does not parse is rejected alone.
    #[schema(value_type = Vec<Object>)]
    alerts: Vec<serde_json::Value>,
}

/// What became of a batch.
#[derive(Serialize, ToSchema)]
struct BatchResult {
    /// Ids that are on disk: the agent may forget them.
    acknowledged: Vec<String>,
    /// What will never be taken.
    rejected: Vec<RejectedAlert>,
}

/// Become an agent of this server.
#[utoipa::path(post, path = "/agents/enrol", request_body = Enrol, responses(
    (status = 200, body = Enrolled), (status = 401, body = ErrorBody)))]
async fn enrol(State(app): State<App>, from: Address, Body(input): Body<Enrol>) -> Answer<Enrolled> {
    check_text("node", &input.node, 253)?;
    if !TokenKind::Enrolment.is_kind_of(&input.token) {
        return Err(ApiError::unauthenticated());
    }
    let now_ms = app.now_ms();
    let enrolment = secret::digest_token(&input.token);
    let token = secret::new_token(TokenKind::Agent)?;
    let own = secret::digest_token(&token);
    let node = input.node.clone();
    let agent = app
        .store(move |store| store.enrol_agent(&enrolment, &node, &own, now_ms))
        .await?
        .ok_or_else(ApiError::unauthenticated)?;
    app.audit(NewAuditEntry {
        actor: format!("agent:{}", agent.node),
        action: "enrol",
        subject: agent.node.clone(),
        detail: String::new(),
        address: from.0,
    })
    .await?;
    Ok(Json(Enrolled {
        id: agent.id,
        node: agent.node,
        token,
    }))
}

/// Send alerts. Sending the same ones again changes nothing; what is acknowledged is on disk.
#[utoipa::path(post, path = "/agent/alerts", request_body = AlertBatch, responses(
    (status = 200, body = BatchResult), (status = 400, body = ErrorBody)))]
async fn ingest(
    State(app): State<App>,
    AgentCaller(agent): AgentCaller,
    Body(batch): Body<AlertBatch>,
) -> Answer<BatchResult> {
    if batch.alerts.is_empty() || batch.alerts.len() > limits::MAX_ALERTS_IN_BATCH {
        return Err(ApiError::bad_request(format!(
            "`alerts` has 1 to {} entries",
            limits::MAX_ALERTS_IN_BATCH
        )));
    }
    let now_ms = app.now_ms();
    let (alerts, mut rejected) = parse(batch.alerts);
    let result = app
        .store(move |store| store.save_alerts(&agent.node, alerts, now_ms))
        .await?;
    rejected.extend(result.rejected);
    let changed = result.changed.len() as u64;
    app.metrics.alerts_stored.inc_by(changed);
    app.metrics
        .alerts_repeated
        .inc_by((result.acknowledged.len() as u64).saturating_sub(changed));
    app.metrics.alerts_rejected.inc_by(rejected.len() as u64);
    for alert in result.changed {
        // Nobody listens: nothing to tell.
        let _ = app.live.send(Arc::new(alert));
    }
    Ok(Json(BatchResult {
        acknowledged: result.acknowledged,
        rejected,
    }))
}

fn parse(documents: Vec<serde_json::Value>) -> (Vec<Alert>, Vec<RejectedAlert>) {
    let (mut alerts, mut rejected) = (Vec::new(), Vec::new());
    for document in documents {
        let id = document["id"].as_str().unwrap_or_default().chars().take(200).collect();
        match serde_json::from_value(document) {
            Ok(alert) => alerts.push(alert),
            Err(error) => rejected.push(RejectedAlert {
                id,
                reason: error.to_string().chars().take(300).collect(),
            }),
        }
    }
    (alerts, rejected)
}

/// Say how the agent is, about once a minute.
#[utoipa::path(post, path = "/agent/heartbeat", request_body = Heartbeat, responses(
    (status = 204), (status = 400, body = ErrorBody)))]
async fn heartbeat(
    State(app): State<App>,
    AgentCaller(agent): AgentCaller,
    Body(heartbeat): Body<Heartbeat>,
) -> Result<StatusCode, ApiError> {
    let rows = heartbeat.losses.len().max(heartbeat.blind_spots.len());
    if rows > limits::MAX_HEARTBEAT_ROWS || heartbeat.containers.len() > limits::MAX_HEARTBEAT_CONTAINERS {
        return Err(ApiError::bad_request("the heartbeat has too many rows"));
    }
    let now_ms = app.now_ms();
    app.store(move |store| store.save_heartbeat(agent.id, &heartbeat, now_ms))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The scan report (schema `plimsoll.scan/v1`) with the profile of an image, by config or manifest digest.
#[utoipa::path(get, path = "/agent/profiles/{digest}",
    params(("digest" = String, Path, description = "Config or manifest digest")),
    responses((status = 200, body = Object), (status = 404, body = ErrorBody)))]
async fn profile(State(app): State<App>, Path(digest): Path<String>) -> Result<Response, ApiError> {
    let digest = digest_of(&digest)?;
    let json = app.store(move |store| store.find_report_json(&digest)).await?;
    let json = json.ok_or_else(|| ApiError::not_found("image"))?;
    Ok(([(header::CONTENT_TYPE, "application/json")], json).into_response())
}
