//! Alerts for people: one line each on standard output, and below it, when asked, why.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use plimsoll_model::{Alert, Evidence, EvidenceSource, ExecutableOrigin, Reason};
use plimsoll_policy::{escape, phase_words};

use super::{Sink, SinkKind, SinkOptions};

/// See the module.
pub(super) struct Line;

impl SinkKind for Line {
    fn name(&self) -> &'static str {
        "line"
    }

    fn open(&self, options: &SinkOptions) -> io::Result<Box<dyn Sink>> {
        Ok(Box::new(Text {
            output: io::stdout(),
            explain: options.explain,
            updates: options.updates,
        }))
    }
}

struct Text<W> {
    output: W,
    explain: bool,
    updates: bool,
}

impl<W: Write + Send> Sink for Text<W> {
    fn alert(&mut self, alert: &Alert) -> io::Result<()> {
        let mut text = one_line(alert);
        text.push('\n');
        if self.explain {
            text.push_str(&explanation(alert));
        }
        self.output.write_all(text.as_bytes())?;
        self.output.flush()
    }

    fn changed(&mut self, alert: &Alert) -> io::Result<()> {
        if !self.updates {
            return Ok(());
        }
        let acts: Vec<&str> = alert.follow_ups.iter().map(|one| one.observed.as_str()).collect();
        let line = format!(
            "    {} so far {} events: {}\n",
            alert.id,
            alert.count,
            escape(&acts.join(" · "))
        );
        self.output.write_all(line.as_bytes())?;
        self.output.flush()
    }
}

/// `12:30:45.123 CRITICAL unexpected-exec victim (redis:1): redis-server started … while serving | expected: … | id`.
pub(crate) fn one_line(alert: &Alert) -> String {
    let place = match (&alert.container_name, &alert.image) {
        (Some(name), Some(image)) => format!("{} ({})", escape(name), escape(&image.reference)),
        (Some(name), None) => format!("{} (image unknown)", escape(name)),
        (None, _) => format!("host {}", escape(&alert.node)),
    };
    let mut line = format!(
        "{} {} {} {place}: {}",
        clock(alert.time_ns),
        alert.priority.to_uppercase(),
        escape(&alert.rule),
        escape(&alert.summary)
    );
    if let Some(expected) = alert.expected.first() {
        let more = match alert.expected.len() {
            1 => String::new(),
            count => format!(" and {} more", count - 1),
        };
        let _ = write!(line, " | expected: {}{more}", escape(&expected.text));
    }
    let origin = alert.executable.as_ref();
    if let Some(package) = origin.and_then(|origin| origin.package.as_ref()) {
        let _ = write!(line, " | {}", escape(package));
    }
    if alert.lost_events > 0 {
        let _ = write!(line, " | {} events lost in the minute before", alert.lost_events);
    }
    let _ = write!(line, " | {}", alert.id);
    line
}

fn explanation(alert: &Alert) -> String {
    let mut rows: Vec<(&str, String)> = vec![("observed", alert.observed.clone())];
    rows.extend(alert.phase.map(|phase| ("phase", phase_words(phase).to_owned())));
    rows.extend(chain(alert).map(|chain| ("process", chain)));
    let expected = alert.expected.iter();
    rows.extend(expected.map(|fact| ("expected", format!("{} ({})", fact.text, evidence(&fact.evidence)))));
    alert
        .reasons
        .iter()
        .for_each(|reason| explain_reason(reason, &mut rows));
    if let Some(image) = &alert.image {
        let digest = image.manifest_digest.or(image.config_digest);
        let digest = digest.map_or(String::new(), |digest| digest.to_string());
        rows.push(("image", format!("{} {digest}", image.reference)));
    }
    if let Some(origin) = &alert.executable {
        explain_origin(origin, &mut rows);
    }
    if !alert.techniques.is_empty() {
        rows.push(("ATT&CK", alert.techniques.join(" ")));
    }
    let allow = alert.allow.as_ref().and_then(|allow| serde_json::to_string(allow).ok());
    rows.extend(allow.map(|allow| ("to allow", allow)));
    let mut text = String::new();
    for (name, value) in rows {
        let _ = writeln!(text, "    {name:<10} {}", escape(&value));
    }
    text
}

fn explain_reason(reason: &Reason, rows: &mut Vec<(&str, String)>) {
    match reason {
        Reason::Deviation {
            kind,
            explanation,
            evidence: why,
            confidence,
            ..
        } => {
            let why = evidence(why);
            rows.push((
                "because",
                format!("{explanation} [{kind}, confidence {confidence:?}; {why}]"),
            ));
        }
        Reason::Rule {
            name,
            condition,
            values,
            ..
        } => {
            rows.push(("rule", format!("{name}: {}", one_space(condition))));
            let saw: Vec<String> = values
                .iter()
                .map(|value| format!("{}={}", value.field, value.value.as_deref().unwrap_or("<NA>")))
                .collect();
            rows.push(("saw", saw.join(" ")));
        }
    }
}

fn explain_origin(origin: &ExecutableOrigin, rows: &mut Vec<(&str, String)>) {
    let from = match (origin.is_in_image, origin.is_modified) {
        (true, false) => "from the image",
        (true, true) => "changed since the image was made",
        (false, _) => "not in the image",
    };
    let package = origin
        .package
        .as_deref()
        .map_or(String::new(), |package| format!(", package {package}"));
    let layer = origin
        .layer_created_by
        .as_deref()
        .map_or(String::new(), |by| format!(", layer `{}`", one_space(by)));
    rows.push(("file", format!("{} {from}{package}{layer}", origin.path)));
    if origin.vulnerability_count > 0 {
        let known = if origin.known_exploited {
            ", known to be exploited"
        } else {
            ""
        };
        let ids: Vec<&str> = origin.vulnerabilities.iter().map(|(id, _)| id.as_str()).collect();
        rows.push((
            "flaws",
            format!("{}{known}: {}", origin.vulnerability_count, ids.join(" ")),
        ));
    }
}

fn chain(alert: &Alert) -> Option<String> {
    let own = alert.process.as_ref()?;
    let own = format!("{} (pid {}, uid {})", own.exe, own.pid, own.euid);
    let ancestors = alert.ancestry.iter().take(6);
    Some(ancestors.fold(own, |text, process| text + " ← " + &process.exe))
}

fn evidence(list: &[Evidence]) -> String {
    let words: Vec<String> = list
        .iter()
        .map(|one| {
            let source = match one.source {
                EvidenceSource::Image => "image",
                EvidenceSource::Pack => "pack",
                EvidenceSource::Pod => "pod",
                EvidenceSource::Observed => "observed",
                EvidenceSource::User => "user",
            };
            format!("{source}: {}", one.detail)
        })
        .collect();
    words.join("; ")
}

fn one_space(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Time of day in UTC.
fn clock(time_ns: u64) -> String {
    let seconds = time_ns / 1_000_000_000;
    let (hours, minutes) = (seconds / 3600 % 24, seconds / 60 % 60);
    format!(
        "{hours:02}:{minutes:02}:{:02}.{:03}Z",
        seconds % 60,
        time_ns / 1_000_000 % 1000
    )
}

#[cfg(test)]
mod tests;
