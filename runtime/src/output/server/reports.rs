//! Scan reports from a server: the identity thread asks for digests, what the server has goes into a folder that the
//! identity thread looks into.

use std::{
    collections::{HashMap, VecDeque},
    fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use plimsoll_model::Digest;
use reqwest::{Method, Response, StatusCode};
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};

use super::link::Link;
use crate::{
    limits::{MAX_REPORT_BYTES, MAX_REPORTS},
    output::{Notices, Pace, driver::backoff, http::reason},
};

/// Where the identity thread asks for reports.
#[derive(Debug, Default)]
pub(crate) struct ReportDesk {
    /// Where reports from the server are kept.
    folder: PathBuf,
    wanted: Mutex<VecDeque<Digest>>,
    news: Notify,
    is_open: AtomicBool,
}

impl ReportDesk {
    /// A desk behind which nobody is yet.
    pub(crate) fn new(state: &Path) -> Self {
        Self {
            folder: state.join("reports"),
            ..Self::default()
        }
    }

    /// The folder that answers come into; `None` when there is no server.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.is_open.load(Ordering::Relaxed).then_some(&*self.folder)
    }

    pub(super) fn open(&self) {
        self.is_open.store(true, Ordering::Relaxed);
    }

    /// Asks for the report of an image. May be repeated: what the server does not have is not asked for each time.
    pub(crate) fn want(&self, digest: Digest) {
        if !self.is_open.load(Ordering::Relaxed) {
            return;
        }
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        if wanted.len() < MAX_REPORTS && !wanted.contains(&digest) {
            wanted.push_back(digest);
            self.news.notify_one();
        }
    }

    fn next(&self) -> Option<Digest> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

/// Behind the desk.
pub(super) struct Fetcher {
    pub(super) link: Arc<Link>,
    pub(super) desk: Arc<ReportDesk>,
    pub(super) pace: Pace,
    pub(super) notices: Notices,
}

impl Fetcher {
    /// Runs as long as the agent does.
    pub(super) async fn run(self) {
        let mut asked: HashMap<Digest, Instant> = HashMap::new();
        let mut failures = 0;
        loop {
            let Some(digest) = self.desk.next() else {
                self.desk.news.notified().await;
                continue;
            };
            asked.retain(|_, at| at.elapsed() < self.pace.unknown_report);
            if asked.contains_key(&digest) {
                continue;
            }
            match self.fetch(digest).await {
                Ok(()) => {
                    failures = 0;
                    if asked.len() < MAX_REPORTS {
                        asked.insert(digest, Instant::now());
                    }
                }
                Err(error) => {
                    if failures == 0 {
                        self.notices.say(format!(
                            "output server: the scan report {digest} was not fetched: {error}"
                        ));
                    }
                    failures += 1;
                    // Whoever wants it asks again.
                    sleep(backoff(self.pace, failures)).await;
                }
            }
        }
    }

    /// Keeps the report if the server has one.
    async fn fetch(&self, digest: Digest) -> Result<(), String> {
        let path = format!("agent/profiles/{digest}");
        let response = self.link.request(Method::GET, &path, None).await?;
        match response.status() {
            StatusCode::OK => self.keep(digest, response).await,
            StatusCode::NOT_FOUND => Ok(()),
            status => Err(format!("it answers {status}")),
        }
    }

    /// Piece by piece: a report may be as large as the rest of the agent.
    async fn keep(&self, digest: Digest, mut response: Response) -> Result<(), String> {
        let name = digest.to_string().replace(':', "-");
        let told = |error: std::io::Error| format!("keep it in {}: {error}", self.desk.folder.display());
        fs::create_dir_all(&self.desk.folder).map_err(told)?;
        let (new, whole) = (
            self.desk.folder.join(format!("{name}.new")),
            self.desk.folder.join(format!("{name}.json")),
        );
        let mut file = fs::OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)
            .map_err(told)?;
        let mut bytes = 0;
        while let Some(chunk) = response.chunk().await.map_err(reason)? {
            bytes += chunk.len() as u64;
            if bytes > MAX_REPORT_BYTES {
                return Err(format!("it is over {MAX_REPORT_BYTES} bytes"));
            }
            file.write_all(&chunk).map_err(told)?;
        }
        fs::rename(new, whole).map_err(told)
    }
}
