//! Scan reports from the registry that an image came from: an image in, a report in a folder out. A child process asks the
//! registry and checks the signature, as another user and with a time limit; nothing of what a registry says is read here.

use std::{
    collections::HashMap,
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use plimsoll_model::{ContainerImage, Digest, ImageRef, Note, NoteKind};

use super::broker::{Broker, ChildOptions};
use crate::limits::{MAX_NOTICES, MAX_PULLS};

/// How reports are got from registries.
#[derive(Debug, Clone)]
pub struct PullOptions {
    /// What is run for each image.
    pub child: ChildOptions,
    /// Who runs it.
    pub runner: Runner,
    /// An image without report is asked for again after this long.
    pub again: Duration,
    /// Where reports are kept.
    pub folder: PathBuf,
    /// Hosts that are asked; empty: every registry that an image names.
    pub registries: Vec<String>,
}

/// Who runs the children.
#[derive(Debug, Clone)]
pub enum Runner {
    /// This process.
    Here,
    /// One that was started for it, since an agent that has given up its rights starts nothing.
    Broker(Arc<Mutex<Broker>>),
}

/// The identity thread's end.
#[derive(Debug)]
pub(crate) struct Puller {
    sender: SyncSender<(Digest, String)>,
    shared: Arc<Mutex<Shared>>,
    options: Arc<PullOptions>,
}

#[derive(Debug, Default)]
struct Shared {
    /// By config digest: when it may be asked for again; `None` as long as it is being asked for.
    asked: HashMap<Digest, Option<Instant>>,
    notes: Vec<Note>,
}

impl Puller {
    /// Starts the thread that runs children, one at a time. It ends when the puller is dropped.
    ///
    /// # Errors
    /// The folder cannot be made, or the thread not be started.
    pub(crate) fn start(options: PullOptions) -> io::Result<Self> {
        fs::create_dir_all(&options.folder)?;
        let (sender, receiver) = sync_channel(MAX_PULLS);
        let puller = Self {
            sender,
            shared: Arc::default(),
            options: Arc::new(options),
        };
        let (shared, options) = (Arc::clone(&puller.shared), Arc::clone(&puller.options));
        thread::Builder::new()
            .name("profiles".to_owned())
            .spawn(move || run(&receiver, &shared, &options))?;
        Ok(puller)
    }

    /// The folder that reports come into.
    pub(crate) fn folder(&self) -> &Path {
        &self.options.folder
    }

    /// Asks for the report of an image. May be repeated as often as one likes.
    pub(crate) fn want(&self, image: &ContainerImage) {
        let Some((config_digest, reference)) = question(image, &self.options.registries) else {
            return;
        };
        let mut shared = lock(&self.shared);
        let is_known = match shared.asked.get(&config_digest) {
            Some(None) => true,
            Some(Some(again)) => Instant::now() < *again,
            None => shared.asked.len() >= 16 * MAX_PULLS,
        };
        if !is_known && self.sender.try_send((config_digest, reference)).is_ok() {
            shared.asked.insert(config_digest, None);
        }
    }

    /// What went wrong since the last call.
    pub(crate) fn notes(&self) -> Vec<Note> {
        std::mem::take(&mut lock(&self.shared).notes)
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What to ask for. Without a config digest nobody could tell that the answer is about this image: tags move, and a
/// manifest digest may be that of an index. Images of no registry (`localhost/…`, bare ids) are nowhere.
fn question(image: &ContainerImage, registries: &[String]) -> Option<(Digest, String)> {
    let config_digest = image.config_digest?;
    let mut reference: ImageRef = image.reference.parse().ok()?;
    let is_asked = match registries {
        [] => reference.registry != "localhost",
        some => some.contains(&reference.registry),
    };
    if let (Some(digest), None) = (image.manifest_digest, reference.digest) {
        reference.digest = Some(digest);
    }
    is_asked.then(|| (config_digest, reference.to_string()))
}

fn run(wanted: &Receiver<(Digest, String)>, shared: &Mutex<Shared>, options: &PullOptions) {
    for (config_digest, reference) in wanted {
        let result = pull(config_digest, &reference, options);
        let mut shared = lock(shared);
        shared.asked.insert(config_digest, Some(Instant::now() + options.again));
        let note = match result {
            Ok(()) => continue,
            Err(reason) => Note::new(NoteKind::Unreadable, reference, reason),
        };
        if shared.notes.len() < MAX_NOTICES {
            shared.notes.push(note);
        }
    }
}

/// Has one report got, and keeps it.
fn pull(config_digest: Digest, reference: &str, options: &PullOptions) -> Result<(), String> {
    let bytes = match &options.runner {
        Runner::Here => options.child.fetch(config_digest, reference)?,
        Runner::Broker(broker) => broker
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .fetch(config_digest, reference)?,
    };
    let name = config_digest.to_string().replace(':', "-");
    let new = options.folder.join(format!("{name}.new"));
    let keep = || -> io::Result<()> {
        let mut file = fs::OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&new, options.folder.join(format!("{name}.json")))
    };
    keep().map_err(|error| {
        // It may not be there.
        drop(fs::remove_file(&new));
        format!("keep the report in {}: {error}", options.folder.display())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::digest;

    fn options(folder: &Path, script: &str) -> PullOptions {
        PullOptions {
            child: ChildOptions {
                program: "/bin/sh".into(),
                arguments: vec!["-c".to_owned(), script.to_owned(), "sh".to_owned()],
                environment: Vec::new(),
                key: "the key".to_owned(),
                user: None,
                patience: Duration::from_secs(20),
            },
            runner: Runner::Here,
            again: Duration::from_secs(300),
            folder: folder.to_owned(),
            registries: Vec::new(),
        }
    }

    fn image(reference: &str, manifest: Option<u8>, config: Option<u8>) -> ContainerImage {
        ContainerImage {
            reference: reference.to_owned(),
            manifest_digest: manifest.map(digest),
            config_digest: config.map(digest),
        }
    }

    #[test]
    fn asks_by_digest_and_only_registries() {
        let asked = |image: &ContainerImage, only: &[String]| question(image, only).map(|(_, reference)| reference);
        let found = asked(&image("r.example/team/redis:1", Some(2), Some(1)), &[]).unwrap();
        assert!(
            found.starts_with("r.example/team/redis") && found.ends_with(&digest(2).to_string()),
            "{found}"
        );
        assert_eq!(
            asked(&image("r.example/a:1", None, Some(1)), &[]).as_deref(),
            Some("r.example/a:1")
        );
        for (reference, config, only) in [
            ("localhost/a:1", Some(1), &[][..]),
            ("r.example/a:1", None, &[]),
            ("r.example/a:1", Some(1), &["other.example".to_owned()]),
            ("--output=/etc/passwd", Some(1), &[]),
        ] {
            assert_eq!(asked(&image(reference, Some(2), config), only), None, "{reference}");
        }
    }

    #[test]
    fn what_the_child_writes_is_kept_under_the_digest() {
        let folder = tempfile::tempdir().unwrap();
        let script = r#"read key || true; printf '%s|%s' "$key" "$*""#;
        pull(digest(1), "r.example/a:1", &options(folder.path(), script)).unwrap();
        let name = format!("{}.json", digest(1).to_string().replace(':', "-"));
        let text = fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(text, format!("the key|--config-digest={} -- r.example/a:1", digest(1)));
    }

    #[test]
    fn a_child_that_fails_or_hangs_leaves_nothing() {
        for (script, patience, expected) in [
            (
                "echo 'error: failed to read x' >&2; echo half; exit 3",
                20,
                "failed to read x",
            ),
            ("exit 7", 20, "ended with 7"),
            ("kill -9 $$", 20, "signal 9"),
            ("exec sleep 600", 0, "nothing came"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let mut options = options(folder.path(), script);
            options.child.patience = Duration::from_secs(patience);
            let error = pull(digest(1), "r.example/a:1", &options).unwrap_err();
            assert!(error.contains(expected), "{script}: {error}");
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{script}");
        }
    }
}
