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
use plimsoll_model::{Alert, FollowUp, Reason};

use crate::command;

/// Longest wait for the agent to attach its sensors, and to end.
const LIMIT: Duration = Duration::from_secs(60);
/// The agent tells an open alert again when nothing was added to it for this long.
pub(super) const UPDATE_AFTER: Duration = Duration::from_secs(1);

/// An alert, and when its line came.
#[derive(Debug, Clone)]
pub(super) struct Told {
    /// The alert.
    pub(super) alert: Alert,
    /// Nanoseconds since the Unix epoch.
    pub(super) arrived_ns: u64,
    /// The same alert was told before: more of the same, or a consequence.
    pub(super) is_again: bool,
    /// Follow-ups that were not told before; of a new alert, all.
    pub(super) added: Vec<FollowUp>,
    /// The same act was counted again, beyond what follow-ups say. When that was is not told.
    pub(super) has_repeats: bool,
}

impl Told {
    fn new(alert: Alert, before: Option<&Alert>, arrived_ns: u64) -> Self {
        let known = before.map_or(0, |before| before.follow_ups.len());
        let added: Vec<FollowUp> = alert.follow_ups.iter().skip(known).cloned().collect();
        let counted = before.map_or(alert.count, |before| alert.count.saturating_sub(before.count));
        Self {
            is_again: before.is_some(),
            has_repeats: before.is_some() && counted > u64::try_from(added.len()).unwrap_or(u64::MAX),
            added,
            alert,
            arrived_ns,
        }
    }

    /// Names of rules and deviations that fired at `from_ns` or later: those of a new alert, of follow-ups by their own
    /// time, and the alert's own where it was counted again. That is told [`UPDATE_AFTER`] it happened and not before,
    /// so what comes sooner speaks of an earlier act.
    pub(super) fn names_since(&self, from_ns: u64) -> Vec<&str> {
        let wait_ns = u64::try_from(UPDATE_AFTER.as_nanos()).unwrap_or(u64::MAX);
        let is_own = match self.is_again {
            false => self.alert.time_ns >= from_ns,
            true => self.has_repeats && self.arrived_ns >= from_ns.saturating_add(wait_ns),
        };
        let own = self.alert.reasons.iter().filter(|_| is_own).map(|reason| match reason {
            Reason::Deviation { kind, .. } => kind.as_str(),
            Reason::Rule { name, .. } => name.as_str(),
        });
        let added = self.added.iter().filter(|one| one.time_ns >= from_ns);
        own.chain(added.flat_map(|one| one.rules.iter().map(String::as_str)))
            .collect()
    }
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
            let before = pages.told.iter().rev().find(|known| known.alert.id == alert.id);
            let told = Told::new(alert, before.map(|known| &known.alert), arrived_ns);
            pages.told.push(told);
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn alert(count: u64, follow_ups: &[(u64, &str)]) -> Alert {
        let follow_ups: Vec<_> = follow_ups
            .iter()
            .map(|(time_ns, rule)| json!({"time_ns": time_ns, "observed": "exec x", "rules": [rule]}))
            .collect();
        let reason = json!({"deviation": {
            "kind": "session", "verb": "exec", "explanation": "", "evidence": [], "confidence": "B",
        }});
        let alert = json!({
            "schema": "s", "id": "1", "time_ns": 10 * SECOND, "priority": "warning", "rule": "session", "summary": "",
            "reasons": [reason], "node": "n", "container_id": "c", "container_name": null, "runtime": null, "image": null,
            "pod": null, "phase": null, "process": null, "ancestry": [], "observed": "", "expected": [],
            "executable": null, "techniques": [], "lost_events": 0, "allow": null, "follow_ups": follow_ups,
            "count": count,
        });
        serde_json::from_value(alert).unwrap()
    }

    #[test]
    fn tells_what_fired_since_an_act_began() {
        let first = alert(1, &[]);
        let new = Told::new(first.clone(), None, 10 * SECOND);
        assert_eq!(new.names_since(10 * SECOND), ["session"]);
        assert!(new.names_since(10 * SECOND + 1).is_empty());

        let followed = Told::new(
            alert(3, &[(20 * SECOND, "a"), (30 * SECOND, "b")]),
            Some(&first),
            31 * SECOND,
        );
        assert_eq!(followed.names_since(15 * SECOND), ["a", "b"]);
        assert_eq!(followed.names_since(25 * SECOND), ["b"]);
        let more = Told::new(
            alert(4, &[(20 * SECOND, "a"), (30 * SECOND, "b"), (40 * SECOND, "c")]),
            Some(&followed.alert),
            41 * SECOND,
        );
        assert_eq!(more.names_since(0), ["c"]);
    }

    #[test]
    fn a_repetition_is_told_a_second_after_it_happened_and_not_before() {
        let repeated = Told::new(alert(2, &[]), Some(&alert(1, &[])), 21 * SECOND);
        assert_eq!(repeated.names_since(20 * SECOND), ["session"]);
        assert!(repeated.names_since(20 * SECOND + 1).is_empty());
    }
}
