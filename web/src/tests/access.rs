//! Who may do what: every route of the router against every role, and every way to be refused.

use axum::{
    body::Body,
    http::{Method, Request},
};
use serde_json::json;

use super::harness::{Harness, PASSWORD, Proof};
use crate::{
    api, limits,
    route::{Access, PREFIX, Verb},
    store::{AccountStore, Role, sqlite::SqliteStore},
};

/// Refusals by the gate; whatever the handler then says of a made-up body or id is a pass.
const REFUSED: [u16; 2] = [401, 403];

#[tokio::test]
async fn every_route_admits_exactly_who_it_names() {
    let server = Harness::new();
    let mut callers = vec![("nobody", None, Proof::default())];
    for role in Role::ALL {
        callers.push((role.name(), Some(role), server.log_in_as(role).await));
    }
    callers.push(("agent", None, server.enrol("node-1").await));
    let mut checked = 0;
    for route in api::routes() {
        // These end or change what the test goes on with; their own tests cover them.
        if matches!(
            (route.verb, route.path),
            (Verb::Delete, "/session") | (Verb::Post, "/session" | "/agents/enrol")
        ) {
            continue;
        }
        for (name, role, proof) in &callers {
            let expected = match route.access {
                Access::Public => true,
                Access::Account => role.is_some(),
                Access::Role(needed) => role.is_some_and(|role| role >= needed),
                Access::Agent => *name == "agent",
            };
            let path = format!(
                "{PREFIX}{}",
                route.path.replace("{id}", "999999").replace("{digest}", "none")
            );
            let body = (route.verb != Verb::Get).then(|| json!({"made": "up"}));
            let request = server.send(route.verb.method(), &path, proof, body.as_ref());
            // A live stream does not end: its headers are what counts.
            let admitted = match route.path {
                "/events" => live_status(&server, proof).await,
                _ => request.await.status.as_u16(),
            };
            assert_eq!(
                !REFUSED.contains(&admitted),
                expected,
                "{name} on {:?} {path}: {admitted}",
                route.verb
            );
            checked += 1;
        }
    }
    assert!(checked > 150, "only {checked} pairs were checked");
}

