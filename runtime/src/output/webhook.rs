//! Alerts to any HTTP receiver, one POST each, in the JSON shape of Falco's `http_output`, which many receivers read.

use std::time::{Duration, Instant};

use plimsoll_model::{Alert, Reason};
use reqwest::{Client, StatusCode, Url};
use serde_json::{Map, Value, json};

use super::{
    Context, Output, OutputError, OutputKind, Record, Sent, Task,
    http::{client, is_loopback, parse_url, reason},
    read_secret,
};
use crate::limits::MAX_REFUSALS;

const NAME: &str = "webhook";
/// Alerts read at once; each is a request of its own.
const BATCH: usize = 32;

/// See the module.
pub(super) struct Webhook;

impl OutputKind for Webhook {
    fn name(&self) -> &'static str {
        NAME
    }

    fn open(&self, context: &Context<'_>) -> Result<Option<Box<dyn Output>>, OutputError> {
        let Some(text) = &context.options.webhook else {
            return Ok(None);
        };
        let url = parse_url(NAME, &read_secret(text)?)?;
        if url.scheme() == "http" && !is_loopback(&url) {
            context
                .notices
                .say("output webhook: alerts leave this machine unencrypted (http)".to_owned());
        }
        Ok(Some(Box::new(Hook {
            client: client(NAME, &url, None, context.options.pace)?,
            url,
            updates: context.options.updates,
            patience: context.options.pace.request,
            refused: (0, 0),
        })))
    }
}

struct Hook {
    client: Client,
    url: Url,
    updates: bool,
    /// No request is begun after so long; with the last one a batch takes twice that at most.
    patience: Duration,
    /// The record that was refused last, and how often in a row.
    refused: (u64, u32),
}

impl Output for Hook {
    fn batch_records(&self) -> usize {
        BATCH
    }

    fn wants_changes(&self) -> bool {
        self.updates
    }

    fn send<'a>(&'a mut self, batch: &'a [Record]) -> Task<'a, Result<Sent, String>> {
        Box::pin(async move {
            let mut sent = Sent::default();
            let began = Instant::now();
            for record in batch {
                // A receiver that takes its time is slow, not silent: what it has is settled before the batch is given up.
                if began.elapsed() >= self.patience {
                    break;
                }
                match self.post(record).await {
                    Ok(()) => sent.taken.push(record.number),
                    Err(Refusal { reason, is_final: true }) => sent.refused.push((record.number, reason)),
                    Err(Refusal { reason, .. }) => {
                        sent.error = Some(reason);
                        break;
                    }
                }
            }
            Ok(sent)
        })
    }
}

struct Refusal {
    reason: String,
    is_final: bool,
}

impl Hook {
    async fn post(&mut self, record: &Record) -> Result<(), Refusal> {
        let again = |reason| Refusal {
            reason,
            is_final: false,
        };
        let alert = record.alert().map_err(|reason| Refusal { reason, is_final: true })?;
        let response = self
            .client
            .post(self.url.clone())
            .json(&falco_shape(&alert))
            .send()
            .await
            .map_err(|error| again(reason(error)))?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let text = format!("it answers {status}");
        if !is_about_content(status) {
            return Err(again(text));
        }
        self.refused = match self.refused {
            (number, times) if number == record.number => (number, times + 1),
            _ => (record.number, 1),
        };
        Err(Refusal {
            reason: text,
            is_final: self.refused.1 >= MAX_REFUSALS,
        })
    }
}

/// Answers that speak about this alert and not about the receiver's state. They may still come from a proxy that is not
/// set up yet, so they are believed only after some tries.
fn is_about_content(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY
    )
}

/// An alert as Falco would have sent it; fields that Falco does not have begin with `plimsoll.`.
pub(super) fn falco_shape(alert: &Alert) -> Value {
    let time = i128::from(alert.time_ns);
    let time = jiff::Timestamp::from_nanosecond(time).map_or_else(|_| String::new(), |time| format!("{time:.9}"));
    let clock = time.get(11..29).unwrap_or_default();
    let priority = capitalised(&alert.priority);
    json!({
        "hostname": alert.node,
        "output": format!("{clock}: {priority} {}", alert.summary),
        "output_fields": fields(alert),
        "priority": priority,
        "rule": alert.rule,
        "source": "syscall",
        "tags": tags(alert),
        "time": time,
    })
}

fn fields(alert: &Alert) -> Map<String, Value> {
    let mut fields = Map::new();
    let mut set = |name: &str, value: Value| {
        if !value.is_null() {
            fields.insert(name.to_owned(), value);
        }
    };
    for reason in &alert.reasons {
        if let Reason::Rule { values, .. } = reason {
            values.iter().for_each(|one| set(&one.field, json!(one.value)));
        }
    }
    let (repository, tag) = alert
        .image
        .as_ref()
        .map_or((None, None), |image| split_reference(&image.reference));
    set("evt.time", json!(alert.time_ns));
    set("container.id", json!(alert.container_id.as_deref().unwrap_or("host")));
    set(
        "container.name",
        json!(alert.container_name.as_deref().unwrap_or("host")),
    );
    set("container.image.repository", json!(repository));
    set("container.image.tag", json!(tag));
    set("k8s.ns.name", json!(alert.pod.as_ref().map(|pod| &pod.namespace)));
    set("k8s.pod.name", json!(alert.pod.as_ref().map(|pod| &pod.name)));
    if let Some(process) = &alert.process {
        set("proc.exepath", json!(process.exe));
        set("proc.cmdline", json!(process.command_line));
        set("proc.pid", json!(process.pid));
        set("user.uid", json!(process.euid));
    }
    set("plimsoll.id", json!(alert.id));
    set("plimsoll.count", json!(alert.count));
    set("plimsoll.observed", json!(alert.observed));
    set("plimsoll.phase", json!(alert.phase));
    set(
        "plimsoll.expected",
        json!(alert.expected.first().map(|fact| &fact.text)),
    );
    let package = alert.executable.as_ref().and_then(|origin| origin.package.as_ref());
    set("plimsoll.package", json!(package));
    fields
}

/// Tags of the rules, and techniques as Falco writes them.
fn tags(alert: &Alert) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for reason in &alert.reasons {
        if let Reason::Rule { tags: own, .. } = reason {
            tags.extend(own.iter().cloned());
        }
    }
    tags.extend(alert.techniques.iter().cloned());
    tags.sort();
    tags.dedup();
    tags
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Repository and tag of a reference; a digest is neither.
fn split_reference(reference: &str) -> (Option<&str>, Option<&str>) {
    let name = reference.split('@').next().unwrap_or_default();
    match name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
        Some((repository, tag)) => (Some(repository), Some(tag)),
        None => (Some(name), None),
    }
}

#[cfg(test)]
mod tests;
