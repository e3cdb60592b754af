//! Builds a database from feed files and prints the figures of docs/benchmarks.md: how long that takes from nothing
//! and over a database that is there, how large it is packed and not, how fast it opens, is searched, and judges 400 packages in a process of its own:
//! `cargo run --release -p plimsoll-vulndb --example figures -- FILE|DIR…`

#![allow(clippy::unwrap_used, reason = "an example may panic")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use plimsoll_model::{OsRelease, Package, PackageKind, Sbom, SourcePackage};
use plimsoll_vulndb::{Database, ImportOptions, import};

/// How often each figure is taken; the median counts.
const ROUNDS: usize = 5;
/// Look-ups of one round.
const LOOK_UPS: usize = 200_000;
/// Packages of the Sbom.
const PACKAGES: usize = 400;
/// Says to a process of this program that it is one that only matches.
const MATCH: &str = "--match";

/// The product's.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() {
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    if let [first, database] = paths.as_slice()
        && first == Path::new(MATCH)
    {
        return match_once(database);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.db");
    let options = ImportOptions {
        now: "2026-11-22T00:00:00Z".to_owned(),
        replace: true,
        allow_shrink: false,
    };
    let mut notes = 0;
    let mut build = |is_first: bool| {
        if is_first && path.exists() {
            std::fs::remove_file(&path).unwrap();
        }
        let start = Instant::now();
        notes = import(&paths, &path, &options).unwrap().1.len();
        start.elapsed().as_secs_f64()
    };
    for (name, is_first) in [("build", true), ("renewal", false)] {
        let before = processor_seconds();
        let wall = median(|| build(is_first));
        let processor = (processor_seconds() - before) / ROUNDS as f64;
        println!("{name:12}{wall:.2} s wall, median of {ROUNDS}; {processor:.2} s of processors each");
    }
    let size = std::fs::metadata(&path).unwrap().len() as f64 / 1e6;
    let (advisories, rows) = counts(&path);
    println!("holds       {advisories} advisories, {rows} rows, {notes} notes");
    println!(
        "size        {size:.1} MB; {:.1} MB with zstd -19",
        packed(&path) as f64 / 1e6
    );
    let open = median(|| {
        let start = Instant::now();
        drop(Database::open(&path).unwrap());
        start.elapsed().as_secs_f64()
    });
    println!("open        {:.2} ms", open * 1e3);
    println!("look-ups    {:.0} a second", LOOK_UPS as f64 / look_up(&path));
    for _ in 0..ROUNDS {
        let status = Command::new(std::env::current_exe().unwrap())
            .arg(MATCH)
            .arg(&path)
            .status();
        assert!(status.unwrap().success());
    }
}

fn median(mut take: impl FnMut() -> f64) -> f64 {
    let mut all: Vec<f64> = (0..ROUNDS).map(|_| take()).collect();
    all.sort_by(f64::total_cmp);
    all[ROUNDS / 2]
}

/// What this process has used of all processors (proc_pid_stat(5): utime and stime, in hundredths of a second).
fn processor_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields = text.rsplit(')').next().unwrap().split_whitespace();
    let ticks: f64 = fields.skip(11).take(2).map(|field| field.parse::<f64>().unwrap()).sum();
    ticks / 100.0
}

fn counts(path: &Path) -> (i64, i64) {
    let connection = rusqlite::Connection::open(path).unwrap();
    let count = |table: &str| {
        let sql = format!("SELECT count(*) FROM {table}");
        connection.query_row(&sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    (count("advisory"), count("affected"))
}

fn packed(path: &Path) -> usize {
    zstd::encode_all(std::fs::File::open(path).unwrap(), 19).unwrap().len()
}

/// Seconds for looking packages up that the database knows, in no order: all ranges of each are read.
fn look_up(path: &Path) -> f64 {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.execute_batch("PRAGMA mmap_size=268435456").unwrap();
    let mut known: Vec<(u32, String)> = connection
        .prepare("SELECT DISTINCT ecosystem, package FROM affected")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    // Half of what an image has is in no advisory.
    let unknown: Vec<(u32, String)> = known.iter().map(|(id, name)| (*id, format!("{name}-none"))).collect();
    known.extend(unknown);
    let mut query = connection
        .prepare("SELECT advisory, state, introduced, fixed FROM affected WHERE ecosystem = ?1 AND package = ?2")
        .unwrap();
    median(|| {
        let (mut at, mut found) = (0, 0_i64);
        let start = Instant::now();
        for _ in 0..LOOK_UPS {
            // A step that shares no factor with the number of names visits all of them.
            at = (at + 7_919) % known.len();
            let (ecosystem, name) = &known[at];
            let mut rows = query.query(rusqlite::params![ecosystem, name]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                found += row.get::<_, i64>(0).unwrap();
            }
        }
        assert!(found > 0);
        start.elapsed().as_secs_f64()
    })
}

/// Judges the packages of this machine, or of a list that `PLIMSOLL_DPKG_STATUS` names, as an image would have them.
fn match_once(path: &Path) {
    let sbom = installed();
    let start = Instant::now();
    let database = Database::open(path).unwrap();
    let (matches, notes) = database.find_matches(&sbom).unwrap();
    println!(
        "match       {} packages → {} matches, {} notes in {:.1} ms, in a new process",
        sbom.packages.len(),
        matches.len(),
        notes.len(),
        start.elapsed().as_secs_f64() * 1e3,
    );
}

fn installed() -> Sbom {
    // The machine's own list changes with each package that somebody installs: compare figures of one kept copy.
    let list = std::env::var_os("PLIMSOLL_DPKG_STATUS").unwrap_or_else(|| "/var/lib/dpkg/status".into());
    let text = std::fs::read_to_string(list).unwrap_or_default();
    let package = |block: &str| {
        let fields: BTreeMap<&str, &str> = block.lines().filter_map(|line| line.split_once(": ")).collect();
        let (name, version) = (fields.get("Package")?, fields.get("Version")?);
        let source = fields.get("Source").map(|source| {
            let (name, rest) = source.split_once(' ').unwrap_or((source, ""));
            let stated = rest.trim_matches(['(', ')']);
            SourcePackage {
                name: name.to_owned(),
                version: if stated.is_empty() { *version } else { stated }.to_owned(),
            }
        });
        Some(Package {
            source,
            ..Package::new(PackageKind::Dpkg, *name, *version)
        })
    };
    Sbom {
        os: Some(OsRelease {
            id: "debian".to_owned(),
            version_id: "12".to_owned(),
            ..OsRelease::default()
        }),
        packages: text.split("\n\n").filter_map(package).take(PACKAGES).collect(),
    }
}
