//! Debian's copyright files in, the licences that they name out (Debian policy 12.5, copyright-format 1.0).
//!
//! Images often lose `/usr/share/doc` in a later layer, so what they say is taken while they pass.

use plimsoll_model::FileEntry;

use super::{Seen, Sighting, Watch, Watcher};

/// Licences of packages of dpkg.
pub(super) struct Copyright;

/// Longer ones hold the texts of licences, whose names came before.
const MAX_BYTES: usize = 512 << 10;
/// Names of one package.
const MAX_NAMES: usize = 64;
/// Longer ones are the text, not the name.
const MAX_NAME_BYTES: usize = 120;

impl Watcher for Copyright {
    fn wants(&self, entry: &FileEntry, _: &[u8]) -> Option<Box<dyn Watch>> {
        let folder = entry.path.strip_prefix("/usr/share/doc/")?.strip_suffix("/copyright")?;
        let bytes = usize::try_from(entry.size_bytes).map_or(MAX_BYTES, |bytes| bytes.min(MAX_BYTES));
        (!folder.contains('/')).then(|| Box::new(Text(Vec::with_capacity(bytes))) as Box<dyn Watch>)
    }
}

struct Text(Vec<u8>);

impl Watch for Text {
    fn feed(&mut self, bytes: &[u8]) {
        let room = MAX_BYTES - self.0.len();
        self.0.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn finish(self: Box<Self>, _: &FileEntry, seen: &mut Seen) {
        let text = String::from_utf8_lossy(&self.0);
        let mut names = match text.lines().take(8).any(|line| line.starts_with("Format")) {
            true => stated(&text),
            false => Vec::new(),
        };
        if names.is_empty() {
            names = common(&text);
        }
        if !names.is_empty() {
            seen.sightings.push(Sighting::Licences(names));
        }
    }
}

fn add(names: &mut Vec<String>, name: &str) {
    let name = name.trim();
    let is_name = !name.is_empty() && name.len() <= MAX_NAME_BYTES;
    if is_name && names.len() < MAX_NAMES && !names.iter().any(|other| other == name) {
        names.push(name.to_owned());
    }
}

/// The first line of each `License` field in a paragraph about files, or in the header.
fn stated(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let (mut is_about_files, mut is_header) = (false, true);
    for line in text.lines() {
        if line.trim().is_empty() {
            (is_about_files, is_header) = (false, false);
        } else if line.starts_with("Files:") {
            is_about_files = true;
        } else if let Some(name) = line.strip_prefix("License:")
            && (is_about_files || is_header)
        {
            add(&mut names, name);
        }
    }
    names
}

/// Names of the texts in `/usr/share/common-licenses` that a text without form points to.
fn common(text: &str) -> Vec<String> {
    const FOLDER: &str = "/usr/share/common-licenses/";
    let later = text.contains("any later version");
    let mut names = Vec::new();
    for (at, _) in text.match_indices(FOLDER) {
        let rest = &text[at + FOLDER.len()..];
        let end = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && !"-.".contains(c))
            .unwrap_or(rest.len());
        let name = rest[..end].trim_end_matches(['.', '-']);
        let is_gnu = name.contains("GPL-") || name.starts_with("GFDL-");
        match is_gnu && later {
            true => add(&mut names, &format!("{name}+")),
            false => add(&mut names, name),
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use plimsoll_model::FileKind;

    use super::*;
    use crate::check::testing::entry;

    fn names(text: &str) -> Vec<String> {
        let entry = entry("/usr/share/doc/demo/copyright", FileKind::Regular, 0o644);
        let mut watch = Copyright.wants(&entry, b"").unwrap();
        watch.feed(text.as_bytes());
        let mut seen = Seen::default();
        watch.finish(&entry, &mut seen);
        match seen.sightings.pop() {
            Some(Sighting::Licences(names)) => names,
            _ => Vec::new(),
        }
    }

    #[test]
    fn reads_both_forms() {
        let form = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: x\n\n\
                    Files: *\nCopyright: 2020 A\nLicense: GPL-2+\n\nFiles: a\nLicense: Expat\n The text\n\n\
                    Files: b\nLicense: GPL-2+\n\nLicense: Apache-2.0\n Text\n";
        assert_eq!(names(form), ["GPL-2+", "Expat"]);
        let free = "under the GNU GPL, version 2 or any later version.\nSee `/usr/share/common-licenses/GPL-2'.\n\
                    Parts: /usr/share/common-licenses/Apache-2.0.\n";
        assert_eq!(names(free), ["GPL-2+", "Apache-2.0"]);
        assert_eq!(names("all rights reserved"), Vec::<String>::new());
        let other = entry("/usr/share/doc/demo/examples/copyright", FileKind::Regular, 0o644);
        assert!(Copyright.wants(&other, b"").is_none());
    }
}
