//! What was downloaded of one feed: the last good file, an unfinished one, and what is known of them.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::fetch::{Fingerprint, read_state, write_state};
use crate::read::{self, io_error};
use crate::{Error, FeedOutcome};

/// What is known of the version of a feed that the database holds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct State {
    pub(crate) fingerprint: Fingerprint,
    /// SHA-256 of the file; for a folder or a local file, of the names, sizes and times in it.
    pub(crate) digest: String,
    /// Sources of its records.
    pub(crate) sources: Vec<String>,
    /// RFC 3339 time at which it was last good or unchanged.
    pub(crate) checked: String,
    pub(crate) is_local: bool,
}

/// A feed's own folder: `good/NAME`, `part/NAME`, `part/part.json` and `state.json`.
pub(crate) struct Cache {
    folder: PathBuf,
}

impl Cache {
    pub(crate) fn open(folder: &Path, feed: &str) -> Result<Self, Error> {
        let folder = folder.join(feed);
        fs::create_dir_all(&folder).map_err(|source| io_error("create folder", &folder, source))?;
        Ok(Self { folder })
    }

    pub(crate) fn read_state(&self) -> Option<State> {
        read_state(&self.folder.join("state.json"))
    }

    /// The file that the database was built from.
    pub(crate) fn good(&self) -> Option<PathBuf> {
        only_file(&self.folder.join("good"))
    }

    /// Where a download goes. The name is the URL's last, because feeds are recognised by it too.
    pub(crate) fn part(&self, url_path: &str) -> Result<PathBuf, String> {
        let folder = self.folder.join("part");
        fs::create_dir_all(&folder).map_err(|error| format!("create folder {}: {error}", folder.display()))?;
        let last = url_path.rsplit('/').next().unwrap_or_default();
        let plain: String = last
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c))
            .take(128)
            .collect();
        let plain = plain.trim_start_matches('.');
        Ok(folder.join(if plain.is_empty() || plain == "part.json" {
            "feed.json"
        } else {
            plain
        }))
    }

    /// A finished download.
    pub(crate) fn downloaded(&self) -> Option<PathBuf> {
        only_file(&self.folder.join("part"))
    }

    /// Writes down what the database holds now. Killed before, the next run downloads again.
    pub(crate) fn settle(&self, outcome: &FeedOutcome, next: &State, old: &State, now: &str) -> Result<(), Error> {
        let failed = |source| io_error("write", &self.folder, source);
        let (part, good) = (self.folder.join("part"), self.folder.join("good"));
        let checked = now.to_owned();
        let state = match outcome {
            FeedOutcome::Failed(_) => {
                // A whole file that was refused is of no more use; a part of one is.
                if self.is_finished() {
                    remove_folder(&part).map_err(failed)?;
                }
                return write_state(&self.folder.join("state.json"), old).map_err(failed);
            }
            FeedOutcome::Unchanged => State {
                checked,
                ..next.clone()
            },
            FeedOutcome::New => {
                if part.exists() && !next.is_local {
                    remove_folder(&good).map_err(failed)?;
                    fs::rename(&part, &good).map_err(failed)?;
                }
                State {
                    checked,
                    ..next.clone()
                }
            }
        };
        write_state(&self.folder.join("state.json"), &state).map_err(failed)
    }

    fn is_finished(&self) -> bool {
        !self.folder.join("part/part.json").exists()
    }
}

fn remove_folder(folder: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn only_file(folder: &Path) -> Option<PathBuf> {
    let mut files = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    files.find(|path| path.is_file() && path.file_name().is_some_and(|name| name != "part.json"))
}

/// SHA-256 of a file's bytes.
pub(crate) fn file_digest(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(hex(&hasher.finalize()));
        }
        hasher.update(&buffer[..read]);
    }
}

/// SHA-256 of the names, sizes and times of a file or of a folder's files. An error is the reason.
pub(crate) fn local_digest(path: &Path) -> Result<String, String> {
    let files = read::find_files(&[path.to_owned()]).map_err(|error| error.to_string())?;
    let mut hasher = Sha256::new();
    for file in files {
        let metadata = fs::metadata(&file).map_err(|error| format!("read {}: {error}", file.display()))?;
        let modified = metadata
            .modified()
            .ok()
            .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        hasher.update(format!("{} {} {modified:?}\n", file.display(), metadata.len()));
    }
    Ok(hex(&hasher.finalize()))
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
