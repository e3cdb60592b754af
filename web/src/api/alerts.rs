//! Alerts: listed, grouped, opened, acknowledged.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    answer::{Answer, ApiError, Body, ErrorBody, PageOf, Parameters, check_text},
    api::page_of,
    app::App,
    caller::{Address, UserCaller},
    limits,
    route::{Access, Route, Verb, handler},
    store::{
        Acknowledgement, AlertFilter, AlertGroup, AlertRecord, AlertSelection, AlertSummary, ImageSummary, Role,
        priority_rank,
    },
};

crate::api::resource!("alerts", ROUTES, [list, list_groups, show, acknowledge, reopen]);

const ROUTES: &[Route] = &[
    Route::get("/alerts", Access::Role(Role::Viewer), || handler(Verb::Get, list)),
    Route::get("/alert-groups", Access::Role(Role::Viewer), || {
        handler(Verb::Get, list_groups)
    }),
    Route::get("/alerts/{id}", Access::Role(Role::Viewer), || handler(Verb::Get, show)),
    Route::post("/alerts/acknowledge", Access::Role(Role::Operator), || {
        handler(Verb::Post, acknowledge)
    }),
    Route::post("/alerts/{id}/reopen", Access::Role(Role::Operator), || {
        handler(Verb::Post, reopen)
    }),
];

/// Which alerts, and which page of them.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AlertQuery {
    /// At least so urgent: `warning` gives warning, error, critical, alert and emergency.
    priority: Option<String>,
    /// Exact rule or deviation.
    rule: Option<String>,
    /// Part of the image reference, or a digest.
    image: Option<String>,
    /// Exact node.
    node: Option<String>,
    /// Exact namespace.
    namespace: Option<String>,
    /// Exact container id.
    container: Option<String>,
    /// Only acknowledged ones (`true`) or only others (`false`).
    acknowledged: Option<bool>,
    /// Part of summary, observation, command line, container name or rule.
    text: Option<String>,
    /// Key of a group.
    group: Option<String>,
    /// Not before, milliseconds since the Unix epoch.
    from_ms: Option<i64>,
    /// Before, milliseconds since the Unix epoch.
    to_ms: Option<i64>,
    /// From the page before.
    cursor: Option<String>,
    /// Rows, 1 to 500; 50 when left out.
    limit: Option<u32>,
}

impl AlertQuery {
    fn into_filter(self) -> Result<AlertFilter, ApiError> {
        if self
            .priority
            .as_deref()
            .is_some_and(|name| priority_rank(name).is_none())
        {
            return Err(ApiError::bad_request("`priority` is not a priority"));
        }
        Ok(AlertFilter {
            priority: self.priority,
            rule: self.rule,
            image: self.image,
            node: self.node,
            namespace: self.namespace,
            container: self.container,
            acknowledged: self.acknowledged,
            text: self.text,
            group: self.group,
            from_ms: self.from_ms,
            to_ms: self.to_ms,
        })
    }
}

/// One alert and what is known of its image.
#[derive(Serialize, ToSchema)]
struct AlertDetail {
    /// As in lists.
    summary: AlertSummary,
    /// The document, schema `plimsoll.alert/v1`: expected against observed, ancestry, executable, reasons.
    #[schema(value_type = Object)]
    alert: serde_json::Value,
    /// The image, when it was scanned.
    image: Option<ImageSummary>,
}

/// Which alerts to acknowledge: either `ids`, or `group` with `until_ms`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AcknowledgeAlerts {
    /// At most 500 ids.
    #[serde(default)]
    ids: Vec<String>,
    /// Key of a group.
    #[serde(default)]
    group: Option<String>,
    /// The newest alert of the group that counts: its `last_ms` when the person looked.
    #[serde(default)]
    until_ms: Option<i64>,
    /// What to remember; may be empty.
    #[serde(default)]
    comment: String,
}

/// How many alerts changed.
#[derive(Serialize, ToSchema)]
struct Acknowledged {
    /// Alerts that were open and are not any more.
    count: u64,
}

