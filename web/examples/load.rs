//! Measures a running server: `load ADDRESS PASSWORD ALERTS REVIEWS` sends alerts in acknowledged batches, opens the
//! pages of the dashboard over them, and asks for admission reviews. PASSWORD is the one-time password of a first run.

use std::{
    error::Error,
    net::SocketAddr,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const CONNECTIONS: usize = 4;
const BATCH: usize = 500;

/// One kept-open connection.
struct Client {
    stream: TcpStream,
    headers: String,
}

impl Client {
    async fn open(address: SocketAddr, headers: &str) -> Outcome<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            headers: headers.to_owned(),
        })
    }

    async fn call(&mut self, head: &str, body: &str) -> Outcome<(String, Value)> {
        let request = format!(
            "{head} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{}\r\n{body}",
            body.len(),
            self.headers
        );
        self.stream.write_all(request.as_bytes()).await?;
        let mut bytes = Vec::new();
        loop {
            if self.stream.read_buf(&mut bytes).await? == 0 {
                return Err("the server closed the connection".into());
            }
            let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
                continue;
            };
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length: usize = match head.lines().find_map(|line| line.strip_prefix("content-length: ")) {
                Some(length) => length.parse()?,
                None => 0,
            };
            while bytes.len() < end + 4 + length {
                self.stream.read_buf(&mut bytes).await?;
            }
            if !head.starts_with("HTTP/1.1 20") {
                return Err(format!("{head}\n{}", String::from_utf8_lossy(&bytes[end..])).into());
            }
            return Ok((head, serde_json::from_slice(&bytes[end + 4..]).unwrap_or_default()));
        }
    }
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, password, alerts, reviews] = arguments.as_slice() else {
        return Err("usage: load ADDRESS PASSWORD ALERTS REVIEWS".into());
    };
    let (address, alerts, reviews): (SocketAddr, usize, usize) = (address.parse()?, alerts.parse()?, reviews.parse()?);
    let session = log_in(address, password).await?;
    ingest(address, &session, alerts).await?;
    open_pages(address, &session).await?;
    review(address, &session, reviews).await
}

async fn log_in(address: SocketAddr, password: &str) -> Outcome<String> {
    let body = json!({"name": "admin", "password": password}).to_string();
    let (head, me) = Client::open(address, "")
        .await?
        .call("POST /api/v1/session", &body)
        .await?;
    let cookie = head
        .lines()
        .find_map(|line| line.strip_prefix("set-cookie: "))
        .ok_or("no cookie")?;
    let cookie = cookie.split(';').next().unwrap_or_default();
    let session = format!(
        "cookie: {cookie}\r\nx-csrf-token: {}\r\n",
        me["csrf_token"].as_str().unwrap_or_default()
    );
    let change = json!({"current": password, "new": "entirely new words"}).to_string();
    Client::open(address, &session)
        .await?
        .call("POST /api/v1/me/password", &change)
        .await?;
    Ok(session)
}

async fn ingest(address: SocketAddr, session: &str, alerts: usize) -> Outcome<()> {
    let mut admin = Client::open(address, session).await?;
    let mut tasks = JoinSet::new();
    let mut agents = Vec::new();
    for number in 0..CONNECTIONS {
        let (_, made) = admin.call("POST /api/v1/enrolment-tokens", "{}").await?;
        let body = json!({"token": made["token"], "node": format!("node-{number}")}).to_string();
        let (_, enrolled) = admin.call("POST /api/v1/agents/enrol", &body).await?;
        agents.push(format!(
            "authorization: Bearer {}\r\n",
            enrolled["token"].as_str().unwrap_or_default()
        ));
    }
    let started = Instant::now();
    for (number, agent) in agents.into_iter().enumerate() {
        tasks.spawn(async move {
            let mut client = Client::open(address, &agent).await?;
            let mut acknowledged = 0;
            for batch in 0..(alerts / CONNECTIONS).div_ceil(BATCH) {
                let batch: Vec<Value> = (0..BATCH).map(|n| alert(number, batch * BATCH + n)).collect();
                let (_, answer) = client
                    .call("POST /api/v1/agent/alerts", &json!({"alerts": batch}).to_string())
                    .await?;
                acknowledged += answer["acknowledged"].as_array().map_or(0, Vec::len);
            }
            Outcome::Ok(acknowledged)
        });
    }
    let mut acknowledged = 0;
    while let Some(count) = tasks.join_next().await {
        acknowledged += count??;
    }
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "alerts acknowledged: {acknowledged} in {seconds:.1} s, {:.0} per second",
        acknowledged as f64 / seconds
    );
    Ok(())
}

