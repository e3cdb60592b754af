//! Ground truth that nobody can tune: Debian bookworm without and with its security archive. What the second image's
//! changelogs call fixed since the first image's versions must match in the first and not in the second.
//!
//! `PLIMSOLL_BOOKWORM_PACKAGES=FILE` names more packages; `PLIMSOLL_BOOKWORM_ROOTS=FOLDER` keeps the two root file
//! systems there (`main.tar`, `secured.tar`), or takes those that are there.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufReader, Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use plimsoll_model::ScanReport;
use plimsoll_tests::{command, machine, repository};
use plimsoll_vulndb::Database;
use serde_json::{Value, json};

/// Packages that often have faults, and few dependencies, so that two installations take about a minute.
const PACKAGES: &str = "openssl curl libssh2-1 nginx-light libxml2-utils perl python3 rsync redis-server memcached \
    libexpat1 libpng16-16 libgd3 zip ntfs-3g linux-libc-dev sudo vim-tiny git openssh-client libevent-2.1-7 \
    libyaml-syck-perl libio-compress-perl libdbi-perl 7zip brotli libgit2-1.5 gnupg bind9-dnsutils";

/// Source packages of which a changelog names a fix that the tracker's data sees otherwise, and why. The match must be
/// what the tracker's own range says, as dpkg compares it; a package that is not here fails the test. `docs/database.md`
/// has the same table.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("bind9", "the tracker names an earlier version"),
    ("busybox", "fixed after the tracker's data was taken"),
    ("curl", "the tracker names an earlier version"),
    ("gcc-12", "fixed after the tracker's data was taken"),
    ("grub2", "fixed after the tracker's data was taken"),
    ("libxml2", "the tracker names an earlier version"),
    ("linux", "fixed after the tracker's data was taken"),
    ("node-postcss", "fixed after the tracker's data was taken"),
    ("node-serialize-javascript", "fixed after the tracker's data was taken"),
    ("nodejs", "fixed after the tracker's data was taken"),
    ("postgresql-15", "the tracker names an earlier version"),
    ("python-aiohttp", "the tracker names an earlier version"),
    ("python-django", "the changelog repeats a fix of 2019"),
    ("raptor2", "fixed after the tracker's data was taken"),
    ("ruby3.1", "fixed after the tracker's data was taken"),
    ("rubygems", "fixed after the tracker's data was taken"),
    ("twitter-bootstrap4", "fixed after the tracker's data was taken"),
    ("wget", "fixed after the tracker's data was taken"),
];

/// Whether a version is in a range as the tracker's records have them, by dpkg's own comparison.
fn holds(version: &str, range: &str) -> bool {
    match range.strip_prefix("< ") {
        Some(fixed) => Command::new("dpkg")
            .args(["--compare-versions", version, "lt", fixed])
            .status()
            .is_ok_and(|status| status.success()),
        None => range == "any version",
    }
}

/// The first repository of Debian that this machine's apt knows, and that of security updates.
fn mirrors() -> Option<(String, String)> {
    let find = |codename: &str| {
        let output = Command::new("apt-get")
            .args([
                "indextargets",
                "--format",
                "$(REPO_URI)",
                &format!("Codename: {codename}"),
            ])
            .output()
            .ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        text.lines().next().map(str::to_owned)
    };
    Some((find("bookworm")?, find("bookworm-security")?))
}

/// What the test needs; an error says what is missing.
struct Ground {
    advisories: PathBuf,
    mirrors: (String, String),
}

fn ground() -> Result<Ground, String> {
    if let Some(reason) = machine::why_not_root() {
        return Err(reason);
    }
    if !machine::has("mmdebstrap") {
        return Err("mmdebstrap is not installed".to_owned());
    }
    let advisories = repository::root().join("../shared/data/advisories/debian");
    if !advisories.is_dir() {
        return Err(format!("{} is absent", advisories.display()));
    }
    let mirrors = mirrors().ok_or("apt knows no bookworm with bookworm-security")?;
    Ok(Ground { advisories, mirrors })
}

