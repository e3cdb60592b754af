//! Rules that change while the agent runs: SIGHUP and changed files in, compiled rules out. Rules that have errors are said,
//! and nothing comes out but that.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread,
    time::{Duration, SystemTime},
};

use plimsoll_rules::RuleSet;
use plimsoll_runtime::agent::RuleChange;

use crate::{
    exit::{Exit, Failure},
    rule_files,
};

/// How often files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A file that was written to so recently may not be whole yet.
const REST: Duration = Duration::from_millis(500);

/// Where rules come from.
#[derive(Debug, Clone)]
pub(super) struct Sources {
    /// Files and folders.
    pub(super) paths: Vec<PathBuf>,
    /// The shipped ones come first.
    pub(super) has_shipped: bool,
}

/// One file as it was when it was looked at: path, length, inode number, time of its last change.
type Look = (PathBuf, u64, u64, Option<SystemTime>);

impl Sources {
    /// Loads all rules; says on standard error what is to be said about them.
    ///
    /// # Errors
    /// A file cannot be read, can be written by anybody, or has errors.
    pub(super) fn load(&self) -> Result<RuleSet, Failure> {
        let files = rule_files::list(&self.paths)?;
        if let Some(reason) = files.iter().find_map(|file| why_not_to_trust(file)) {
            let error = anyhow::anyhow!("trust rules: {reason}");
            let hint = "whoever can write rules can blind the agent: take the right to write from others (chmod o-w)";
            return Err(Failure::new(Exit::Usage, error, hint));
        }
        let shipped = match self.has_shipped {
            true => RuleSet::shipped_files(),
            false => Vec::new(),
        };
        rule_files::load(shipped, &self.paths)
    }

    /// An error is a look, too: it is told once.
    fn look(&self) -> Result<Vec<Look>, String> {
        let files = rule_files::list(&self.paths).map_err(|failure| failure.reason())?;
        let look = |path: PathBuf| -> io::Result<Look> {
            let data = fs::metadata(&path)?;
            Ok((path, data.len(), data.ino(), data.modified().ok()))
        };
        files
            .into_iter()
            .map(|file| look(file).map_err(|error| error.to_string()))
            .collect()
    }
}

/// Starts the thread that looks; `rules` are those that run, as they were read. Gives what wakes it (SIGHUP), and what comes
/// out.
///
/// # Errors
/// No thread can be started.
pub(super) fn start(sources: Sources) -> Result<(SyncSender<()>, Receiver<RuleChange>), Failure> {
    let (wake, woken) = sync_channel(1);
    let (sender, changes) = sync_channel(1);
    let mut last = sources.look();
    let run = move || {
        loop {
            let is_asked = match woken.recv_timeout(LOOK_EVERY) {
                Ok(()) => true,
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let now = sources.look();
            if !is_asked && (now == last || is_fresh(&now)) {
                continue;
            }
            last = now;
            let change = match sources.load() {
                Ok(rules) => RuleChange::Rules(Box::new(rules)),
                Err(failure) => RuleChange::Refused(failure.reason()),
            };
            if sender.send(change).is_err() {
                return;
            }
        }
    };
    match thread::Builder::new().name("rule files".to_owned()).spawn(run) {
        Ok(_) => Ok((wake, changes)),
        Err(error) => {
            let context = anyhow::Error::new(error).context("start the thread that looks at rule files");
            Err(Failure::new(Exit::Incomplete, context, "raise the limit of threads"))
        }
    }
}

fn is_fresh(look: &Result<Vec<Look>, String>) -> bool {
    let times = look.iter().flatten().filter_map(|(.., changed)| *changed);
    times
        .into_iter()
        .any(|changed| changed.elapsed().is_ok_and(|age| age < REST))
}

/// Why somebody else may decide what a rule file says; `None` when nobody can.
fn why_not_to_trust(file: &Path) -> Option<String> {
    let file = fs::canonicalize(file).ok()?;
    let data = fs::metadata(&file).ok()?;
    if data.mode() & 0o002 != 0 {
        return Some(format!("{} can be written by anybody", file.display()));
    }
    let folder = file.parent()?;
    let mode = fs::metadata(folder).ok()?.mode();
    // In a folder like /tmp, with the sticky bit, others cannot replace the file.
    (mode & 0o002 != 0 && mode & 0o1000 == 0)
        .then(|| format!("anybody can replace {} in {}", file.display(), folder.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn rules_that_others_can_write_are_not_trusted() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let file = folder.path().join("rules.yaml");
        fs::write(&file, "[]").expect("the folder is ours");
        for (folder_mode, file_mode, is_trusted) in [
            (0o755, 0o644, true),
            (0o755, 0o664, true),
            (0o755, 0o666, false),
            (0o777, 0o644, false),
            (0o1777, 0o644, true),
        ] {
            let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
            set(&file, file_mode).expect("the file is ours");
            set(folder.path(), folder_mode).expect("the folder is ours");
            let reason = why_not_to_trust(&file);
            assert_eq!(
                reason.is_none(),
                is_trusted,
                "{folder_mode:o} {file_mode:o}: {reason:?}"
            );
        }
    }
}
