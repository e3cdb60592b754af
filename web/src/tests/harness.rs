//! A server in memory with users of each role, and requests to it.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{HeaderMap, Method, Request, StatusCode},
};
use plimsoll_rules::RuleSet;
use serde_json::{Value, json};
use tokio::sync::watch;
use tower::ServiceExt;

use crate::{
    admission::{Admission, PolicySource},
    app::{App, Parts},
    router, secret,
    store::{AccountStore, Role, sqlite::SqliteStore},
};

pub(super) const PASSWORD: &str = "a long enough secret";

pub(super) struct Harness {
    pub(super) app: App,
    pub(super) router: Router,
    pub(super) shutdown: watch::Sender<bool>,
    pub(super) folder: tempfile::TempDir,
}

/// An answer, read to its end.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(super) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self
    }
}

/// How a request proves who sends it.
#[derive(Clone, Default)]
pub(super) struct Proof {
    pub(super) cookie: Option<String>,
    pub(super) csrf: Option<String>,
    pub(super) bearer: Option<String>,
}

impl Proof {
    pub(super) fn bearer(token: &str) -> Self {
        Self {
            bearer: Some(token.to_owned()),
            ..Self::default()
        }
    }
}

impl Harness {
    pub(super) fn new() -> Self {
        Self::with_policy(&PolicySource {
            rules: Vec::new(),
            waivers: None,
        })
    }

    pub(super) fn with_policy(policy: &PolicySource) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("plimsoll.db")).unwrap();
        let hash = secret::hash_password(PASSWORD).unwrap();
        for role in Role::ALL {
            let user = store.add_user(role.name(), &hash, role, 0).unwrap().unwrap();
            store.set_password(user.id, &hash, false, None).unwrap();
        }
        let (shutdown, ends) = watch::channel(false);
        let app = App::new(Parts {
            store: Arc::new(store),
            is_tls: false,
            shutdown: ends,
            admission: Admission::load(policy).unwrap(),
            audit_rules: RuleSet::load(&RuleSet::shipped_audit_files()).unwrap().rules,
        });
        Self {
            router: router::whole(&app),
            app,
            shutdown,
            folder,
        }
    }

    pub(super) async fn send(&self, method: Method, path: &str, proof: &Proof, body: Option<&Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(cookie) = &proof.cookie {
            request = request.header("cookie", format!("plimsoll_session={cookie}"));
        }
        if let Some(csrf) = &proof.csrf {
            request = request.header("x-csrf-token", csrf);
        }
        if let Some(token) = &proof.bearer {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        self.raw(request.body(body).unwrap()).await
    }

    pub(super) async fn raw(&self, mut request: Request<Body>) -> Answer {
        let peer: SocketAddr = "192.0.2.7:5000".parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    pub(super) async fn get(&self, path: &str, proof: &Proof) -> Answer {
        self.send(Method::GET, path, proof, None).await
    }

    pub(super) async fn post(&self, path: &str, proof: &Proof, body: &Value) -> Answer {
        self.send(Method::POST, path, proof, Some(body)).await
    }

    pub(super) async fn try_log_in(&self, name: &str, password: &str) -> Answer {
        self.post(
            "/api/v1/session",
            &Proof::default(),
            &json!({"name": name, "password": password}),
        )
        .await
    }

    pub(super) async fn log_in(&self, name: &str, password: &str) -> Proof {
        let answer = self.try_log_in(name, password).await.expect(200);
        let cookie = answer.headers["set-cookie"].to_str().unwrap();
        let token = cookie.split(['=', ';']).nth(1).unwrap().to_owned();
        Proof {
            cookie: Some(token),
            csrf: answer.json()["csrf_token"].as_str().map(str::to_owned),
            bearer: None,
        }
    }

    pub(super) async fn log_in_as(&self, role: Role) -> Proof {
        self.log_in(role.name(), PASSWORD).await
    }

    /// Enrols an agent and gives its proof.
    pub(super) async fn enrol(&self, node: &str) -> Proof {
        let admin = self.log_in_as(Role::Admin).await;
        let made = self
            .post("/api/v1/enrolment-tokens", &admin, &json!({}))
            .await
            .expect(200)
            .json();
        let body = json!({"token": made["token"], "node": node});
        let enrolled = self
            .post("/api/v1/agents/enrol", &Proof::default(), &body)
            .await
            .expect(200)
            .json();
        Proof::bearer(enrolled["token"].as_str().unwrap())
    }
}
