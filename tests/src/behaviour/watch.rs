//! A running agent whose alerts are kept with their time of arrival, for many containers at once.

use std::{
    io::{BufRead as _, BufReader, Read},
    path::Path,
    process::{Child, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, bail};
use plimsoll_model::Alert;

use crate::command;

/// Longest wait for the agent to attach its sensors, and to end.
const LIMIT: Duration = Duration::from_secs(60);

/// An alert, and when its line came.
#[derive(Debug, Clone)]
pub(super) struct Told {
    /// The alert.
    pub(super) alert: Alert,
    /// Nanoseconds since the Unix epoch.
    pub(super) arrived_ns: u64,
    /// The same alert was told before: more of the same, or a consequence.
    pub(super) is_again: bool,
}

#[derive(Debug, Default)]
struct Book {
    pages: Mutex<Pages>,
    news: Condvar,
}

#[derive(Debug, Default)]
struct Pages {
    told: Vec<Told>,
    talk: Vec<String>,
}

impl Book {
    fn open(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, pages: MutexGuard<'a, Pages>, longest: Duration) -> MutexGuard<'a, Pages> {
        let woken = self.news.wait_timeout(pages, longest);
        woken.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// A running agent.
#[derive(Debug)]
pub(super) struct Watch {
    child: Child,
    book: Arc<Book>,
    readers: Vec<JoinHandle<()>>,
}

impl Watch {
    /// Starts `plimsoll agent` over a folder of scan reports, recording to a file, and waits until it is ready.
    ///
    /// # Errors
    /// It does not start, or not in time.
    pub(super) fn start(images: &Path, recording: &Path) -> anyhow::Result<Self> {
        let mut child = command::plimsoll()
            .args(["agent", "--format", "json", "--updates", "--images"])
            .arg(images)
            .arg("--record")
            .arg(recording)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let book = Arc::new(Book::default());
        let alerts = child.stdout.take().context("stdout was asked for")?;
        let talk = child.stderr.take().context("stderr was asked for")?;
        let readers = vec![read_alerts(alerts, &book), read_talk(talk, &book)];
        let watch = Self { child, book, readers };
        let deadline = Instant::now() + LIMIT;
        let mut pages = watch.book.open();
        while !pages.talk.iter().any(|line| line.starts_with("ready")) {
            if Instant::now() > deadline {
                bail!("the agent was not ready in time: {:?}", pages.talk);
            }
            pages = watch.book.wait(pages, Duration::from_millis(100));
        }
        drop(pages);
        Ok(watch)
    }

    /// How many alerts, about whomever, have come.
    pub(super) fn count(&self) -> usize {
        self.book.open().told.len()
    }

    /// Alerts about a container that came after the first `from`. Waits until one comes that `is_enough` says is the
    /// last that is waited for, at most until `deadline`.
    pub(super) fn after(
        &self,
        from: usize,
        container_id: &str,
        deadline: Instant,
        is_enough: impl Fn(&[Told]) -> bool,
    ) -> Vec<Told> {
        let mut pages = self.book.open();
        loop {
            let found: Vec<Told> = pages.told[from.min(pages.told.len())..]
                .iter()
                .filter(|told| told.alert.container_id.as_deref() == Some(container_id))
                .cloned()
                .collect();
            let now = Instant::now();
            if now >= deadline || is_enough(&found) {
                return found;
            }
            pages = self.book.wait(pages, deadline - now);
        }
    }

    /// Asks the agent to end and gives what it said besides alerts.
    ///
    /// # Errors
    /// It does not end.
    pub(super) fn stop(mut self) -> anyhow::Result<Vec<String>> {
        let status = std::process::Command::new("kill")
            .args(["-INT", &self.child.id().to_string()])
            .status()?;
        anyhow::ensure!(status.success(), "the agent had ended before it was asked to");
        for reader in self.readers.drain(..) {
            reader
                .join()
                .map_err(|_| anyhow::anyhow!("a reader of the agent's output failed"))?;
        }
        self.child.wait()?;
        Ok(self.book.open().talk.clone())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It is our own child; there is nobody to tell when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Now, as alerts tell time.
pub(super) fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

fn read_alerts(stream: impl Read + Send + 'static, book: &Arc<Book>) -> JoinHandle<()> {
    let book = Arc::clone(book);
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let arrived_ns = now_ns();
            let alert: Alert = serde_json::from_str(&line).expect("each line of the agent's output is an alert");
            let mut pages = book.open();
            let is_again = pages.told.iter().any(|known| known.alert.id == alert.id);
            pages.told.push(Told {
                alert,
                arrived_ns,
                is_again,
            });
            book.news.notify_all();
        }
    })
}

fn read_talk(stream: impl Read + Send + 'static, book: &Arc<Book>) -> JoinHandle<()> {
    let book = Arc::clone(book);
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            book.open().talk.push(line);
            book.news.notify_all();
        }
    })
}
