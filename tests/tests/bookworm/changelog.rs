//! Changelogs of Debian packages: a root file system in, entries with the faults that they name out; and that root file
//! system as it was when bookworm was released.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufReader, Read as _, Write as _},
    path::{Path, PathBuf},
};

/// One entry of a changelog.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) version: String,
    pub(super) suite: String,
    pub(super) cves: BTreeSet<String>,
}

/// The changelogs in a root file system, newest entry first, by source package.
pub(super) fn changelogs(archive: &Path) -> BTreeMap<String, Vec<Entry>> {
    let mut found: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
    let mut archive = tar::Archive::new(BufReader::new(
        fs::File::open(archive).expect("the test's own set-up works"),
    ));
    for entry in archive.entries().expect("the test's own set-up works") {
        let mut entry = entry.expect("the test's own set-up works");
        let path = entry
            .path()
            .expect("the test's own set-up works")
            .to_string_lossy()
            .into_owned();
        let name = path.rsplit('/').next().unwrap_or_default();
        let is_changelog = path.contains("usr/share/doc/") && matches!(name, "changelog.Debian.gz" | "changelog.gz");
        if !is_changelog || !entry.header().entry_type().is_file() {
            continue;
        }
        let mut bytes = Vec::new();
        flate2::read::MultiGzDecoder::new(&mut entry)
            .read_to_end(&mut bytes)
            .expect("the test's own set-up works");
        if let Some((source, entries)) = parse_changelog(&String::from_utf8_lossy(&bytes)) {
            // Binary packages of one source have the same changelog, some with a rebuild's entry more.
            let known = found.entry(source).or_default();
            if known.len() < entries.len() {
                *known = entries;
            }
        }
    }
    found
}

/// The entries up to the first line that is of another form; `None` where that is the first line (upstream's own
/// changelogs are called `changelog.gz` too).
fn parse_changelog(text: &str) -> Option<(String, Vec<Entry>)> {
    let mut source = None;
    let mut entries: Vec<Entry> = Vec::new();
    for line in text.lines() {
        if line.starts_with(' ') || line.trim().is_empty() {
            if let Some(entry) = entries.last_mut() {
                entry.cves.extend(cves(line));
            }
        } else {
            let header = line
                .split_once(" (")
                .and_then(|(name, rest)| Some((name, rest.split_once(')')?)));
            // Very old entries have another form, and some end with settings of an editor.
            let Some((name, (version, rest))) = header else { break };
            let suite = rest.split(';').next().unwrap_or_default().trim().to_owned();
            source.get_or_insert_with(|| name.to_owned());
            entries.push(Entry {
                version: version.to_owned(),
                suite,
                cves: BTreeSet::new(),
            });
        }
    }
    Some((source?, entries))
}

/// The CVE ids in a line.
fn cves(line: &str) -> Vec<String> {
    line.match_indices("CVE-")
        .filter_map(|(start, _)| {
            let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
            let rest = &line[start + 4..];
            let year = digits(rest);
            let number = digits(rest.get(year + 1..)?);
            let is_id = year == 4 && rest.as_bytes()[4] == b'-' && number >= 4;
            is_id.then(|| line[start..start + 4 + year + 1 + number].to_owned())
        })
        .collect()
}

/// The secured image as it would have been when bookworm was released: every source in the version that its changelog
/// had before the first entry made for bookworm. Same packages, older state, so that years of fixes lie between.
pub(super) fn as_released(archive: &Path, folder: &Path, logs: &BTreeMap<String, Vec<Entry>>) -> PathBuf {
    let mut input = tar::Archive::new(BufReader::new(
        fs::File::open(archive).expect("the test's own set-up works"),
    ));
    let path = folder.join("released.tar");
    let mut output = tar::Builder::new(fs::File::create(&path).expect("the test's own set-up works"));
    for entry in input.entries().expect("the test's own set-up works") {
        let mut entry = entry.expect("the test's own set-up works");
        let name = entry
            .path()
            .expect("the test's own set-up works")
            .to_string_lossy()
            .trim_start_matches("./")
            .to_owned();
        let is_status = name == "var/lib/dpkg/status";
        if !is_status && !matches!(name.as_str(), "usr/lib/os-release" | "etc/os-release")
            || !entry.header().entry_type().is_file()
        {
            continue;
        }
        let mut text = String::new();
        entry.read_to_string(&mut text).expect("the test's own set-up works");
        if is_status {
            text = text
                .split("\n\n")
                .map(|block| released_block(block, logs))
                .collect::<Vec<_>>()
                .join("\n\n");
        }
        let mut header = entry.header().clone();
        header.set_size(text.len() as u64);
        header.set_cksum();
        output
            .append_data(
                &mut header,
                if is_status { name.as_str() } else { "etc/os-release" },
                text.as_bytes(),
            )
            .expect("the test's own set-up works");
    }
    output
        .into_inner()
        .expect("the test's own set-up works")
        .flush()
        .expect("the test's own set-up works");
    path
}

fn released_block(block: &str, logs: &BTreeMap<String, Vec<Entry>>) -> String {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let source = field("Source:").or_else(|| field("Package:")).unwrap_or_default();
    let source = source.split(' ').next().unwrap_or_default();
    let Some(version) = logs.get(source).and_then(|entries| released_version(entries)) else {
        return block.to_owned();
    };
    let mut lines: Vec<String> = block
        .lines()
        .filter(|line| !line.starts_with("Source:"))
        .map(str::to_owned)
        .collect();
    lines.insert(1.min(lines.len()), format!("Source: {source} ({version})"));
    lines.join("\n")
}

/// `None` for a package that was brought from a later release (`~deb12`): its other entries are not its past.
fn released_version(entries: &[Entry]) -> Option<&str> {
    if entries.iter().any(|entry| entry.version.contains("~deb12")) {
        return None;
    }
    entries
        .iter()
        .find(|entry| !is_for_bookworm(entry))
        .map(|entry| entry.version.as_str())
}

pub(super) fn is_for_bookworm(entry: &Entry) -> bool {
    entry.version.contains("deb12") || entry.suite.starts_with("bookworm")
}