fn alert(agent: usize, number: usize) -> Value {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    let time_ns = (now.as_secs() - number as u64 % 86_400) * 1_000_000_000;
    json!({"schema": "plimsoll.alert/v1", "id": format!("load-{agent}-{number}"),
        "time_ns": time_ns, "priority": (["critical", "warning", "notice"][number % 3]),
        "rule": format!("rule {}", number % 40), "summary": "redis-server started /bin/sh, which its image does not expect",
        "reasons": [], "node": "n", "container_id": format!("container-{}", number % 200), "container_name": "redis",
        "runtime": "podman",
        "image": {"reference": format!("127.0.0.1:5000/team/image-{}:1", number % 50), "manifest_digest": null, "config_digest": null},
        "pod": {"name": "redis-0", "namespace": "shop", "uid": "u"}, "phase": "serving",
        "process": {"pid": 10, "exe": "/bin/sh", "command_line": "sh -c 'id; uname -a'", "euid": 0},
        "ancestry": [{"pid": 1, "exe": "/usr/bin/redis-server", "command_line": "redis-server *:6379", "euid": 999}],
        "observed": "exec /bin/sh -c 'id; uname -a'", "expected": [], "executable": null, "techniques": ["T1059.004"],
        "lost_events": 0, "allow": null, "follow_ups": [], "count": 1})
}

async fn open_pages(address: SocketAddr, session: &str) -> Outcome<()> {
    let mut client = Client::open(address, session).await?;
    for page in [
        "overview",
        "alerts",
        "alerts?text=uname&priority=warning",
        "alert-groups",
        "alert-groups?acknowledged=false",
        "workloads",
        "agents",
    ] {
        let mut times = Vec::new();
        for _ in 0..20 {
            let started = Instant::now();
            client.call(&format!("GET /api/v1/{page}"), "").await?;
            times.push(started.elapsed());
        }
        println!("GET /api/v1/{page}: {}", percentiles(&mut times));
    }
    Ok(())
}

async fn review(address: SocketAddr, session: &str, reviews: usize) -> Outcome<()> {
    let report = include_str!("../tests/fixtures/report.json");
    Client::open(address, session)
        .await?
        .call("POST /api/v1/scans", report)
        .await?;
    let question = include_str!("../tests/fixtures/reviews/deployment.json");
    let mut tasks = JoinSet::new();
    let started = Instant::now();
    for _ in 0..CONNECTIONS {
        tasks.spawn(async move {
            let mut client = Client::open(address, "").await?;
            let mut times = Vec::new();
            for _ in 0..reviews / CONNECTIONS {
                let started = Instant::now();
                client.call("POST /admission/v1/review", question).await?;
                times.push(started.elapsed());
            }
            Outcome::Ok(times)
        });
    }
    let mut times = Vec::new();
    while let Some(some) = tasks.join_next().await {
        times.extend(some??);
    }
    let per_second = times.len() as f64 / started.elapsed().as_secs_f64();
    println!(
        "admission reviews, recorded: {per_second:.0} per second, {}",
        percentiles(&mut times)
    );
    Ok(())
}

fn percentiles(times: &mut [Duration]) -> String {
    times.sort_unstable();
    let at = |share: usize| {
        times
            .get((times.len() * share / 100).min(times.len().saturating_sub(1)))
            .copied()
            .unwrap_or_default()
    };
    format!("p50 {:.1?}, p99 {:.1?}", at(50), at(99))
}
