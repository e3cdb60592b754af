//! The first screen: alerts over time, top rules, nodes, and what nobody can see.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    answer::{Answer, ApiError, Parameters},
    app::App,
    error::Result,
    limits,
    route::{Access, Route, Verb, handler},
    store::{Agent, ImageFilter, NodeCount, Page, Role, RuleCount, Store, TimeBucket},
};

crate::api::resource!("overview", ROUTES, [overview]);

const ROUTES: &[Route] = &[Route::get("/overview", Access::Role(Role::Viewer), || {
    handler(Verb::Get, overview)
})];

/// Which stretch of time.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct OverviewQuery {
    /// Start, milliseconds since the Unix epoch; 24 hours before the end when left out.
    from_ms: Option<i64>,
    /// End, milliseconds since the Unix epoch; now when left out.
    to_ms: Option<i64>,
}

/// What the first screen shows.
#[derive(Serialize, ToSchema)]
struct Overview {
    /// Start of the stretch, milliseconds since the Unix epoch.
    from_ms: i64,
    /// End, milliseconds since the Unix epoch.
    to_ms: i64,
    /// Length of a bucket, milliseconds.
    bucket_ms: i64,
    /// Alerts per bucket and priority; empty buckets are left out.
    over_time: Vec<TimeBucket>,
    /// The ten rules with most alerts.
    rules: Vec<RuleCount>,
    /// The fifty nodes with most alerts.
    nodes: Vec<NodeCount>,
    /// What nobody can see, worst first.
    blind_spots: Vec<OverviewBlindSpot>,
    /// Alerts stored in all.
    alert_count: u64,
    /// Alerts that nobody has acknowledged.
    open_alert_count: u64,
    /// Images scanned.
    image_count: u64,
    /// Images with a known exploited vulnerability, counted up to 500.
    exploited_image_count: u64,
    /// Agents that work.
    agent_count: u64,
}

/// Something that Plimsoll does not see, and what to do about it.
#[derive(Serialize, ToSchema)]
struct OverviewBlindSpot {
    /// `agent-silent`, `agent-never-reported`, `events-lost`, `sensor`, `image-not-scanned`, `no-agents`, `no-images`.
    kind: &'static str,
    /// Which node, image or sensor. Hostile text.
    subject: String,
    /// Why it is blind, in one sentence.
    reason: String,
    /// What to do, in one sentence.
    advice: &'static str,
}

/// What the first screen shows.
#[utoipa::path(get, path = "/overview", params(OverviewQuery), responses((status = 200, body = Overview)))]
async fn overview(State(app): State<App>, Parameters(query): Parameters<OverviewQuery>) -> Answer<Overview> {
    let now_ms = app.now_ms();
    let to_ms = query.to_ms.unwrap_or(now_ms);
    let from_ms = query.from_ms.unwrap_or(to_ms.saturating_sub(24 * 3_600_000));
    if from_ms < 0 || to_ms <= from_ms {
        return Err(ApiError::bad_request("`from_ms` is not before `to_ms`"));
    }
    Ok(Json(app.store(move |store| look(store, from_ms, to_ms, now_ms)).await?))
}

fn look(store: &dyn Store, from_ms: i64, to_ms: i64, now_ms: i64) -> Result<Overview> {
    let bucket_ms = bucket_length(to_ms - from_ms);
    let (alert_count, open_alert_count) = store.count_alerts()?;
    let exploited = ImageFilter {
        known_exploited: Some(true),
        ..ImageFilter::default()
    };
    let agents = store.list_agents()?;
    Ok(Overview {
        from_ms,
        to_ms,
        bucket_ms,
        over_time: store.count_over_time(from_ms, to_ms, bucket_ms)?,
        rules: store.count_by_rule(from_ms, to_ms, 10)?,
        nodes: store.count_by_node(from_ms, to_ms, 50)?,
        blind_spots: find_blind_spots(store, now_ms)?,
        alert_count,
        open_alert_count,
        image_count: store.count_images()?,
        exploited_image_count: store
            .list_images(&exploited, &Page::first(limits::MAX_PAGE_ROWS))?
            .rows
            .len() as u64,
        agent_count: agents.iter().filter(|agent| agent.revoked_ms.is_none()).count() as u64,
    })
}

