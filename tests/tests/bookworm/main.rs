//! Ground truth that nobody can tune: Debian bookworm without and with its security archive. What the second image's
//! changelogs call fixed since the first image's versions must match in the first and not in the second.
//!
//! By default a few packages are downloaded. `PLIMSOLL_BOOKWORM_PACKAGES=FILE` names packages to be installed, with all that
//! they need; `PLIMSOLL_BOOKWORM_ROOTS=FOLDER` keeps the two root file systems there (`main.tar`, `secured.tar`), or takes
//! those that are there.

mod changelog;
mod roots;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use plimsoll_model::ScanReport;
use plimsoll_tests::{command, machine, repository};
use plimsoll_vulndb::Database;

use self::changelog::{Entry, as_released, changelogs, is_for_bookworm};

/// Packages of sources that often have faults; small, because each is downloaded twice.
const PACKAGES: &str = "openssl libssl3 curl libcurl4 libssh2-1 nginx-light libxml2-utils libxml2 perl python3.11-minimal \
    rsync redis-server memcached libexpat1 libpng16-16 libgd3 zip ntfs-3g linux-libc-dev sudo vim-tiny openssh-client \
    libevent-2.1-7 libyaml-syck-perl libio-compress-perl libdbi-perl 7zip brotli libgit2-1.5 bind9-dnsutils libc-bin \
    libgnutls30 libtiff6 busybox libarchive13 libsqlite3-0 libgssapi-krb5-2 zlib1g apache2-bin libnghttp2-14";

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

/// What the test needs; an error says what is missing.
struct Ground {
    advisories: PathBuf,
    mirrors: (String, String),
}

fn ground() -> Result<Ground, String> {
    if let Some(tool) = ["apt-get", "dpkg", "dpkg-deb"]
        .into_iter()
        .find(|tool| !machine::has(tool))
    {
        return Err(format!("{tool} is not installed"));
    }
    let advisories = repository::root().join("../shared/data/advisories/debian");
    if !advisories.is_dir() {
        return Err(format!("{} is absent", advisories.display()));
    }
    let mirrors = roots::mirrors().ok_or("apt knows no bookworm with bookworm-security")?;
    Ok(Ground { advisories, mirrors })
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
        .expect("the test's own set-up works");
    // Packages of languages have no advisories in this database, so the scan may be incomplete.
    assert!(matches!(output.status.code(), Some(0 | 5)), "{output:?}");
    let report: ScanReport = serde_json::from_slice(&fs::read(out).expect("the test's own set-up works"))
        .expect("the test's own set-up works");
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
            .expect("the test's own set-up works")
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
            let rows = database.search(cve, 10_000).expect("the test's own set-up works");
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

#[test]
fn what_changelogs_call_fixed_matches_before_and_not_after() {
    let ground = match ground() {
        Ok(ground) => ground,
        Err(reason) => return machine::say_skipped("what_changelogs_call_fixed_matches_before_and_not_after", &reason),
    };
    let folder = tempfile::tempdir().expect("the test's own set-up works");
    let roots = std::env::var_os("PLIMSOLL_BOOKWORM_ROOTS").map_or(folder.path().to_owned(), PathBuf::from);
    let named = std::env::var_os("PLIMSOLL_BOOKWORM_PACKAGES")
        .map(|path| fs::read_to_string(path).expect("the test's own set-up works"));
    let (main, secured) = (roots.join("main.tar"), roots.join("secured.tar"));
    for (archive, is_secured) in [(&main, false), (&secured, true)] {
        let made = match &named {
            _ if archive.exists() => Ok(()),
            Some(packages) => roots::install(&ground.mirrors, archive, is_secured, packages),
            None => roots::download(&ground.mirrors, archive, is_secured, PACKAGES),
        };
        if let Err(reason) = made {
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
        .expect("the test's own set-up works");
    assert!(output.status.success(), "{output:?}");
    let opened = Database::open(&database).expect("the test's own set-up works");
    let logs = changelogs(&secured);
    let released = as_released(&secured, folder.path(), &logs);
    let scanned: Vec<Scanned> = [("main", &main), ("secured", &secured), ("released", &released)]
        .into_iter()
        .map(|(name, archive)| {
            scan(
                &roots::wrap(&folder.path().join(name), archive),
                &database,
                folder.path(),
            )
        })
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
