//! The webhook: bytes in, an answer or a clean refusal out, within a time.

use std::time::{Duration, Instant};

use axum::{
    Json,
    body::Bytes,
    extract::{DefaultBodyLimit, State, rejection::BytesRejection},
    response::{IntoResponse, Response},
    routing::{MethodRouter, post},
};

use super::{decide::Outcome, review};
use crate::{
    answer::{ApiError, refuse_body},
    app::App,
    limits,
    metrics::DecisionLabel,
};

/// The webhook's route. It has no log-in: an API server proves nothing by default, so what it can do is limited to asking.
pub(crate) fn route() -> MethodRouter<App> {
    post(answer).layer(DefaultBodyLimit::max(limits::MAX_REVIEW_BYTES))
}

/// Anything but 200 makes the API server apply the webhook's `failurePolicy`.
async fn answer(State(app): State<App>, body: Result<Bytes, BytesRejection>) -> Result<Response, ApiError> {
    let started = Instant::now();
    let count = |decision| app.metrics.reviews.get_or_create(&DecisionLabel { decision }).inc();
    let body = body.map_err(|error| {
        count("malformed");
        refuse_body(&error)
    })?;
    let work = async {
        let _slot = app.review_slots.acquire().await;
        decide(&app, body).await
    };
    let timeout = Duration::from_millis(limits::REVIEW_TIMEOUT_MS);
    let outcome = match tokio::time::timeout(timeout, work).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => {
            count("malformed");
            return Err(error);
        }
        Err(_) => {
            count("timed_out");
            return Err(ApiError::unavailable("the review took too long"));
        }
    };
    count(outcome.word);
    app.metrics.review_seconds.observe(started.elapsed().as_secs_f64());
    Ok(Json(outcome.answer).into_response())
}

async fn decide(app: &App, body: Bytes) -> Result<Outcome, ApiError> {
    let request = review::parse(&body).map_err(ApiError::bad_request)?;
    drop(body);
    let (now_ms, decider) = (app.now_ms(), app.clone());
    let is_dry_run = request.dry_run == Some(true);
    let outcome = app
        .store(move |store| decider.admission.decide(store, &request, now_ms))
        .await?;
    if !is_dry_run {
        remember(app, &outcome, now_ms).await;
    }
    Ok(outcome)
}

/// The decision stands whether or not it can be written down.
async fn remember(app: &App, outcome: &Outcome, now_ms: i64) {
    let (record, queue) = (outcome.record.clone(), outcome.queue.clone());
    let rings = !queue.is_empty();
    let saved = app.store(move |store| {
        if let Some(record) = record {
            store.save_admission(&record, now_ms)?;
        }
        for reference in queue {
            store.add_scan_request(&reference, "admission", now_ms)?;
        }
        Ok(())
    });
    if let Err(error) = saved.await {
        tracing::error!(%error, "an admission decision is not recorded");
    }
    if rings {
        app.scan_queued.notify_one();
    }
}