/// Installs the packages into a root file system, as a tar archive; an error when the mirror cannot be reached.
fn make_root(ground: &Ground, archive: &Path, is_secured: bool, packages: &str) -> Result<(), String> {
    if archive.exists() {
        return Ok(());
    }
    let (main, security) = &ground.mirrors;
    let mut command = Command::new("mmdebstrap");
    command
        .args(["--quiet", "--mode=root", "--variant=minbase"])
        .args([
            "--aptopt=Acquire::Languages \"none\"",
            "--aptopt=APT::Install-Recommends \"false\"",
        ])
        .args([
            "--dpkgopt=path-exclude=/usr/share/man/*",
            "--dpkgopt=path-exclude=/usr/share/locale/*",
        ])
        .arg("--dpkgopt=force-unsafe-io")
        .arg(format!(
            "--include={}",
            packages.split_whitespace().collect::<Vec<_>>().join(",")
        ))
        .arg("bookworm")
        .arg(archive)
        .arg(format!("deb {main} bookworm main"));
    if is_secured {
        command.arg(format!("deb {main} bookworm-updates main"));
        command.arg(format!("deb {security} bookworm-security main"));
    }
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    // A half-written archive must not be taken for a whole one by the next run.
    let _ = fs::remove_file(archive);
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("mmdebstrap: {}", said.lines().next().unwrap_or_default()))
}

/// An OCI layout around a root file system: one layer, not compressed.
fn wrap(folder: &Path, archive: &Path) -> PathBuf {
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let output = Command::new("sha256sum").arg(archive).output().unwrap();
    let layer = String::from_utf8(output.stdout).unwrap()[..64].to_owned();
    std::os::unix::fs::symlink(archive, blobs.join(&layer)).unwrap();
    let add = |document: &Value| {
        let bytes = serde_json::to_vec(document).unwrap();
        let digest = plimsoll_tests::image::digest(&bytes);
        fs::write(blobs.join(digest.trim_start_matches("sha256:")), &bytes).unwrap();
        (digest, bytes.len())
    };
    let (config, config_size) = add(&json!({
        "architecture": "amd64", "os": "linux", "config": { "Cmd": ["/bin/sh"] },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{layer}")] },
    }));
    let (manifest, manifest_size) = add(&json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": config_size },
        "layers": [{
            "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": format!("sha256:{layer}"),
            "size": fs::metadata(archive).unwrap().len(),
        }],
    }));
    fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    let index = json!({ "schemaVersion": 2, "manifests": [{
        "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": manifest, "size": manifest_size,
        "annotations": { "org.opencontainers.image.ref.name": "latest" },
    }]});
    fs::write(folder.join("index.json"), index.to_string()).unwrap();
    folder.to_owned()
}

/// One entry of a changelog.
#[derive(Debug)]
struct Entry {
    version: String,
    suite: String,
    /// `2026-11-20`; empty when the entry's end has no date.
    day: String,
    cves: BTreeSet<String>,
}

/// The changelogs in a root file system, newest entry first, by source package.
fn changelogs(archive: &Path) -> BTreeMap<String, Vec<Entry>> {
    let mut found: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
    let mut archive = tar::Archive::new(BufReader::new(fs::File::open(archive).unwrap()));
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_string_lossy().into_owned();
        let name = path.rsplit('/').next().unwrap_or_default();
        let is_changelog = path.contains("usr/share/doc/") && matches!(name, "changelog.Debian.gz" | "changelog.gz");
        if !is_changelog || !entry.header().entry_type().is_file() {
            continue;
        }
        let mut bytes = Vec::new();
        flate2::read::MultiGzDecoder::new(&mut entry)
            .read_to_end(&mut bytes)
            .unwrap();
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
        if let Some(rest) = line.strip_prefix(" -- ") {
            if let Some(entry) = entries.last_mut() {
                entry.day = rest.rsplit("  ").next().and_then(day).unwrap_or_default();
            }
        } else if line.starts_with(' ') || line.trim().is_empty() {
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
                day: String::new(),
                cves: BTreeSet::new(),
            });
        }
    }
    Some((source?, entries))
}

