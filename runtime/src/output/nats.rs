//! Alerts into NATS JetStream: published with the alert's id as message id, so that a second sending is told apart, and
//! settled when the stream has stored them. A stream is made when none takes the subject.

use std::time::Duration;

use async_nats::{
    ConnectOptions, ServerAddr,
    jetstream::{
        self,
        context::{GetStreamByNameErrorKind, PublishErrorKind},
        message::PublishMessage,
        stream::Config,
    },
};

use super::{Context, Output, OutputError, OutputKind, Pace, Record, Sent, Task, read_secret};
use crate::reason::chain;

const NAME: &str = "nats";
const BATCH: usize = 256;
/// What the stream keeps when this output makes it.
const STREAM_AGE: Duration = Duration::from_secs(30 * 24 * 3_600);
const STREAM_BYTES: i64 = 512 << 20;
/// A message with the same id within this time is the same.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(600);

/// See the module.
pub(super) struct Nats;

impl OutputKind for Nats {
    fn name(&self) -> &'static str {
        NAME
    }

    fn open(&self, context: &Context<'_>) -> Result<Option<Box<dyn Output>>, OutputError> {
        let Some(text) = &context.options.nats else {
            return Ok(None);
        };
        let refuse = |reason: String| OutputError::Address { output: NAME, reason };
        let address: ServerAddr = read_secret(text)?
            .parse()
            .map_err(|error: std::io::Error| refuse(error.to_string()))?;
        let subject = &context.options.nats_subject;
        let is_plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_graphic());
        if !subject.split('.').all(is_plain) || subject.contains(['*', '>']) {
            return Err(refuse(format!("`{subject}` is no subject that can be published to")));
        }
        Ok(Some(Box::new(Publisher {
            address,
            subject: subject.clone(),
            updates: context.options.updates,
            pace: context.options.pace,
            stream: None,
        })))
    }
}

struct Publisher {
    address: ServerAddr,
    subject: String,
    updates: bool,
    pace: Pace,
    /// `None` before the first success and after a failure.
    stream: Option<jetstream::Context>,
}

impl Output for Publisher {
    fn batch_records(&self) -> usize {
        BATCH
    }

    fn wants_changes(&self) -> bool {
        self.updates
    }

    fn send<'a>(&'a mut self, batch: &'a [Record]) -> Task<'a, Result<Sent, String>> {
        Box::pin(async move {
            let stream = match &self.stream {
                Some(stream) => stream.clone(),
                None => self.connect().await?,
            };
            let sent = self.publish(&stream, batch).await;
            // What was handed to a broken connection would be sent by it and by us.
            self.stream = sent.error.is_none().then_some(stream);
            Ok(sent)
        })
    }
}

impl Publisher {
    async fn connect(&self) -> Result<jetstream::Context, String> {
        let mut options = ConnectOptions::new()
            .name("plimsoll-agent")
            .connection_timeout(self.pace.request / 2)
            .request_timeout(Some(self.pace.request));
        options = match (self.address.username(), self.address.password()) {
            (Some(user), Some(password)) => options.user_and_password(user.to_owned(), password.to_owned()),
            (Some(token), None) => options.token(token.to_owned()),
            (None, _) => options,
        };
        let client = options
            .connect(self.address.clone())
            .await
            .map_err(|error| chain(&error))?;
        let mut stream = jetstream::new(client);
        stream.set_timeout(self.pace.request);
        match stream.stream_by_subject(self.subject.as_str()).await {
            Ok(_) => Ok(stream),
            Err(error) if error.kind() == GetStreamByNameErrorKind::NotFound => {
                let config = Config {
                    name: stream_name(&self.subject),
                    subjects: vec![self.subject.clone()],
                    max_age: STREAM_AGE,
                    max_bytes: STREAM_BYTES,
                    duplicate_window: DUPLICATE_WINDOW,
                    description: Some("alerts of Plimsoll agents".to_owned()),
                    ..Config::default()
                };
                stream
                    .get_or_create_stream(config)
                    .await
                    .map_err(|error| format!("make a stream: {}", chain(&error)))?;
                Ok(stream)
            }
            Err(error) => Err(format!("look for a stream: {}", chain(&error))),
        }
    }

    async fn publish(&self, stream: &jetstream::Context, batch: &[Record]) -> Sent {
        let mut sent = Sent::default();
        let mut answers = Vec::new();
        for record in batch {
            let alert = match record.alert() {
                Ok(alert) => alert,
                Err(reason) => {
                    sent.refused.push((record.number, reason));
                    continue;
                }
            };
            let id = match record.is_change {
                false => alert.id,
                true => format!("{}.{}", alert.id, alert.count),
            };
            let message = PublishMessage::build()
                .payload(record.json.clone().into())
                .message_id(id);
            match stream.send_publish(self.subject.clone(), message).await {
                Ok(answer) => answers.push((record.number, answer)),
                Err(error) if error.kind() == PublishErrorKind::MaxPayloadExceeded => {
                    sent.refused.push((record.number, chain(&error)));
                }
                Err(error) => {
                    sent.error = Some(chain(&error));
                    break;
                }
            }
        }
        for (number, answer) in answers {
            match answer.await {
                Ok(_) => sent.taken.push(number),
                Err(error) => {
                    sent.error.get_or_insert_with(|| chain(&error));
                    // The others waited as long as this one: they are sent again together.
                    break;
                }
            }
        }
        sent
    }
}

/// Names of streams have no dots and blanks (NATS, `jetstream naming`).
fn stream_name(subject: &str) -> String {
    subject
        .chars()
        .map(|letter| match letter.is_ascii_alphanumeric() {
            true => letter.to_ascii_uppercase(),
            false => '_',
        })
        .collect()
}
