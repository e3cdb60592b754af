//! Kubernetes audit: what an API server's webhook back end posts is judged by rules; what fires is an alert.
//! <https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/#webhook-backend>

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use plimsoll_model::Alert;
use plimsoll_policy::{audit_events, judge_audit};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    answer::{Answer, ApiError, Body, ErrorBody, check_text},
    app::{App, run_blocking},
    limits,
    route::{Access, Route, Verb, handler},
    store::Role,
};

crate::api::resource!("kubernetes", ROUTES, [receive]);

const ROUTES: &[Route] = &[
    Route::post("/kubernetes/audit/{cluster}", Access::Role(Role::Operator), || {
        handler(Verb::Post, receive)
    })
    .with_body(limits::MAX_AUDIT_BODY_BYTES),
];

/// What became of a batch of audit events.
#[derive(Serialize, ToSchema)]
struct AuditResult {
    /// Events that were judged.
    events: u64,
    /// Alerts that were raised and are on disk.
    alerts: u64,
}

/// Judge audit events of a cluster. Sending the same ones again changes nothing.
#[utoipa::path(post, path = "/kubernetes/audit/{cluster}",
    params(("cluster" = String, Path, description = "Name of the cluster, shown as the node of its alerts")),
    request_body(content = Object, description = "`Event` or `EventList` of `audit.k8s.io/v1`"),
    responses((status = 200, body = AuditResult), (status = 400, body = ErrorBody)))]
async fn receive(
    State(app): State<App>,
    Path(cluster): Path<String>,
    Body(document): Body<serde_json::Value>,
) -> Answer<AuditResult> {
    check_text("cluster", &cluster, 253)?;
    let Some(events) = audit_events(document) else {
        return Err(ApiError::bad_request(
            "the body is neither an Event nor an EventList of audit.k8s.io",
        ));
    };
    if events.len() > limits::MAX_AUDIT_EVENTS {
        return Err(ApiError::bad_request(format!(
            "there are more than {} events: lower --audit-webhook-batch-max-size",
            limits::MAX_AUDIT_EVENTS
        )));
    }
    let count = events.len() as u64;
    let (judge, name) = (app.clone(), cluster.clone());
    let alerts: Vec<Alert> = run_blocking(move || {
        let judged = events
            .iter()
            .filter_map(|event| judge_audit(&judge.audit_rules, event, &name));
        judged.collect()
    })
    .await?;
    let now_ms = app.now_ms();
    let mut stored = 0;
    let mut alerts = alerts.into_iter().peekable();
    while alerts.peek().is_some() {
        let (batch, node) = (
            alerts.by_ref().take(limits::MAX_ALERTS_IN_BATCH).collect(),
            cluster.clone(),
        );
        let result = app.store(move |store| store.save_alerts(&node, batch, now_ms)).await?;
        stored += result.acknowledged.len() as u64;
        app.metrics.alerts_stored.inc_by(result.changed.len() as u64);
        app.metrics.alerts_rejected.inc_by(result.rejected.len() as u64);
        for alert in result.changed {
            // Nobody listens: nothing to tell.
            let _ = app.live.send(Arc::new(alert));
        }
    }
    Ok(Json(AuditResult {
        events: count,
        alerts: stored,
    }))
}
