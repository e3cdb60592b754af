//! The connection to a server and the agent's own token. Whoever sends waits until there is one.

use std::{sync::Arc, time::Duration};

use reqwest::{Client, Method, Response, StatusCode, Url, header};
use tokio::{sync::watch, time::timeout};

use crate::output::http::reason;

/// See the module.
pub(super) struct Link {
    client: Client,
    base: Url,
    token: watch::Sender<Token>,
    /// How long a request waits for the enrolment.
    patience: Duration,
}

/// The agent's own token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// Not admitted yet.
    None,
    /// As the server gave it.
    Known(String),
    /// The server does not know it (any more).
    Refused(String),
}

impl Link {
    pub(super) fn new(client: Client, url: Url, token: Option<String>, patience: Duration) -> Arc<Self> {
        Arc::new(Self {
            client,
            base: url,
            token: watch::Sender::new(token.map_or(Token::None, Token::Known)),
            patience,
        })
    }

    /// What becomes of the token.
    pub(super) fn watch(&self) -> watch::Receiver<Token> {
        self.token.subscribe()
    }

    pub(super) fn set(&self, token: Token) {
        self.token.send_replace(token);
    }

    /// Sends a request as this agent; waits until it has been admitted.
    pub(super) async fn request(&self, method: Method, path: &str, body: Option<Vec<u8>>) -> Result<Response, String> {
        let mut tokens = self.token.subscribe();
        let enrolled = tokens.wait_for(|token| *token != Token::None);
        let token = match timeout(self.patience, enrolled).await {
            Ok(Ok(token)) => token.clone(),
            Ok(Err(_)) | Err(_) => Token::None,
        };
        let (Token::Known(token) | Token::Refused(token)) = token else {
            return Err("this agent is not enrolled yet".to_owned());
        };
        let response = self.send(method, path, body, Some(&token)).await?;
        let status = response.status();
        let mine = Token::Known(token.clone());
        if status == StatusCode::UNAUTHORIZED {
            self.token.send_if_modified(|now| {
                let is_mine = *now == mine;
                if is_mine {
                    *now = Token::Refused(token.clone());
                }
                is_mine
            });
            return Err(
                "it does not know this agent's token (revoked, or another agent enrolled as this node)".to_owned(),
            );
        }
        Ok(response)
    }

    /// Sends a request, with a token or without.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
        token: Option<&str>,
    ) -> Result<Response, String> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}/api/v1/{path}", self.base.path().trim_end_matches('/')));
        let mut request = self.client.request(method, url);
        if let Some(body) = body {
            request = request.header(header::CONTENT_TYPE, "application/json").body(body);
        }
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        request.send().await.map_err(reason)
    }
}
