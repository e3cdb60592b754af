//! All paths in one router, with what every answer carries: security headers, a time limit, a count.

use std::time::Duration;

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use tower_http::timeout::TimeoutLayer;

use crate::{
    admission, api,
    app::App,
    assets, limits,
    metrics::{NounLabel, StatusLabel},
    route,
};

/// Everything: API, dashboard, admission webhook, probes.
pub(crate) fn whole(app: &App) -> Router {
    let mut router = Router::new();
    for entry in api::routes() {
        router = route::add(router, app, entry);
    }
    finish(router.fallback(assets::serve), app)
}

/// Admission webhook and probes alone.
pub(crate) fn admission_only(app: &App) -> Router {
    finish(Router::new(), app)
}

fn finish(router: Router<App>, app: &App) -> Router {
    let timeout = Duration::from_millis(limits::REQUEST_TIMEOUT_MS);
    router
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route(admission::PATH, admission::route())
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, timeout))
        .layer(middleware::from_fn_with_state(app.clone(), dress))
        .with_state(app.clone())
}

/// The store answers.
async fn ready(State(app): State<App>) -> Response {
    match app.store(|store| store.check()).await {
        Ok(()) => "ready\n".into_response(),
        Err(error) => {
            tracing::error!(%error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n").into_response()
        }
    }
}

/// Prometheus' text format. Label values are ours alone, so it tells numbers and no names.
async fn metrics(State(app): State<App>) -> Response {
    let now_ms = app.now_ms();
    let counted = app.store(move |store| {
        let (alerts, open_alerts) = store.count_alerts()?;
        let agents: Vec<_> = store
            .list_agents()?
            .into_iter()
            .filter(|agent| agent.revoked_ms.is_none())
            .collect();
        let is_silent = |seen_ms: Option<i64>| seen_ms.is_none_or(|seen_ms| now_ms - seen_ms > limits::AGENT_SILENT_MS);
        let silent = agents.iter().filter(|agent| is_silent(agent.last_seen_ms)).count();
        Ok([
            ("images", store.count_images()?),
            ("alerts", alerts),
            ("open_alerts", open_alerts),
            ("agents", agents.len() as u64),
            ("silent_agents", silent as u64),
        ])
    });
    match counted.await {
        Ok(counts) => {
            for (noun, count) in counts {
                app.metrics.stored.get_or_create(&NounLabel { noun }).set(count);
            }
        }
        Err(error) => tracing::error!(%error, "metrics without stored counts"),
    }
    (
        [(header::CONTENT_TYPE, crate::metrics::MEDIA_TYPE)],
        app.metrics.encode(),
    )
        .into_response()
}

/// No inline script or style, no other origin, no frame: a hostile name that slips through escaping still does nothing.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

async fn dress(State(app): State<App>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let status = match response.status().as_u16() {
        ..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    };
    app.metrics.requests.get_or_create(&StatusLabel { status }).inc();
    add_headers(response.headers_mut(), app.is_tls);
    response
}

fn add_headers(headers: &mut HeaderMap, is_tls: bool) {
    let mut set = |name: HeaderName, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    set(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(header::REFERRER_POLICY, "no-referrer");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    set(
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    );
    if is_tls {
        set(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}
