//! Keeps this agent known to its server: enrols once, then says how the agent is.

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use plimsoll_model::{Digest, ImageUsage};

use reqwest::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::time::{sleep, timeout};

use super::{
    heartbeat::Heartbeat,
    link::{Link, Token},
};
use crate::limits::MAX_TOLD_FILES;
use crate::output::{Notices, Pace, SharedVitals, driver::backoff, http::read_body, write_whole};

/// See the module.
pub(super) struct Keeper {
    pub(super) link: Arc<Link>,
    pub(super) node: String,
    /// Admits this agent; used once.
    pub(super) enrolment: Option<String>,
    /// Where the agent's own token is kept.
    pub(super) token_path: PathBuf,
    pub(super) pace: Pace,
    pub(super) vitals: SharedVitals,
    pub(super) notices: Notices,
}

/// What images use, as `POST /api/v1/agent/usage` takes it.
#[derive(Serialize)]
struct Told<'a> {
    images: &'a [&'a ImageUsage],
}

#[derive(Serialize)]
struct Enrol<'a> {
    token: &'a str,
    node: &'a str,
}

#[derive(Deserialize)]
struct Enrolled {
    token: String,
}

impl Keeper {
    /// Runs as long as the agent does.
    pub(super) async fn run(mut self) {
        let mut tokens = self.link.watch();
        let mut failures = 0;
        let mut told = HashMap::new();
        loop {
            let token = tokens.borrow_and_update().clone();
            let result = match &token {
                Token::Known(_) => match self.beat().await {
                    Ok(()) => self.tell_usage(&mut told).await,
                    failed => failed,
                },
                Token::None => self.enrol().await,
                Token::Refused(_) => self.enrol_again().await,
            };
            let wait = match result {
                Ok(()) => {
                    failures = 0;
                    self.pace.heartbeat
                }
                Err(error) => {
                    if failures == 0 {
                        self.notices.say(format!("output server: {error}"));
                    }
                    failures += 1;
                    backoff(self.pace, failures)
                }
            };
            if token == *tokens.borrow() {
                // Sleeps, unless something becomes of the token meanwhile.
                let _ = timeout(wait, tokens.changed()).await;
            } else if failures > 0 {
                sleep(wait).await;
            }
        }
    }

    async fn beat(&self) -> Result<(), String> {
        let body = Heartbeat::of(&self.vitals.lock());
        let body = serde_json::to_vec(&body).map_err(|error| error.to_string())?;
        let response = self.link.request(Method::POST, "agent/heartbeat", Some(body)).await?;
        match response.status() {
            status if status.is_success() => Ok(()),
            status => Err(format!("it answers {status} to a heartbeat")),
        }
    }

    /// Says what images use, of those of which there is news. `told` is how far each was told.
    async fn tell_usage(&self, told: &mut HashMap<Digest, u64>) -> Result<(), String> {
        let usage = Arc::clone(&self.vitals.lock().usage);
        let is_news = |image: &&ImageUsage| told.get(&image.config_digest) != Some(&image.window.to_ns);
        let mut left: Vec<&ImageUsage> = usage.iter().filter(is_news).collect();
        while !left.is_empty() {
            let mut files = 0;
            let fits = left.iter().take_while(|image| {
                files += image.files.len();
                files <= MAX_TOLD_FILES
            });
            let count = fits.count().max(1);
            let images: Vec<&ImageUsage> = left.drain(..count).collect();
            let body = serde_json::to_vec(&Told { images: &images }).map_err(|error| error.to_string())?;
            let response = self.link.request(Method::POST, "agent/usage", Some(body)).await?;
            match response.status() {
                status if status.is_success() => {}
                // A server of an earlier version: it is asked again when there is news.
                StatusCode::NOT_FOUND => {}
                status => return Err(format!("it answers {status} to what images use")),
            }
            told.extend(images.iter().map(|image| (image.config_digest, image.window.to_ns)));
        }
        told.retain(|digest, _| usage.iter().any(|image| image.config_digest == *digest));
        Ok(())
    }

    async fn enrol(&mut self) -> Result<(), String> {
        let Some(enrolment) = &self.enrolment else {
            return Err("there is no token to enrol with".to_owned());
        };
        let body = Enrol {
            token: enrolment,
            node: &self.node,
        };
        let body = serde_json::to_vec(&body).map_err(|error| error.to_string())?;
        let response = self.link.send(Method::POST, "agents/enrol", Some(body), None).await?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED => {
                return Err("it does not take the enrolment token (unknown, used up or too old)".to_owned());
            }
            status => return Err(format!("it answers {status} to the enrolment")),
        }
        let body = read_body(response).await?;
        let enrolled: Enrolled =
            serde_json::from_slice(&body).map_err(|_| "it does not answer as a Plimsoll server".to_owned())?;
        if let Err(error) = write_whole(&self.token_path, enrolled.token.as_bytes()) {
            self.notices.say(format!(
                "output server: this agent's token cannot be kept in {}: {error}; after a restart it has to enrol again",
                self.token_path.display()
            ));
        }
        // Once: a token that is refused later was revoked by somebody, and must not come back in a circle.
        self.enrolment = None;
        self.link.set(Token::Known(enrolled.token));
        self.notices.say(format!("output server: enrolled as {}", self.node));
        Ok(())
    }

    async fn enrol_again(&mut self) -> Result<(), String> {
        if self.enrolment.is_some() {
            return self.enrol().await;
        }
        Err(format!(
            "it does not know this agent's token any more; to enrol again, restart with --enrolment-token ({} holds the old one)",
            self.token_path.display()
        ))
    }
}
