//! Which opens for reading leave the kernel: what rules ask for in, the first two components of paths in a map out.

use aya::{Ebpf, maps::HashMap};
use plimsoll_rules::ReadPaths;

use crate::{
    load::{refused, take},
    sensor::{Need, Plan, SensorError},
};

/// `PLACE_BYTES` of `bpf/file.h`, the final NUL included.
const PLACE_BYTES: usize = 32;
/// Entries of the map; more places than that and every read leaves the kernel.
const MAX_PLACES: usize = 1_024;

type Key = [u8; 2 * PLACE_BYTES];

const NONE: u8 = 0;
const SOME: u8 = 1;
const EVERYTHING: u8 = 2;

/// The constant `reads` of `bpf/file.h`.
pub(super) fn mode(plan: &Plan, reads: &ReadPaths) -> u8 {
    let is_planned = |need: Need| {
        plan.entries
            .iter()
            .any(|entry| entry.need == need && entry.way.is_some())
    };
    match keys(reads) {
        _ if !is_planned(Need::OpenRead) => NONE,
        None => EVERYTHING,
        Some(keys) if keys.is_empty() && !reads.with_dots => NONE,
        Some(_) => SOME,
    }
}

/// Tells the kernel side the places.
pub(super) fn fill(object: &mut Ebpf, reads: &ReadPaths) -> Result<(), SensorError> {
    let mut map: HashMap<_, Key, u8> =
        HashMap::try_from(take(object, "read_places")?).map_err(refused("read_places"))?;
    for key in keys(reads).unwrap_or_default() {
        map.insert(key, 1, 0).map_err(refused("read_places"))?;
    }
    Ok(())
}

/// `None`: everything.
fn keys(reads: &ReadPaths) -> Option<Vec<Key>> {
    if reads.everything || reads.files.len() + reads.prefixes.len() > MAX_PLACES {
        return None;
    }
    let files = reads.files.iter().map(|path| key(path, true));
    let prefixes = reads.prefixes.iter().map(|path| key(path, false));
    files.chain(prefixes).collect()
}

/// `is_whole`: the last component is not merely the beginning of one.
fn key(path: &str, is_whole: bool) -> Option<Key> {
    let whole = match (is_whole, path.rfind('/')) {
        (true, _) => path,
        (false, Some(slash)) => &path[..slash],
        (false, None) => "",
    };
    let mut parts = whole.split('/').filter(|part| !part.is_empty());
    let mut key = [0; 2 * PLACE_BYTES];
    let (first, second) = key.split_at_mut(PLACE_BYTES);
    copy(parts.next()?, first);
    copy(parts.next().unwrap_or(""), second);
    Some(key)
}

fn copy(part: &str, to: &mut [u8]) {
    let length = part.len().min(PLACE_BYTES - 1);
    to[..length].copy_from_slice(&part.as_bytes()[..length]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(key: Key) -> (String, String) {
        let text = |bytes: &[u8]| {
            let end = bytes.iter().position(|byte| *byte == 0).unwrap();
            String::from_utf8(bytes[..end].to_vec()).unwrap()
        };
        (text(&key[..PLACE_BYTES]), text(&key[PLACE_BYTES..]))
    }

    #[test]
    fn a_key_never_says_more_than_the_path() {
        let long = "x".repeat(40);
        for (path, is_whole, expected) in [
            ("/etc/shadow", true, Some(("etc", "shadow"))),
            ("/etc/pam.d/x", true, Some(("etc", "pam.d"))),
            ("/etc/", false, Some(("etc", ""))),
            ("/etc/pam.d/", false, Some(("etc", "pam.d"))),
            // Also a prefix of /root/.sshrc.
            ("/root/.ssh", false, Some(("root", ""))),
            ("/etc", false, None),
            ("/", false, None),
            ("", false, None),
            (&format!("/{long}/y"), true, Some((&long[..31], "y"))),
        ] {
            let expected = expected.map(|(first, second)| (first.to_owned(), second.to_owned()));
            assert_eq!(key(path, is_whole).map(shown), expected, "{path}");
        }
    }
}
