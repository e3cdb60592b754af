//! A reading in, the text that Prometheus reads out
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>).
//!
//! Written by hand: everything is counted elsewhere already, and the client library would have to be told each number again.

use std::fmt::{Display, Write as _};

use super::Reading;

/// Content type of [`text`].
pub(super) const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All families.
pub(super) fn text(reading: &Reading) -> String {
    let mut page = Page(String::new());
    page.events(reading);
    page.alerts(reading);
    page.state(reading);
    page.cost(reading);
    page.0
}

struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(
            self.0,
            "# HELP plimsoll_agent_{name} {help}\n# TYPE plimsoll_agent_{name} {kind}"
        );
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let _ = write!(self.0, "plimsoll_agent_{name}");
        for (position, (label, text)) in labels.iter().enumerate() {
            let separator = if position == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{separator}{label}=\"{}\"", escape(text));
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{end} {value}");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    fn events(&mut self, reading: &Reading) {
        self.family("events_total", "counter", "Events judged, by kind.");
        for kind in &reading.kinds {
            self.sample("events_total", &[("kind", &kind.name)], kind.count);
        }
        self.family("sensor_info", "gauge", "Attached sensors and their mechanisms.");
        for (sensor, mechanism) in &reading.sensors {
            self.sample("sensor_info", &[("sensor", sensor), ("mechanism", mechanism)], 1);
        }
        self.family(
            "lost_total",
            "counter",
            "Events, or alerts, that were lost, by place and kind of record.",
        );
        for place in ["kernel", "queue", "decode", "outlet"] {
            // A series that is there before the first loss can be alerted on.
            if !reading.losses.iter().any(|loss| loss.place == place) {
                self.sample("lost_total", &[("place", place), ("kind", "")], 0);
            }
        }
        for loss in &reading.losses {
            self.sample(
                "lost_total",
                &[("place", &loss.place), ("kind", &loss.kind)],
                loss.count,
            );
        }
    }

    fn alerts(&mut self, reading: &Reading) {
        self.family(
            "alerts_total",
            "counter",
            "Alerts told, by the rule or deviation that names them.",
        );
        for title in &reading.titles {
            self.sample("alerts_total", &[("title", &title.name)], title.count);
        }
        self.one(
            "followed_total",
            "counter",
            "Events that became part of an alert that had been told.",
            reading.followed,
        );
        self.family(
            "rule_matches_total",
            "counter",
            "Times that the condition of a rule held.",
        );
        for rule in &reading.rules {
            self.sample("rule_matches_total", &[("rule", &rule.name)], rule.count);
        }
        self.family(
            "output_records",
            "gauge",
            "Records that an output has yet to send: its lag.",
        );
        for output in &reading.outputs {
            self.sample("output_records", &[("output", &output.name)], output.waiting);
        }
        self.family(
            "output_records_total",
            "counter",
            "Records of an output, by what became of them.",
        );
        for output in &reading.outputs {
            for (fate, count) in [
                ("delivered", output.delivered),
                ("refused", output.refused),
                ("lost", output.lost),
            ] {
                self.sample(
                    "output_records_total",
                    &[("output", &output.name), ("fate", fate)],
                    count,
                );
            }
        }
        self.one(
            "spool_bytes",
            "gauge",
            "Bytes that the spool takes on disk.",
            reading.spool_bytes,
        );
    }

    fn state(&mut self, reading: &Reading) {
        self.family("queue_depth", "gauge", "What waits between two threads.");
        for queue in &reading.queues {
            self.sample("queue_depth", &[("queue", &queue.name)], queue.depth);
        }
        self.family("queue_limit", "gauge", "What may wait there at most.");
        for queue in &reading.queues {
            self.sample("queue_limit", &[("queue", &queue.name)], queue.limit);
        }
        self.one("processes", "gauge", "Processes that are tracked.", reading.processes);
        self.one("containers", "gauge", "Containers with processes.", reading.containers);
        self.one(
            "identity_waiting_events",
            "gauge",
            "Events that wait for the identity of their cgroup.",
            reading.waiting,
        );
        self.one(
            "identity_waits_total",
            "counter",
            "Events that waited for the identity of their cgroup.",
            reading.waited,
        );
        self.one(
            "identity_timeouts_total",
            "counter",
            "Cgroups whose identity did not come in time.",
            reading.timed_out,
        );
        self.one(
            "untracked_processes_total",
            "counter",
            "Processes that the full tree did not take.",
            reading.untracked_processes,
        );
        self.one(
            "forgotten_total",
            "counter",
            "Cgroups and ended containers that were forgotten because there were too many.",
            reading.forgotten,
        );
    }

    fn cost(&mut self, reading: &Reading) {
        self.family(
            "cpu_seconds_total",
            "counter",
            "Processor time of the agent, user and system, by thread.",
        );
        for thread in &reading.threads {
            self.sample("cpu_seconds_total", &[("thread", &thread.name)], thread.cpu_seconds);
        }
        self.one(
            "resident_bytes",
            "gauge",
            "Resident memory of the agent.",
            reading.resident_bytes,
        );
        self.one(
            "resident_peak_bytes",
            "gauge",
            "The most that it was.",
            reading.peak_bytes,
        );
        self.one(
            "up_seconds",
            "gauge",
            "Seconds since the agent was ready.",
            reading.up_seconds,
        );
    }
}

/// Backslash, quote and line feed, as the format says; other control characters would break whoever shows them.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' => escaped.push_str("\\\\"),
            '"' => escaped.push_str("\\\""),
            '\n' => escaped.push_str("\\n"),
            other if other.is_control() => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::{Counted, Loss};

    #[test]
    fn hostile_names_stay_within_their_quotes() {
        let reading = Reading {
            rules: vec![Counted {
                name: "a\"} 1\nplimsoll_agent_x 2\\\u{1b}".to_owned(),
                count: 3,
            }],
            losses: vec![Loss {
                place: "kernel".to_owned(),
                kind: "open".to_owned(),
                count: 4,
            }],
            ..Reading::default()
        };
        let text = text(&reading);
        let has = |wanted: &str| text.lines().any(|line| line == wanted);
        assert!(
            has("plimsoll_agent_rule_matches_total{rule=\"a\\\"} 1\\nplimsoll_agent_x 2\\\\\u{fffd}\"} 3"),
            "{text}"
        );
        assert!(
            has("plimsoll_agent_lost_total{place=\"kernel\",kind=\"open\"} 4"),
            "{text}"
        );
        assert!(has("plimsoll_agent_lost_total{place=\"queue\",kind=\"\"} 0"), "{text}");
        assert!(has("plimsoll_agent_processes 0"), "{text}");
    }
}