/// Alerts, newest first.
#[utoipa::path(get, path = "/alerts", params(AlertQuery), responses((status = 200, body = PageOf<AlertSummary>)))]
async fn list(State(app): State<App>, Parameters(mut query): Parameters<AlertQuery>) -> Answer<PageOf<AlertSummary>> {
    let page = page_of(query.cursor.take(), query.limit)?;
    let filter = query.into_filter()?;
    Ok(Json(
        app.store(move |store| store.list_alerts(&filter, &page)).await?.into(),
    ))
}

/// Alerts of the same rule, image, namespace and executable as one row.
#[utoipa::path(get, path = "/alert-groups", params(AlertQuery), responses((status = 200, body = PageOf<AlertGroup>)))]
async fn list_groups(
    State(app): State<App>,
    Parameters(mut query): Parameters<AlertQuery>,
) -> Answer<PageOf<AlertGroup>> {
    let page = page_of(query.cursor.take(), query.limit)?;
    let filter = query.into_filter()?;
    Ok(Json(
        app.store(move |store| store.list_alert_groups(&filter, &page))
            .await?
            .into(),
    ))
}

/// One alert with all that it says.
#[utoipa::path(get, path = "/alerts/{id}", params(("id" = String, Path, description = "Alert id")), responses(
    (status = 200, body = AlertDetail), (status = 404, body = ErrorBody)))]
async fn show(State(app): State<App>, Path(id): Path<String>) -> Answer<AlertDetail> {
    let found = app.store(move |store| {
        let Some(AlertRecord { summary, alert }) = store.find_alert(&id)? else {
            return Ok(None);
        };
        let image = match summary.config_digest.as_deref().map(str::parse) {
            Some(Ok(digest)) => store.find_image(&digest)?,
            _ => None,
        };
        Ok(Some(AlertDetail { summary, alert, image }))
    });
    found.await?.map(Json).ok_or_else(|| ApiError::not_found("alert"))
}

/// Say that somebody has seen to alerts.
#[utoipa::path(post, path = "/alerts/acknowledge", request_body = AcknowledgeAlerts, responses(
    (status = 200, body = Acknowledged), (status = 400, body = ErrorBody)))]
async fn acknowledge(
    State(app): State<App>,
    from: Address,
    caller: UserCaller,
    Body(input): Body<AcknowledgeAlerts>,
) -> Answer<Acknowledged> {
    if !input.comment.is_empty() {
        check_text("comment", &input.comment, limits::MAX_COMMENT_BYTES)?;
    }
    if input.ids.len() > limits::MAX_PAGE_ROWS as usize {
        return Err(ApiError::bad_request(format!(
            "`ids` has more than {} entries",
            limits::MAX_PAGE_ROWS
        )));
    }
    let mut entry = caller.audit(&from, "acknowledge", String::new());
    entry.detail.clone_from(&input.comment);
    let selection = match (input.ids.is_empty(), input.group, input.until_ms) {
        (false, None, None) => {
            entry.subject = format!("{} alerts: {}", input.ids.len(), input.ids[0]);
            AlertSelection::Ids(input.ids)
        }
        (true, Some(key), Some(until_ms)) => {
            entry.subject = format!("group {key}");
            AlertSelection::Group { key, until_ms }
        }
        _ => return Err(ApiError::bad_request("give either `ids`, or `group` and `until_ms`")),
    };
    let acknowledgement = Acknowledgement {
        by: caller.user.name.clone(),
        at_ms: app.now_ms(),
        comment: input.comment,
    };
    let count = app
        .store(move |store| store.acknowledge_alerts(&selection, &acknowledgement))
        .await?;
    app.audit(entry).await?;
    Ok(Json(Acknowledged { count }))
}

/// Take an acknowledgement back.
#[utoipa::path(post, path = "/alerts/{id}/reopen", params(("id" = String, Path, description = "Alert id")), responses(
    (status = 204), (status = 404, body = ErrorBody)))]
async fn reopen(
    State(app): State<App>,
    from: Address,
    caller: UserCaller,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let entry = caller.audit(&from, "reopen", id.clone());
    if !app.store(move |store| store.reopen_alert(&id)).await? {
        return Err(ApiError::not_found("acknowledged alert"));
    }
    app.audit(entry).await?;
    Ok(StatusCode::NO_CONTENT)
}
