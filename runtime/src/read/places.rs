//! Which opens for reading leave the kernel: what rules ask for in, the first two components of paths and names of components
//! in maps out.

use aya::{
    Ebpf,
    maps::{Array, HashMap},
};
use plimsoll_rules::ReadPaths;

use crate::{
    load::{refused, take},
    sensor::{Need, Plan, SensorError},
};

/// `PLACE_BYTES` of `bpf/file.h`, the final NUL included.
const PLACE_BYTES: usize = 32;
/// Entries of the maps; more than that and every read leaves the kernel.
const MAX_PLACES: usize = 1_024;
const MAX_NAMES: usize = 256;

type Key = [u8; 2 * PLACE_BYTES];
type Name = [u8; PLACE_BYTES];

/// What the maps hold.
#[derive(Debug, PartialEq, Eq)]
struct Gate {
    places: Vec<Key>,
    names: Vec<Name>,
}

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
    match gate(reads) {
        _ if !is_planned(Need::OpenRead) => NONE,
        None => EVERYTHING,
        Some(gate) if gate.places.is_empty() && gate.names.is_empty() && !reads.with_dots => NONE,
        Some(_) => SOME,
    }
}

/// Tells the kernel side the places and names, and then how long they are.
pub(super) fn fill(object: &mut Ebpf, reads: &ReadPaths) -> Result<(), SensorError> {
    let mut places: HashMap<_, Key, u8> =
        HashMap::try_from(take(object, "read_places")?).map_err(refused("read_places"))?;
    let mut names: HashMap<_, Name, u8> =
        HashMap::try_from(take(object, "read_names")?).map_err(refused("read_names"))?;
    let mut lengths: Array<_, [u32; 3]> =
        Array::try_from(take(object, "read_lengths")?).map_err(refused("read_lengths"))?;
    let Some(gate) = gate(reads) else { return Ok(()) };
    for key in &gate.places {
        places.insert(key, 1, 0).map_err(refused("read_places"))?;
    }
    for name in &gate.names {
        names.insert(name, 1, 0).map_err(refused("read_names"))?;
    }
    lengths.set(0, gate.lengths(), 0).map_err(refused("read_lengths"))
}

/// `None`: everything.
fn gate(reads: &ReadPaths) -> Option<Gate> {
    if reads.everything || reads.files.len() + reads.prefixes.len() > MAX_PLACES || reads.names.len() > MAX_NAMES {
        return None;
    }
    let files = reads.files.iter().map(|path| key(path, true));
    let prefixes = reads.prefixes.iter().map(|path| key(path, false));
    let names = reads.names.iter().map(|name| {
        let mut text = [0; PLACE_BYTES];
        copy(name, &mut text);
        text
    });
    Some(Gate {
        places: files.chain(prefixes).collect::<Option<_>>()?,
        names: names.collect(),
    })
}

impl Gate {
    /// `struct read_lengths` of `bpf/file.h`: of names, of first and of second components.
    fn lengths(&self) -> [u32; 3] {
        let halves = self.places.iter().map(|key| key.split_at(PLACE_BYTES));
        let (firsts, seconds): (Vec<&[u8]>, Vec<&[u8]>) = halves.unzip();
        [
            lengths_of(self.names.iter().map(Name::as_slice)),
            lengths_of(firsts.into_iter()),
            lengths_of(seconds.into_iter()),
        ]
    }
}

/// One bit for each length; texts are shorter than 32 bytes, for they end with a NUL.
fn lengths_of<'a>(texts: impl Iterator<Item = &'a [u8]>) -> u32 {
    texts.fold(0, |bits, text| {
        let length = text.iter().position(|byte| *byte == 0).unwrap_or(PLACE_BYTES - 1);
        bits | 1 << length
    })
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
    fn lengths_are_those_of_the_texts_in_the_maps() {
        let long = "x".repeat(40);
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let reads = ReadPaths {
            files: texts(&["/etc/shadow", &format!("/{long}/y")]),
            prefixes: texts(&["/root/"]),
            names: texts(&[".ssh", "config", &long]),
            ..ReadPaths::default()
        };
        let gate = gate(&reads).unwrap();
        assert_eq!(
            gate.lengths(),
            [
                1 << 4 | 1 << 6 | 1 << 31,
                1 << 3 | 1 << 4 | 1 << 31,
                1 << 6 | 1 | 1 << 1
            ]
        );
        let none = ReadPaths::default();
        assert_eq!(super::gate(&none).unwrap().lengths(), [0, 0, 0]);
    }

    #[test]
    fn what_finds_no_room_is_everything() {
        let numbered = |count: usize| (0..count).map(|number| format!("/etc/{number}")).collect::<Vec<_>>();
        let many = |files: usize, names: usize| ReadPaths {
            files: numbered(files),
            names: numbered(names),
            ..ReadPaths::default()
        };
        assert!(gate(&many(MAX_PLACES, MAX_NAMES)).is_some());
        assert_eq!(gate(&many(MAX_PLACES + 1, 0)), None);
        assert_eq!(gate(&many(0, MAX_NAMES + 1)), None);
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
