//! What every handler shares: the store, the clock, limits on work at once, live events, counters.

use std::sync::Arc;

use plimsoll_rules::RuleSet;
use tokio::sync::{Notify, Semaphore, broadcast, watch};

use crate::{
    Error,
    admission::Admission,
    answer::ApiError,
    clock::Clock,
    error::Result,
    limits,
    metrics::Metrics,
    store::{AlertSummary, NewAuditEntry, Store},
    throttle::Throttle,
};

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct App(Arc<Shared>);

/// The shared part.
pub(crate) struct Shared {
    store: Arc<dyn Store>,
    /// Time.
    pub(crate) clock: Clock,
    /// Counters.
    pub(crate) metrics: Metrics,
    /// Failed log-ins.
    pub(crate) throttle: Throttle,
    /// New alerts for whoever listens.
    pub(crate) live: broadcast::Sender<Arc<AlertSummary>>,
    /// Live streams that may still be opened.
    pub(crate) live_slots: Arc<Semaphore>,
    /// Passwords that may be hashed now.
    pub(crate) hash_slots: Semaphore,
    /// Log-ins that may wait.
    pub(crate) login_slots: Semaphore,
    /// KiB of bodies that may be in memory.
    pub(crate) body_memory: Semaphore,
    /// Reviews that may be worked on.
    pub(crate) review_slots: Semaphore,
    /// Rung when a scan was queued.
    pub(crate) scan_queued: Notify,
    /// Browsers reach the server by TLS: cookies are `Secure`.
    pub(crate) is_tls: bool,
    /// Turns true when the server ends.
    pub(crate) shutdown: watch::Receiver<bool>,
    /// Decides about reviews.
    pub(crate) admission: Admission,
    /// Judges Kubernetes audit events.
    pub(crate) audit_rules: RuleSet,
}

/// What an app is made from.
pub(crate) struct Parts {
    /// Where everything is kept.
    pub(crate) store: Arc<dyn Store>,
    /// Whether cookies are `Secure`.
    pub(crate) is_tls: bool,
    /// Turns true when the server ends.
    pub(crate) shutdown: watch::Receiver<bool>,
    /// Decides about reviews.
    pub(crate) admission: Admission,
    /// Judges Kubernetes audit events.
    pub(crate) audit_rules: RuleSet,
}

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl App {
    /// An app over a store.
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(Shared {
            store: parts.store,
            clock: Clock::default(),
            metrics: Metrics::new(),
            throttle: Throttle::default(),
            live: broadcast::channel(limits::LIVE_QUEUE_EVENTS).0,
            live_slots: Arc::new(Semaphore::new(limits::MAX_LIVE_STREAMS)),
            hash_slots: Semaphore::new(limits::MAX_CONCURRENT_HASHES),
            login_slots: Semaphore::new(limits::MAX_WAITING_LOGINS),
            body_memory: Semaphore::new(limits::MAX_BODY_MEMORY_KIB as usize),
            review_slots: Semaphore::new(limits::MAX_CONCURRENT_REVIEWS),
            scan_queued: Notify::new(),
            is_tls: parts.is_tls,
            shutdown: parts.shutdown,
            admission: parts.admission,
            audit_rules: parts.audit_rules,
        }))
    }

    /// Milliseconds since the Unix epoch.
    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Runs `work` on the store, off the async threads.
    pub(crate) async fn store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Store) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let store = self.0.store.clone();
        run_blocking(move || work(store.as_ref())).await?
    }

    /// Writes the audit log.
    pub(crate) async fn audit(&self, entry: NewAuditEntry) -> std::result::Result<(), ApiError> {
        let now_ms = self.now_ms();
        self.store(move |store| store.add_audit(&entry, now_ms))
            .await
            .map_err(ApiError::from)
    }
}

/// Runs work that blocks or computes for long on a thread of its own.
pub(crate) async fn run_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::Task(error.to_string()))
}
