//! New alerts as they come, as server-sent events.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream;
use tokio::{
    sync::{OwnedSemaphorePermit, broadcast, broadcast::error::RecvError, watch},
    time::Instant,
};

use crate::{
    answer::{ApiError, ErrorBody},
    app::App,
    limits,
    route::{Access, Route, Verb, handler},
    store::{AlertSummary, Role},
};

crate::api::resource!("events", ROUTES, [listen]);

const ROUTES: &[Route] = &[Route::get("/events", Access::Role(Role::Viewer), || {
    handler(Verb::Get, listen)
})];

/// New and changed alerts as server-sent events: `alert` with an `AlertSummary`; `lagged` when some were left out and
/// the list should be read again. The stream ends after 15 minutes; connect again then.
#[utoipa::path(get, path = "/events", responses(
    (status = 200, content_type = "text/event-stream", body = AlertSummary), (status = 429, body = ErrorBody)))]
async fn listen(State(app): State<App>) -> Result<Response, ApiError> {
    let Ok(slot) = app.live_slots.clone().try_acquire_owned() else {
        return Err(ApiError::too_many("too many live streams are open", 60));
    };
    app.metrics.live_streams.inc();
    let listener = Listener {
        alerts: app.live.subscribe(),
        shutdown: app.shutdown.clone(),
        until: Instant::now() + Duration::from_millis(limits::LIVE_STREAM_MS),
        app,
        _slot: slot,
    };
    let events = stream::unfold(listener, |mut listener| async move {
        let event = listener.next().await?;
        Some((Ok::<_, Infallible>(event), listener))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

struct Listener {
    alerts: broadcast::Receiver<Arc<AlertSummary>>,
    shutdown: watch::Receiver<bool>,
    until: Instant,
    app: App,
    _slot: OwnedSemaphorePermit,
}

impl Listener {
    async fn next(&mut self) -> Option<Event> {
        tokio::select! {
            alert = self.alerts.recv() => match alert {
                Ok(alert) => Event::default().event("alert").id(alert.id.clone()).json_data(alert.as_ref()).ok(),
                Err(RecvError::Lagged(count)) => Some(Event::default().event("lagged").data(count.to_string())),
                Err(RecvError::Closed) => None,
            },
            _ = self.shutdown.wait_for(|ends| *ends) => None,
            () = tokio::time::sleep_until(self.until) => None,
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.app.metrics.live_streams.dec();
    }
}
