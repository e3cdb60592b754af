//! Alerts to a Plimsoll server, in acknowledged batches; besides, this agent enrols there, says how it is, and fetches scan
//! reports of images that it has none of.

use std::{path::Path, sync::Arc};

use reqwest::{Method, StatusCode};
use serde::Deserialize;

use super::{
    Context, Output, OutputError, OutputKind, Record, Sent, Task,
    http::{client, is_loopback, parse_url, read_body},
    read_secret,
};
use crate::limits::MAX_REFUSALS;

mod heartbeat;
mod keeper;
mod link;
mod reports;

pub(crate) use reports::ReportDesk;

use link::Link;

const NAME: &str = "server";
/// The server takes 1000 alerts and 8 MiB at once; 24 of the longest alerts stay below that.
const BATCH: usize = 200;
const BATCH_BYTES: usize = 6 << 20;

/// See the module.
pub(super) struct Server;

impl OutputKind for Server {
    fn name(&self) -> &'static str {
        NAME
    }

    fn open(&self, context: &Context<'_>) -> Result<Option<Box<dyn Output>>, OutputError> {
        let Some(options) = &context.options.server else {
            return Ok(None);
        };
        let url = parse_url(NAME, &options.url)?;
        if url.scheme() == "http" && !is_loopback(&url) && !options.allow_plain {
            return Err(OutputError::Address {
                output: NAME,
                reason: "plain http to another machine would show this agent's token to the network".to_owned(),
            });
        }
        let state = &context.options.state;
        let token_path = state.join("server.token");
        let token = read_token(&token_path)?;
        let enrolment = options.enrolment_token.as_deref().map(read_secret).transpose()?;
        if token.is_none() && enrolment.is_none() {
            return Err(OutputError::NoToken {
                path: token_path.display().to_string(),
            });
        }
        let client = client(NAME, &url, options.ca.as_deref(), context.options.pace)?;
        let link = Link::new(client, url, token, context.options.pace.request);
        let keeper = keeper::Keeper {
            link: Arc::clone(&link),
            node: context.node.to_owned(),
            enrolment,
            token_path,
            pace: context.options.pace,
            vitals: context.vitals.clone(),
            notices: context.notices.clone(),
        };
        let fetcher = reports::Fetcher {
            link: Arc::clone(&link),
            desk: Arc::clone(&context.reports),
            pace: context.options.pace,
            notices: context.notices.clone(),
        };
        context.reports.open();
        Ok(Some(Box::new(Sender {
            link,
            background: vec![Box::pin(keeper.run()), Box::pin(fetcher.run())],
            batch_records: BATCH,
            refused: (0, 0),
        })))
    }
}

fn read_token(path: &Path) -> Result<Option<String>, OutputError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(OutputError::File {
            path: path.display().to_string(),
            source,
        }),
    }
}

struct Sender {
    link: Arc<Link>,
    background: Vec<Task<'static, ()>>,
    /// Halves while the server refuses whole batches, until the one record is found that it does not like.
    batch_records: usize,
    /// The lone record that was refused last, and how often in a row.
    refused: (u64, u32),
}

/// As `POST /api/v1/agent/alerts` answers.
#[derive(Deserialize)]
struct BatchResult {
    acknowledged: Vec<String>,
    rejected: Vec<Rejected>,
}

#[derive(Deserialize)]
struct Rejected {
    id: String,
    reason: String,
}

/// All that is needed of an alert to send it.
#[derive(Deserialize)]
struct Named {
    id: String,
}

impl Output for Sender {
    fn batch_records(&self) -> usize {
        self.batch_records
    }

    fn wants_changes(&self) -> bool {
        true
    }

    fn send<'a>(&'a mut self, batch: &'a [Record]) -> Task<'a, Result<Sent, String>> {
        Box::pin(async move {
            let batch = &batch[..batch.len().min(self.batch_records)];
            let mut sent = Sent::default();
            let named = name(batch, &mut sent);
            if named.is_empty() {
                return Ok(sent);
            }
            let response = self
                .link
                .request(Method::POST, "agent/alerts", Some(body_of(&named)))
                .await?;
            match response.status() {
                StatusCode::OK => {
                    self.batch_records = BATCH;
                    let body = read_body(response).await?;
                    let result: BatchResult = serde_json::from_slice(&body)
                        .map_err(|_| "it does not answer as a Plimsoll server".to_owned())?;
                    settle(&named, &result, &mut sent);
                    Ok(sent)
                }
                StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE => self.refuse(batch, response.status(), sent),
                status => Err(format!("it answers {status}")),
            }
        })
    }

    fn background(&mut self) -> Vec<Task<'static, ()>> {
        std::mem::take(&mut self.background)
    }
}

impl Sender {
    /// The whole batch was refused: the next one is smaller, until the culprit is alone. It is given up after some tries.
    fn refuse(&mut self, batch: &[Record], status: StatusCode, mut sent: Sent) -> Result<Sent, String> {
        let reason = format!("it answers {status}");
        self.batch_records = (batch.len() / 2).max(1);
        if let [alone] = batch {
            self.refused = match self.refused {
                (number, times) if number == alone.number => (number, times + 1),
                _ => (alone.number, 1),
            };
            if self.refused.1 >= MAX_REFUSALS {
                self.batch_records = BATCH;
                sent.refused.push((alone.number, reason));
                return Ok(sent);
            }
        }
        Err(reason)
    }
}

/// Ids of a batch's alerts, as far as the server's limit of bytes goes.
fn name<'a>(batch: &'a [Record], sent: &mut Sent) -> Vec<(String, &'a Record)> {
    let mut named = Vec::new();
    let mut bytes = 0;
    for record in batch {
        bytes += record.json.len();
        if bytes > BATCH_BYTES && !named.is_empty() {
            break;
        }
        match serde_json::from_slice::<Named>(&record.json) {
            Ok(found) => named.push((found.id, record)),
            Err(error) => sent.refused.push((record.number, error.to_string())),
        }
    }
    named
}

/// `{"alerts": […]}`; of several records about one alert the last says all.
fn body_of(named: &[(String, &Record)]) -> Vec<u8> {
    let mut body = b"{\"alerts\":[".to_vec();
    for (at, (id, record)) in named.iter().enumerate() {
        if named[at + 1..].iter().any(|(later, _)| later == id) {
            continue;
        }
        if body.last() != Some(&b'[') {
            body.push(b',');
        }
        body.extend_from_slice(&record.json);
    }
    body.extend_from_slice(b"]}");
    body
}

fn settle(named: &[(String, &Record)], result: &BatchResult, sent: &mut Sent) {
    for (id, record) in named {
        if result.acknowledged.contains(id) {
            sent.taken.push(record.number);
        } else if let Some(rejected) = result.rejected.iter().find(|rejected| rejected.id == *id) {
            sent.refused
                .push((record.number, rejected.reason.chars().take(200).collect()));
        }
    }
}