/// `2026-11-20` from `Fri, 20 Nov 2026 10:00:00 +0100`.
fn day(date: &str) -> Option<String> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let words: Vec<&str> = date.split_whitespace().collect();
    let month = MONTHS.iter().position(|name| words.get(2) == Some(name))? + 1;
    Some(format!("{}-{month:02}-{:0>2}", words.get(3)?, words.get(1)?))
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

/// A scanned image.
struct Scanned {
    /// Source package → its version, as advisories are compared with it.
    sources: BTreeMap<String, String>,
    /// Source package and CVE.
    matches: BTreeSet<(String, String)>,
    packages: usize,
}

fn scan(layout: &Path, database: &Path, folder: &Path) -> Scanned {
    let out = folder.join("report.json");
    let output = command::plimsoll()
        .args(["scan", &format!("oci:{}", layout.display()), "--db"])
        .arg(database)
        .args(["-o", &format!("json={}", out.display())])
        .output()
        .unwrap();
    // Packages of languages have no advisories in this database, so the scan may be incomplete.
    assert!(matches!(output.status.code(), Some(0 | 5)), "{output:?}");
    let report: ScanReport = serde_json::from_slice(&fs::read(out).unwrap()).unwrap();
    let sources = report.sbom.packages.iter().filter(|package| package.kind.is_of_os());
    Scanned {
        packages: sources.clone().count(),
        sources: sources
            .map(|package| match &package.source {
                Some(source) => (source.name.clone(), source.version.clone()),
                None => (package.name.clone(), package.version.clone()),
            })
            .collect(),
        matches: report
            .matches
            .unwrap()
            .into_iter()
            .filter(|one| one.evidence.ecosystem == "Debian:12")
            .map(|one| (one.evidence.compared_name, one.vulnerability.id))
            .collect(),
    }
}

/// What happened to a fix that a changelog names.
#[derive(Default)]
struct Count {
    agree: usize,
    /// The advisories have no record of it for this package: nothing could match.
    unknown: usize,
    /// The tracker is known to see it otherwise.
    excepted: usize,
    faults: Vec<String>,
}

/// Compares what entries name with what matched before and after them.
fn judge(fixes: &[(&str, &Entry)], before: &Scanned, after: &Scanned, database: &Database) -> Count {
    let mut count = Count::default();
    let mut seen = BTreeSet::new();
    for (source, entry) in fixes {
        for cve in &entry.cves {
            let key = ((*source).to_owned(), cve.clone());
            if !seen.insert(key.clone()) {
                continue;
            }
            let (was, is) = (before.matches.contains(&key), after.matches.contains(&key));
            if was && !is {
                count.agree += 1;
                continue;
            }
            let rows = database.search(cve, 10_000).unwrap();
            let own = rows
                .iter()
                .find(|row| row.ecosystem == "Debian:12" && row.package == *source);
            match own {
                None => {
                    assert!(!was && !is, "{source} {cve} matched without a record");
                    count.unknown += 1;
                }
                Some(row)
                    if EXCEPTIONS.iter().any(|one| one.0 == *source)
                        && was == holds(&before.sources[*source], &row.range)
                        && is == holds(&after.sources[*source], &row.range) =>
                {
                    count.excepted += 1;
                }
                Some(row) => count.faults.push(format!(
                    "{source} {} {cve}: before {was}, after {is}; the tracker says {} {:?}",
                    entry.version, row.range, row.state
                )),
            }
        }
    }
    count
}

