//! Real sockets: TLS, what is refused on them, an end without broken requests, and metrics as Prometheus' own tool sees them.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::{
    io::Write,
    net::SocketAddr,
    path::PathBuf,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use plimsoll_web::{Error, Extent, Options, PolicySource, Server, TlsFiles};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
    task::JoinHandle,
};

struct Running {
    address: SocketAddr,
    password: Option<String>,
    stop: Arc<Notify>,
    task: JoinHandle<Result<(), Error>>,
    folder: tempfile::TempDir,
}

fn options(folder: &tempfile::TempDir) -> Options {
    Options {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        database: folder.path().join("data/plimsoll.db"),
        tls: None,
        allow_insecure: false,
        policy: PolicySource {
            rules: Vec::new(),
            waivers: None,
        },
        audit_rules: plimsoll_rules::RuleSet::default(),
        extent: Extent::Whole,
        scan_command: None,
    }
}

async fn start(options: Options, folder: tempfile::TempDir) -> Running {
    let server = Server::prepare(options).await.unwrap();
    let stop = Arc::new(Notify::new());
    let (address, password) = (server.address(), server.first_password().map(str::to_owned));
    let stopped = stop.clone();
    let task = tokio::spawn(server.run(async move { stopped.notified().await }));
    Running {
        address,
        password,
        stop,
        task,
        folder,
    }
}

/// A certificate for 127.0.0.1 and its key, in files, and the certificate to trust.
fn certificate(folder: &tempfile::TempDir) -> (TlsFiles, reqwest::Certificate) {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let files = TlsFiles {
        certificate: folder.path().join("tls.crt"),
        key: folder.path().join("tls.key"),
    };
    let pem = made.cert.pem();
    std::fs::write(&files.certificate, &pem).unwrap();
    std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    (files, reqwest::Certificate::from_pem(pem.as_bytes()).unwrap())
}

async fn log_in(client: &reqwest::Client, base: &str, password: &str) -> reqwest::Response {
    let body = json!({"name": "admin", "password": password});
    client
        .post(format!("{base}/api/v1/session"))
        .json(&body)
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn tls_carries_secure_cookies_and_refuses_plain_http() {
    let folder = tempfile::tempdir().unwrap();
    let (files, root) = certificate(&folder);
    let mut options = options(&folder);
    options.tls = Some(files);
    let server = start(options, folder).await;
    let base = format!("https://{}", server.address);
    let client = reqwest::Client::builder().tls_certs_only([root]).build().unwrap();
    let answer = log_in(&client, &base, server.password.as_ref().unwrap()).await;
    assert_eq!(answer.status(), 200);
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(
        cookie.starts_with("__Host-plimsoll_session=") && cookie.ends_with("; Secure"),
        "{cookie}"
    );
    assert!(answer.headers().contains_key("strict-transport-security"));
    let me: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!(me["must_change_password"], true);
    let distrustful = reqwest::Client::new();
    assert!(
        distrustful.get(format!("{base}/healthz")).send().await.is_err(),
        "an unknown certificate is refused"
    );
    let mut plain = TcpStream::connect(server.address).await.unwrap();
    plain
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    // The server may answer with a TLS alert or close at once; what matters is that it does not serve.
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "{answer:?}");
    server.stop.notify_one();
    server.task.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_would_be_unsafe_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut open = options(&folder);
    open.listen = SocketAddr::from(([0, 0, 0, 0], 0));
    assert!(matches!(Server::prepare(open).await, Err(Error::Insecure(_))));
    let (mut files, _) = certificate(&folder);
    std::fs::write(&files.key, "no key").unwrap();
    let mut broken = options(&folder);
    broken.tls = Some(files.clone());
    assert!(matches!(Server::prepare(broken).await, Err(Error::Tls { .. })));
    files.certificate = PathBuf::from("/nonexistent");
    let mut missing = options(&folder);
    missing.tls = Some(files);
    assert!(matches!(Server::prepare(missing).await, Err(Error::Tls { .. })));
    let mut policy = options(&folder);
    let path = folder.path().join("p.yaml");
    std::fs::write(&path, "- rule: [").unwrap();
    policy.policy.rules = vec![path];
    assert!(matches!(Server::prepare(policy).await, Err(Error::Policy(_))));
}

#[tokio::test]
async fn the_first_password_is_made_once_and_the_data_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let first = Server::prepare(options(&folder)).await.unwrap();
    assert_eq!(first.first_password().map(str::len), Some(23));
    drop(first);
    assert_eq!(Server::prepare(options(&folder)).await.unwrap().first_password(), None);
    let mode = std::fs::metadata(folder.path().join("data"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn it_ends_although_somebody_listens_for_events() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(&folder);
    let server = start(options, folder).await;
    let base = format!("http://{}", server.address);
    let client = reqwest::Client::new();
    let password = server.password.clone().unwrap();
    let answer = log_in(&client, &base, &password).await;
    let cookie = answer.headers()["set-cookie"]
        .to_str()
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let csrf: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    let change = json!({"current": password, "new": "entirely new words"});
    let changed = client
        .post(format!("{base}/api/v1/me/password"))
        .header("cookie", &cookie)
        .header("x-csrf-token", csrf["csrf_token"].as_str().unwrap())
        .json(&change)
        .send();
    assert_eq!(changed.await.unwrap().status(), 204);
    let mut events = client
        .get(format!("{base}/api/v1/events"))
        .header("cookie", &cookie)
        .send()
        .await
        .unwrap();
    assert_eq!(events.status(), 200);
    server.stop.notify_one();
    let ended = tokio::time::timeout(Duration::from_secs(60), server.task).await;
    ended.expect("open streams do not hold the server").unwrap().unwrap();
    while let Ok(Some(_)) = events.chunk().await {}
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn admission_alone_has_no_api() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&folder);
    options.extent = Extent::AdmissionOnly;
    let server = start(options, folder).await;
    assert_eq!(server.password, None, "no user is made where nobody can log in");
    let base = format!("http://{}", server.address);
    let client = reqwest::Client::new();
    let status = async |path: &str| {
        client
            .get(format!("{base}{path}"))
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!(status("/readyz").await, 200);
    for path in ["/", "/api/v1/alerts", "/api/v1/me"] {
        assert_eq!(status(path).await, 404, "{path}");
    }
    let review = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/reviews/pod.json")).unwrap();
    let answer = client
        .post(format!("{base}/admission/v1/review"))
        .body(review)
        .send()
        .await
        .unwrap();
    let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!(answer["response"]["allowed"], true);
    server.stop.notify_one();
    server.task.await.unwrap().unwrap();
}

#[tokio::test]
async fn promtool_finds_nothing_to_say_of_the_metrics() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(&folder);
    let server = start(options, folder).await;
    let client = reqwest::Client::new();
    let base = format!("http://{}", server.address);
    log_in(&client, &base, "wrong").await;
    let review = json!({"not": "a review"});
    client
        .post(format!("{base}/admission/v1/review"))
        .json(&review)
        .send()
        .await
        .unwrap();
    let text = client
        .get(format!("{base}/metrics"))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(text.contains("plimsoll_logins_total{result=\"wrong\"} 1"), "{text}");
    server.stop.notify_one();
    server.task.await.unwrap().unwrap();
    drop(server.folder);
    let spawned = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => {
            eprintln!("SKIPPED: promtool (Debian package prometheus) does not start: {error}");
            return;
        }
    };
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && words.is_empty(), "{words}\n{text}");
}