async fn live_status(server: &Harness, proof: &Proof) -> u16 {
    use tower::ServiceExt;
    let mut request = Request::get("/api/v1/events");
    if let Some(cookie) = &proof.cookie {
        request = request.header("cookie", format!("plimsoll_session={cookie}"));
    }
    if let Some(token) = &proof.bearer {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let response = server
        .router
        .clone()
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    response.status().as_u16()
}

#[tokio::test]
async fn a_session_changes_nothing_without_its_token() {
    let server = Harness::new();
    let mut proof = server.log_in_as(Role::Admin).await;
    let body = json!({"name": "ann", "role": "viewer"});
    proof.csrf = None;
    assert_eq!(
        server.post("/api/v1/users", &proof, &body).await.expect(403).json()["error"]["code"],
        "csrf"
    );
    proof.csrf = Some("0".repeat(64));
    server.post("/api/v1/users", &proof, &body).await.expect(403);
    let other = server.log_in_as(Role::Viewer).await;
    proof.csrf = other.csrf;
    server.post("/api/v1/users", &proof, &body).await.expect(403);
    let me = server.get("/api/v1/me", &proof).await.expect(200).json();
    proof.csrf = me["csrf_token"].as_str().map(str::to_owned);
    server.post("/api/v1/users", &proof, &body).await.expect(200);
}

#[tokio::test]
async fn the_cookie_is_out_of_reach_of_scripts_and_other_sites() {
    let server = Harness::new();
    let answer = server.try_log_in("viewer", PASSWORD).await.expect(200);
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("; HttpOnly; SameSite=Strict"), "{cookie}");
    assert!(
        !answer.text.contains("pls_s_"),
        "the session's token is in the cookie only"
    );
    for (name, expected) in [
        ("content-security-policy", "default-src 'none'"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
    ] {
        assert!(answer.headers[name].to_str().unwrap().contains(expected), "{name}");
    }
}

#[tokio::test]
async fn sessions_end_by_log_out_idleness_and_age() {
    let server = Harness::new();
    let proof = server.log_in_as(Role::Viewer).await;
    server
        .send(Method::DELETE, "/api/v1/session", &proof, None)
        .await
        .expect(204);
    server.get("/api/v1/me", &proof).await.expect(401);
    let proof = server.log_in_as(Role::Viewer).await;
    server.app.clock.advance(limits::SESSION_IDLE_MS - 1_000);
    server.get("/api/v1/me", &proof).await.expect(200);
    server.app.clock.advance(limits::SESSION_IDLE_MS - 1_000);
    server.get("/api/v1/me", &proof).await.expect(200);
    server.app.clock.advance(limits::SESSION_IDLE_MS + 1_000);
    server.get("/api/v1/me", &proof).await.expect(401);
}

#[tokio::test]
async fn guessing_slows_down_and_says_nothing_about_names() {
    let server = Harness::new();
    let unknown = server.try_log_in("nobody", "wrong").await.expect(401).text;
    let known = server.try_log_in("admin", "wrong").await.expect(401).text;
    assert_eq!(unknown, known);
    for _ in 1..limits::FREE_LOGIN_FAILURES {
        server.try_log_in("admin", "wrong").await.expect(401);
    }
    let blocked = server.try_log_in("admin", PASSWORD).await.expect(429);
    assert_eq!(blocked.headers["retry-after"], "1");
    server.app.clock.advance(1_100);
    server.try_log_in("admin", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_one_time_password_opens_one_door() {
    let server = Harness::new();
    let admin = server.log_in_as(Role::Admin).await;
    let made = server
        .post("/api/v1/users", &admin, &json!({"name": "ann", "role": "operator"}))
        .await
        .expect(200)
        .json();
    let once = made["password"].as_str().unwrap();
    let ann = server.log_in("ann", once).await;
    let refused = server.get("/api/v1/alerts", &ann).await.expect(403).json();
    assert_eq!(refused["error"]["code"], "password_change_required");
    let change = |new: &str| json!({"current": once, "new": new});
    for weak in ["short", "ann-is-my-name", once] {
        server
            .post("/api/v1/me/password", &ann, &change(weak))
            .await
            .expect(400);
    }
    server
        .post("/api/v1/me/password", &ann, &change("entirely new words"))
        .await
        .expect(204);
    server.get("/api/v1/alerts", &ann).await.expect(200);
    server.try_log_in("ann", once).await.expect(401);
    server
        .post("/api/v1/users", &admin, &json!({"name": "ann", "role": "viewer"}))
        .await
        .expect(409);
}

#[tokio::test]
async fn the_last_admin_stays_and_a_disabled_user_is_out_at_once() {
    let server = Harness::new();
    let admin = server.log_in_as(Role::Admin).await;
    let users = server.get("/api/v1/users", &admin).await.expect(200).json();
    let id = |name: &str| {
        users
            .as_array()
            .unwrap()
            .iter()
            .find(|user| user["name"] == name)
            .unwrap()["id"]
            .clone()
    };
    let put = |id: serde_json::Value, role: &str, is_disabled: bool| {
        let (server, admin) = (&server, &admin);
        let body = json!({"role": role, "is_disabled": is_disabled});
        async move {
            server
                .send(Method::PUT, &format!("/api/v1/users/{id}"), admin, Some(&body))
                .await
        }
    };
    put(id("admin"), "viewer", false).await.expect(409);
    put(id("admin"), "admin", true).await.expect(409);
    let operator = server.log_in_as(Role::Operator).await;
    let token = server
        .post(
            "/api/v1/tokens",
            &operator,
            &json!({"name": "ci", "role": "operator", "valid_days": null}),
        )
        .await;
    let token = Proof::bearer(token.expect(200).json()["token"].as_str().unwrap());
    server.get("/api/v1/alerts", &token).await.expect(200);
    put(id("operator"), "viewer", false).await.expect(200);
    server
        .post("/api/v1/scan-requests", &token, &json!({"reference": "redis"}))
        .await
        .expect(403);
    put(id("operator"), "operator", true).await.expect(200);
    server.get("/api/v1/alerts", &operator).await.expect(401);
    server.get("/api/v1/alerts", &token).await.expect(401);
    server.try_log_in("operator", PASSWORD).await.expect(401);
}

#[tokio::test]
async fn tokens_do_not_grow() {
    let server = Harness::new();
    let viewer = server.log_in_as(Role::Viewer).await;
    server
        .post(
            "/api/v1/tokens",
            &viewer,
            &json!({"name": "x", "role": "admin", "valid_days": 1}),
        )
        .await
        .expect(403);
    let made = server
        .post(
            "/api/v1/tokens",
            &viewer,
            &json!({"name": "x", "role": "viewer", "valid_days": 1}),
        )
        .await;
    let made = made.expect(200).json();
    let token = Proof::bearer(made["token"].as_str().unwrap());
    server.get("/api/v1/alerts", &token).await.expect(200);
    server
        .post(
            "/api/v1/tokens",
            &token,
            &json!({"name": "y", "role": "viewer", "valid_days": 1}),
        )
        .await
        .expect(403);
    let list = server.get("/api/v1/tokens", &viewer).await.expect(200);
    assert!(!list.text.contains("pls_t_"), "{}", list.text);
    server.app.clock.advance(86_400_001);
    server.get("/api/v1/alerts", &token).await.expect(401);
    let operator = server.log_in_as(Role::Operator).await;
    let path = format!("/api/v1/tokens/{}", made["detail"]["id"]);
    server.send(Method::DELETE, &path, &operator, None).await.expect(404);
    let admin = server.log_in_as(Role::Admin).await;
    server.send(Method::DELETE, &path, &admin, None).await.expect(204);
}

#[tokio::test]
async fn no_secret_is_stored_in_the_clear() {
    let server = Harness::new();
    let agent = server.enrol("node-1").await.bearer.unwrap();
    let session = server.log_in_as(Role::Viewer).await;
    let (cookie, csrf) = (session.cookie.unwrap(), session.csrf.unwrap());
    let files: Vec<u8> = std::fs::read_dir(server.folder.path())
        .unwrap()
        .flat_map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
        .collect();
    let holds = |text: &str| files.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("node-1"), "the search must be able to find something");
    for secret in [agent.as_str(), &agent[6..], &cookie, &csrf, PASSWORD] {
        assert!(!holds(secret), "{secret} is in the database");
    }
}

#[tokio::test]
async fn strange_requests_are_refused_politely() {
    let server = Harness::new();
    let admin = server.log_in_as(Role::Admin).await;
    let build = |content_type: &str, body: String| {
        Request::post("/api/v1/users")
            .header("cookie", format!("plimsoll_session={}", admin.cookie.as_ref().unwrap()))
            .header("x-csrf-token", admin.csrf.as_ref().unwrap())
            .header("content-type", content_type)
            .body(Body::from(body))
            .unwrap()
    };
    let user = r#"{"name": "bob", "role": "viewer"}"#;
    server.raw(build("text/plain", user.to_owned())).await.expect(415);
    server.raw(build("application/json", "{".to_owned())).await.expect(400);
    server
        .raw(build("application/json", "[".repeat(50_000)))
        .await
        .expect(400);
    server
        .raw(build(
            "application/json",
            r#"{"name": "bob", "role": "viewer", "is_root": true}"#.to_owned(),
        ))
        .await
        .expect(400);
    server
        .raw(build(
            "application/json",
            format!(r#"{{"name": "{}", "role": "viewer"}}"#, "a".repeat(70_000)),
        ))
        .await
        .expect(413);
    for bad in [
        "?limit=0",
        "?limit=501",
        "?priority=loud",
        "?unknown=1",
        &format!("?text={}", "a".repeat(5_000)),
    ] {
        server.get(&format!("/api/v1/alerts{bad}"), &admin).await.expect(400);
    }
    server
        .get("/api/v1/alerts?cursor=%27%3B--&text=%25%27", &admin)
        .await
        .expect(200);
    server
        .get("/api/v1/images/..%2f..%2fetc%2fpasswd", &admin)
        .await
        .expect(400);
    server.get("/api/v1/nothing", &admin).await.expect(404);
    let two = Request::get("/api/v1/me").header(
        "cookie",
        format!(
            "plimsoll_session={0}; plimsoll_session={0}",
            admin.cookie.as_ref().unwrap()
        ),
    );
    server.raw(two.body(Body::empty()).unwrap()).await.expect(401);
    let both = Proof {
        bearer: Some("pls_t_wrong".to_owned()),
        ..admin.clone()
    };
    server.get("/api/v1/me", &both).await.expect(401);
}

#[test]
fn a_store_from_the_future_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plimsoll.db");
    drop(SqliteStore::open(&path).unwrap());
    rusqlite::Connection::open(&path)
        .unwrap()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    let error = SqliteStore::open(&path).err().unwrap();
    assert!(error.to_string().contains("schema version 99"), "{error}");
    rusqlite::Connection::open(&path)
        .unwrap()
        .pragma_update(None, "user_version", 2)
        .unwrap();
    assert_eq!(SqliteStore::open(&path).unwrap().count_users().unwrap(), 0);
}