/// The shortest round length that gives at most 120 buckets, and [`limits::MAX_TIME_BUCKETS`] in any case.
fn bucket_length(stretch_ms: i64) -> i64 {
    const ROUND_MS: [i64; 8] = [
        60_000,
        300_000,
        900_000,
        3_600_000,
        10_800_000,
        21_600_000,
        86_400_000,
        604_800_000,
    ];
    let fits = ROUND_MS.into_iter().find(|length| stretch_ms / length <= 120);
    fits.unwrap_or(stretch_ms / limits::MAX_TIME_BUCKETS + 1)
}

/// Most blind spots listed.
const MAX_BLIND_SPOTS: usize = 100;

fn find_blind_spots(store: &dyn Store, now_ms: i64) -> Result<Vec<OverviewBlindSpot>> {
    let mut agents = store.list_agents()?;
    agents.retain(|agent| agent.revoked_ms.is_none());
    let mut spots = Vec::new();
    if agents.is_empty() {
        let advice = "Make an enrolment token under Agents and start `plimsoll agent` with it.";
        spots.push(spot(
            "no-agents",
            "all nodes",
            "no agent is enrolled".to_owned(),
            advice,
        ));
    }
    if store.count_images()? == 0 {
        let advice = "Push one with `plimsoll scan IMAGE --server URL`.";
        spots.push(spot(
            "no-images",
            "all images",
            "no scan report is stored".to_owned(),
            advice,
        ));
    }
    spots.extend(agents.iter().filter_map(|agent| silence_of(agent, now_ms)));
    for agent in &agents {
        for loss in agent.losses.iter().filter(|loss| loss.count > 0) {
            let reason = format!("{} events lost since the agent started: {}", loss.count, loss.reason);
            spots.push(spot(
                "events-lost",
                &agent.node,
                reason,
                "Give the agent more buffer or fewer rules.",
            ));
        }
    }
    for image in store.list_unscanned_images(now_ms - 7 * 86_400_000, 20)? {
        let reason = "its containers run without a profile and a list of packages".to_owned();
        spots.push(spot(
            "image-not-scanned",
            &image,
            reason,
            "Scan it: `plimsoll scan IMAGE --server URL`.",
        ));
    }
    for agent in &agents {
        for blind in &agent.blind_spots {
            let reason = format!("{}: {}", blind.subject, blind.reason);
            spots.push(spot(
                "sensor",
                &agent.node,
                reason,
                "See `docs/agent.md` for what each kernel offers.",
            ));
        }
    }
    spots.truncate(MAX_BLIND_SPOTS);
    Ok(spots)
}

fn silence_of(agent: &Agent, now_ms: i64) -> Option<OverviewBlindSpot> {
    let Some(seen_ms) = agent.last_seen_ms else {
        let reason = "the agent enrolled and never reported".to_owned();
        return Some(spot(
            "agent-never-reported",
            &agent.node,
            reason,
            "Read the agent's log on this node.",
        ));
    };
    let silent_ms = now_ms - seen_ms;
    (silent_ms > limits::AGENT_SILENT_MS).then(|| {
        let reason = format!("the agent has been silent for {} minutes", silent_ms / 60_000);
        spot(
            "agent-silent",
            &agent.node,
            reason,
            "Check that the agent runs and reaches this server.",
        )
    })
}

fn spot(kind: &'static str, subject: &str, reason: String, advice: &'static str) -> OverviewBlindSpot {
    OverviewBlindSpot {
        kind,
        subject: subject.to_owned(),
        reason,
        advice,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_round_and_few() {
        for (stretch_ms, expected) in [(3_600_000, 60_000), (86_400_000, 900_000), (7 * 86_400_000, 10_800_000)] {
            assert_eq!(bucket_length(stretch_ms), expected, "{stretch_ms}");
        }
        assert!(i64::MAX / bucket_length(i64::MAX) <= limits::MAX_TIME_BUCKETS);
    }
}