/// The entries of the second image's changelogs down to the first image's version.
fn between<'c>(logs: &'c BTreeMap<String, Vec<Entry>>, before: &Scanned, after: &Scanned) -> Vec<(&'c str, &'c Entry)> {
    let mut found = Vec::new();
    for (source, version) in &after.sources {
        let (Some(entries), Some(old)) = (logs.get(source), before.sources.get(source)) else {
            continue;
        };
        let start = entries.iter().position(|entry| entry.version == *version);
        let end = entries.iter().position(|entry| entry.version == *old);
        if let (Some(start), Some(end)) = (start, end) {
            let name = logs.get_key_value(source).map_or("", |(name, _)| name.as_str());
            // A package that took over a newer release has the entries of that release's branch too.
            let own = entries[start..end.max(start)]
                .iter()
                .filter(|entry| is_for_bookworm(entry));
            found.extend(own.map(|entry| (name, entry)));
        }
    }
    found
}

/// The secured image as it would have been when bookworm was released: every source in the version that its changelog
/// had before the first entry made for bookworm. Same packages, older state, so that years of fixes lie between.
fn as_released(archive: &Path, folder: &Path, logs: &BTreeMap<String, Vec<Entry>>) -> PathBuf {
    let mut input = tar::Archive::new(BufReader::new(fs::File::open(archive).unwrap()));
    let path = folder.join("released.tar");
    let mut output = tar::Builder::new(fs::File::create(&path).unwrap());
    for entry in input.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry
            .path()
            .unwrap()
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
        entry.read_to_string(&mut text).unwrap();
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
            .unwrap();
    }
    output.into_inner().unwrap().flush().unwrap();
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

fn is_for_bookworm(entry: &Entry) -> bool {
    entry.version.contains("deb12") || entry.suite.starts_with("bookworm")
}

#[test]
fn what_changelogs_call_fixed_matches_before_and_not_after() {
    let ground = match ground() {
        Ok(ground) => ground,
        Err(reason) => return machine::say_skipped("what_changelogs_call_fixed_matches_before_and_not_after", &reason),
    };
    let folder = tempfile::tempdir().unwrap();
    let roots = std::env::var_os("PLIMSOLL_BOOKWORM_ROOTS").map_or(folder.path().to_owned(), PathBuf::from);
    let packages = std::env::var_os("PLIMSOLL_BOOKWORM_PACKAGES")
        .map_or(PACKAGES.to_owned(), |path| fs::read_to_string(path).unwrap());
    let (main, secured) = (roots.join("main.tar"), roots.join("secured.tar"));
    for (archive, is_secured) in [(&main, false), (&secured, true)] {
        if let Err(reason) = make_root(&ground, archive, is_secured, &packages) {
            return machine::say_skipped("what_changelogs_call_fixed_matches_before_and_not_after", &reason);
        }
    }
    let database = folder.path().join("v.db");
    let output = command::plimsoll()
        .args(["db", "import", "--db"])
        .arg(&database)
        .arg(ground.advisories.join("debian-osv-2025-02-12.jsonl.zst"))
        .arg(
            ground
                .advisories
                .join("debian-bookworm-supplement-2026-11-20.osv.jsonl.zst"),
        )
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let opened = Database::open(&database).unwrap();
    let logs = changelogs(&secured);
    let released = as_released(&secured, folder.path(), &logs);
    let scanned: Vec<Scanned> = [("main", &main), ("secured", &secured), ("released", &released)]
        .into_iter()
        .map(|(name, archive)| scan(&wrap(&folder.path().join(name), archive), &database, folder.path()))
        .collect();
    let [main, secured, released] = scanned.as_slice() else {
        unreachable!("three went in")
    };
    let (mut faults, mut few) = (Vec::new(), false);
    for (name, before, minimum) in [("main", main, 20), ("released", released, 100)] {
        let count = judge(&between(&logs, before, secured), before, secured, &opened);
        eprintln!(
            "{name}: {} packages, {} matches (secured: {}, {}); {} fixes agree, {} are in no advisory, {} are exceptions, {} differ",
            before.packages,
            before.matches.len(),
            secured.packages,
            secured.matches.len(),
            count.agree,
            count.unknown,
            count.excepted,
            count.faults.len(),
        );
        few |= count.agree < minimum;
        faults.extend(count.faults.into_iter().map(|fault| format!("{name}: {fault}")));
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(!few, "too few fixes were compared to mean anything");
}
