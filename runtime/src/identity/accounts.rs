//! Users and groups of a container: its own `/etc/passwd` and `/etc/group`, read through the root of one of its processes, in;
//! names of the kernel's numbers out.
//!
//! What is read is the container's: links in it stay in its root, only regular files of bounded length are read, and reading
//! is given up after a while, since a container may have mounted a file system that never answers.

use std::{
    fs::{self, File},
    io::{self, Read},
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::fs::MetadataExt as _,
    },
    path::Path,
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc::sync_channel,
    },
    thread,
    time::Duration,
};

use plimsoll_model::{Accounts, Group, User};
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags};

use super::read_bounded;
use crate::limits::{
    MAX_ACCOUNT_BYTES, MAX_ACCOUNT_FILE_BYTES, MAX_ACCOUNTS, MAX_PROC_FILE_BYTES, MAX_STUCK_READS, READ_PATIENCE,
};

/// Reads that have not come back.
static OPEN_READS: AtomicUsize = AtomicUsize::new(0);

/// Of the machine itself.
pub(crate) fn of_host() -> Accounts {
    let read = |path: &str| read_bounded(Path::new(path), MAX_ACCOUNT_FILE_BYTES).unwrap_or_default();
    parse(
        &read("/etc/passwd"),
        &read("/etc/group"),
        &Map::identity(),
        &Map::identity(),
    )
}

/// Of the container that a process is in; `None` when it has none, or does not say in time.
pub(crate) fn of_process(pid: i32) -> Option<Accounts> {
    let accounts = give_up_after(READ_PATIENCE, move || read_through(pid).ok());
    if accounts.is_none() {
        tracing::debug!(pid, "a container's users are not known");
    }
    accounts.flatten()
}

/// Reads on a thread of its own; `None` when that takes too long, or too many reads hang already. One that comes back in the
/// end, on a busy machine, makes room for others.
fn give_up_after<T: Send + 'static>(patience: Duration, read: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    if OPEN_READS.load(Ordering::Relaxed) >= MAX_STUCK_READS {
        return None;
    }
    let (sender, receiver) = sync_channel(1);
    let run = move || {
        let found = read();
        OPEN_READS.fetch_sub(1, Ordering::Relaxed);
        // Nobody waits any more when it took too long.
        let _ = sender.send(found);
    };
    OPEN_READS.fetch_add(1, Ordering::Relaxed);
    if thread::Builder::new().name("accounts".to_owned()).spawn(run).is_err() {
        OPEN_READS.fetch_sub(1, Ordering::Relaxed);
        return None;
    }
    receiver.recv_timeout(patience).ok()
}

/// Whether a process has a root of its own: before its engine has changed it, it looks at ours.
pub(crate) fn has_own_root(pid: i32) -> bool {
    let look = |path: &str| fs::metadata(path).ok().map(|data| (data.dev(), data.ino()));
    match (look(&format!("/proc/{pid}/root/.")), look("/.")) {
        (Some(its), Some(ours)) => its != ours,
        _ => false,
    }
}

