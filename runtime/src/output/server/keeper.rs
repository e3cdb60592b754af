//! Keeps this agent known to its server: enrols once, then says how the agent is.

use std::{path::PathBuf, sync::Arc};

use reqwest::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::time::{sleep, timeout};

use super::{
    heartbeat::Heartbeat,
    link::{Link, Token},
};
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
        loop {
            let token = tokens.borrow_and_update().clone();
            let result = match &token {
                Token::Known(_) => self.beat().await,
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
