//! Counters for Prometheus: fixed label values only, so that nobody outside can add time series.

use std::{collections::HashSet, sync::atomic::AtomicU64};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

/// Content type of [`Metrics::encode`].
pub(crate) const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All counters, registered once.
pub(crate) struct Metrics {
    registry: Registry,
    /// Alerts that were new or changed.
    pub(crate) alerts_stored: Counter,
    /// Alerts that were known already.
    pub(crate) alerts_repeated: Counter,
    /// Alerts that were refused.
    pub(crate) alerts_rejected: Counter,
    /// Scan reports stored.
    pub(crate) scans_stored: Counter,
    /// Log-ins.
    pub(crate) logins: Family<ResultLabel, Counter>,
    /// Admission reviews answered.
    pub(crate) reviews: Family<DecisionLabel, Counter>,
    /// Time that they took.
    pub(crate) review_seconds: Histogram,
    /// Requests answered.
    pub(crate) requests: Family<StatusLabel, Counter>,
    /// Open live streams.
    pub(crate) live_streams: Gauge,
    /// Rows of the store, set when metrics are read.
    pub(crate) stored: Family<NounLabel, Gauge<u64, AtomicU64>>,
}

/// `ok`, `wrong`, `throttled`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ResultLabel {
    pub(crate) result: &'static str,
}

/// `allowed`, `warned`, `denied`, `malformed`, `timed_out`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct DecisionLabel {
    pub(crate) decision: &'static str,
}

/// `2xx`, `3xx`, `4xx`, `5xx`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct StatusLabel {
    pub(crate) status: &'static str,
}

/// `images`, `alerts`, `open_alerts`, `agents`, `silent_agents`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct NounLabel {
    pub(crate) noun: &'static str,
}

impl Metrics {
    /// Registers all of them.
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("plimsoll");
        let metrics = Self {
            alerts_stored: Counter::default(),
            alerts_repeated: Counter::default(),
            alerts_rejected: Counter::default(),
            scans_stored: Counter::default(),
            logins: Family::default(),
            reviews: Family::default(),
            // 0.25 ms to about 4 s.
            review_seconds: Histogram::new(exponential_buckets(0.000_25, 2.0, 15)),
            requests: Family::default(),
            live_streams: Gauge::default(),
            stored: Family::default(),
            registry: Registry::default(),
        };
        registry.register(
            "alerts_stored",
            "Alerts that were new or said more than before",
            metrics.alerts_stored.clone(),
        );
        registry.register(
            "alerts_repeated",
            "Alerts that were known already",
            metrics.alerts_repeated.clone(),
        );
        registry.register(
            "alerts_rejected",
            "Alerts that were refused",
            metrics.alerts_rejected.clone(),
        );
        registry.register(
            "scans_stored",
            "Scan reports that were stored",
            metrics.scans_stored.clone(),
        );
        registry.register("logins", "Attempts to log in", metrics.logins.clone());
        registry.register(
            "admission_reviews",
            "Admission reviews that were answered",
            metrics.reviews.clone(),
        );
        registry.register_with_unit(
            "admission_review_duration",
            "Time from a complete review to its answer",
            Unit::Seconds,
            metrics.review_seconds.clone(),
        );
        registry.register(
            "http_requests",
            "HTTP requests that were answered",
            metrics.requests.clone(),
        );
        registry.register(
            "live_streams",
            "Open streams of live events",
            metrics.live_streams.clone(),
        );
        registry.register("stored", "What the store holds", metrics.stored.clone());
        Self { registry, ..metrics }
    }

    /// The text that Prometheus reads.
    pub(crate) fn encode(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        to_prometheus_text(&text)
    }
}

/// The library writes OpenMetrics, where a counter's family lacks the `_total` of its samples. Every Prometheus and every
/// tool around it reads the older text format, where both are the same name:
/// <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>
fn to_prometheus_text(open_metrics: &str) -> String {
    let lines: Vec<&str> = open_metrics.lines().collect();
    let counters: HashSet<&str> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let mut text = String::with_capacity(open_metrics.len());
    for line in lines {
        if line == "# EOF" || line.starts_with("# UNIT ") {
            continue;
        }
        let mut words = line.splitn(4, ' ');
        let family = (words.next(), words.next(), words.next(), words.next());
        match family {
            (Some("#"), Some(word), Some(name), Some(rest)) if counters.contains(name) => {
                text.push_str(&format!("# {word} {name}_total {rest}"));
            }
            _ => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_named_as_their_samples() {
        let metrics = Metrics::new();
        metrics.alerts_stored.inc();
        metrics.logins.get_or_create(&ResultLabel { result: "ok" }).inc();
        let text = metrics.encode();
        for line in [
            "# TYPE plimsoll_alerts_stored_total counter",
            "plimsoll_alerts_stored_total 1",
            "plimsoll_logins_total{result=\"ok\"} 1",
            "# TYPE plimsoll_admission_review_duration_seconds histogram",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in {text}");
        }
        assert!(!text.contains("# EOF") && !text.contains("# UNIT"), "{text}");
    }
}