fn read_through(pid: i32) -> io::Result<Accounts> {
    let root = rustix::fs::openat(
        CWD,
        format!("/proc/{pid}/root"),
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let passwd = read_in(&root, "etc/passwd")?;
    // Names of groups are a bonus.
    let group = read_in(&root, "etc/group").unwrap_or_default();
    let map = |name: &str| {
        let text = read_bounded(Path::new(&format!("/proc/{pid}/{name}")), MAX_PROC_FILE_BYTES).unwrap_or_default();
        Map::parse(&String::from_utf8_lossy(&text))
    };
    Ok(parse(&passwd, &group, &map("uid_map"), &map("gid_map")))
}

/// Opens nothing that is not a regular file: a device or a pipe would be used by being opened.
fn read_in(root: &OwnedFd, path: &str) -> io::Result<Vec<u8>> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let found = rustix::fs::openat2(root, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve)?;
    let data = rustix::fs::fstat(found.as_fd())?;
    if FileType::from_raw_mode(data.st_mode) != FileType::RegularFile {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    let mut bytes = Vec::new();
    File::open(format!("/proc/self/fd/{}", found.as_raw_fd()))?
        .take(MAX_ACCOUNT_FILE_BYTES)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Lines that do not follow the format are skipped.
fn parse(passwd: &[u8], group: &[u8], uids: &Map, gids: &Map) -> Accounts {
    let user = |fields: &[&str]| {
        let &[name, _, uid, _, _, home, shell, ..] = fields else {
            return None;
        };
        Some(User {
            uid: uids.outside(uid.parse().ok()?)?,
            name: name.to_owned(),
            home: home.to_owned(),
            shell: shell.to_owned(),
        })
    };
    let one_group = |fields: &[&str]| {
        let &[name, _, gid, ..] = fields else { return None };
        Some(Group {
            gid: gids.outside(gid.parse().ok()?)?,
            name: name.to_owned(),
        })
    };
    Accounts::new(lines(passwd, user), lines(group, one_group))
}

fn lines<T>(bytes: &[u8], parse: impl Fn(&[&str]) -> Option<T>) -> Vec<T> {
    let text = String::from_utf8_lossy(bytes);
    let short = text.lines().filter(|line| line.len() <= MAX_ACCOUNT_BYTES);
    short
        .filter_map(|line| parse(&line.split(':').collect::<Vec<_>>()))
        .take(MAX_ACCOUNTS)
        .collect()
}

/// A user namespace's numbers (user_namespaces(7)).
struct Map(Vec<(u32, u32, u32)>);

impl Map {
    fn identity() -> Self {
        Self(vec![(0, 0, u32::MAX)])
    }

    fn parse(text: &str) -> Self {
        let ranges = text.lines().filter_map(|line| {
            let mut numbers = line.split_whitespace().map(str::parse::<u32>);
            Some((numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?))
        });
        Self(ranges.collect())
    }

    /// The host's number; `None` where it has none.
    fn outside(&self, inside: u32) -> Option<u32> {
        self.0.iter().find_map(|(first, outside, count)| {
            let offset = inside.checked_sub(*first).filter(|offset| offset < count)?;
            outside.checked_add(offset)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_hosts() {
        let passwd =
            b"root:x:0:0:root:/root:/bin/bash\nredis:x:999:999::/data:/usr/sbin/nologin\nbroken\n\xff:x:y:0:::\n\
            far:x:70000:1::/:/bin/sh\n";
        let group = b"root:x:0:\nredis:x:999:a,b\n";
        let map = Map::parse("         0     100000      65536\n");
        let accounts = parse(passwd, group, &map, &map);
        let redis = accounts.user(100_999).unwrap();
        assert_eq!(
            (redis.name.as_str(), redis.home.as_str(), redis.shell.as_str()),
            ("redis", "/data", "/usr/sbin/nologin")
        );
        assert_eq!(accounts.user(100_000).unwrap().name, "root");
        assert_eq!(accounts.group(100_999).unwrap().name, "redis");
        assert!(accounts.user(170_000).is_none(), "it has no number outside");
        assert!(accounts.user(0).is_none());
    }

    #[test]
    fn links_stay_in_the_root_and_pipes_are_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let etc = folder.path().join("etc");
        fs::create_dir(&etc).unwrap();
        fs::write(folder.path().join("inside"), "inside").unwrap();
        let open = || rustix::fs::openat(CWD, folder.path(), OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
        std::os::unix::fs::symlink("../../../inside", etc.join("passwd")).unwrap();
        assert_eq!(read_in(&open(), "etc/passwd").unwrap(), b"inside");
        fs::remove_file(etc.join("passwd")).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", etc.join("passwd")).unwrap();
        assert!(
            read_in(&open(), "etc/passwd").is_err(),
            "the machine's own file is out of reach"
        );
        fs::remove_file(etc.join("passwd")).unwrap();
        rustix::fs::mkfifoat(CWD, etc.join("passwd"), Mode::RWXU).unwrap();
        assert!(read_in(&open(), "etc/passwd").is_err());
    }

    #[test]
    fn a_read_that_hangs_is_given_up_and_counts_until_it_comes_back() {
        let (release, released) = sync_channel::<()>(0);
        let hanging = move || {
            let _ = released.recv();
            "late"
        };
        assert_eq!(give_up_after(Duration::ZERO, hanging), None);
        assert!(OPEN_READS.load(Ordering::Relaxed) >= 1);
        assert_eq!(give_up_after(Duration::from_secs(60), || "at once"), Some("at once"));
        drop(release);
        while OPEN_READS.load(Ordering::Relaxed) > 0 {
            thread::yield_now();
        }
    }
}
