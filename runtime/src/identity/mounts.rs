//! `/proc/PID/mountinfo` in, mounts out (proc_pid_mountinfo(5)).

use std::path::Path;

use super::{Case, read_bounded};
use crate::limits::MAX_PROC_FILE_BYTES;

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    /// Folder of the file system that is mounted.
    pub(crate) root: String,
    /// Where.
    pub(crate) point: String,
    /// Type of file system.
    pub(crate) kind: String,
    /// Options of the file system.
    pub(crate) options: String,
}

/// Lines that do not follow the format are skipped.
pub(crate) fn parse(text: &str) -> impl Iterator<Item = Mount> {
    text.lines().filter_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let mut before = before.split(' ').skip(3);
        let mut after = after.split(' ');
        Some(Mount {
            root: unescape(before.next()?),
            point: unescape(before.next()?),
            kind: after.next()?.to_owned(),
            options: unescape(after.nth(1).unwrap_or_default()),
        })
    })
}

/// Folders in which the engine of a container may keep its storage: taken from overlay mounts, whose upper folder is
/// `<storage>/<driver>/<layer>/<leaf>`, so that a custom storage folder is found.
pub(crate) fn storage_folders(case: &Case<'_>, driver: &str) -> Vec<String> {
    let path = case.at(&format!("/proc/{}/mountinfo", case.pid));
    let text = read_bounded(Path::new(&path), MAX_PROC_FILE_BYTES).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let marker = format!("/{driver}/");
    let mut folders: Vec<String> = Vec::new();
    for mount in parse(&text) {
        let upper = mount
            .options
            .split(',')
            .find_map(|option| option.strip_prefix("upperdir="));
        // The vfs driver binds `<storage>/vfs/dir/<layer>`.
        let place = upper.or((mount.point == "/").then_some(mount.root.as_str()));
        let Some((folder, _)) = place.and_then(|place| place.rsplit_once(&marker)) else {
            continue;
        };
        if folder.starts_with('/') && !folders.iter().any(|known| known == folder) {
            folders.push(folder.to_owned());
        }
    }
    folders
}

/// `\040` and the like.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let raw = text.as_bytes();
    let mut at = 0;
    while at < raw.len() {
        let code = raw
            .get(at + 1..at + 4)
            .filter(|_| raw[at] == b'\\')
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code {
            Some(byte) => {
                bytes.push(byte);
                at += 4;
            }
            None => {
                bytes.push(raw[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_overlay_mounts_and_escapes() {
        let line = r"36 35 98:0 /mnt1 /mnt\0402 rw,noatime master:1 - overlay overlay rw,lowerdir=/s/overlay/l/A,upperdir=/s/overlay/abc/diff,workdir=/s/overlay/abc/work";
        let mounts: Vec<Mount> = parse(&format!("{line}\nbroken\n\n")).collect();
        assert_eq!(mounts.len(), 1);
        assert_eq!(
            (mounts[0].point.as_str(), mounts[0].kind.as_str()),
            ("/mnt 2", "overlay")
        );
        assert!(mounts[0].options.contains("upperdir=/s/overlay/abc/diff"));
    }
}
