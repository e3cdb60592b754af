//! Every kind of feed from each place that it may come from (a file, a folder, its URL, a mirror after one that fails): the
//! same database each time, byte for byte.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use plimsoll_vulndb::{Database, FeedOutcome, FeedSource, UpdateOptions, update};

/// Folder of the fuzzer's corpus, how its publisher calls the file, and what stands before the record of the corpus.
const FEEDS: &[(&str, &str, &str)] = &[
    ("amazon", "alas.json", ""),
    ("arch", "all.json", ""),
    ("csaf", "cve-2026-2.json", ""),
    ("cvss", "cvss.csv", "cve,system,score,vector,source\n"),
    ("debian", "debian.json", ""),
    ("distro-info", "debian.csv", ""),
    ("epss", "epss_scores-current.csv", "cve,epss,percentile\n"),
    ("kev", "known_exploited_vulnerabilities.json", ""),
    ("nvd", "nvdcve-2.0-2026.json", ""),
    ("oracle", "com.oracle.elsa-all.xml", ""),
    ("osv", "all.json", ""),
    ("php", "CVE-2026-1.yaml", ""),
    ("pypa", "PYSEC-2026-1.yaml", ""),
    ("redhat", "cve.json", ""),
    ("rocky", "errata.json", ""),
    ("ruby", "CVE-2026-1.yml", ""),
    ("rust", "RUSTSEC-2026-0001.md", ""),
    ("secdb", "main.json", ""),
    ("ssvc", "CVE-2024-3018.json", ""),
    ("support", "security-support-limited", ""),
    ("tracker", "CVE-2026-1000", ""),
    ("ubuntu", "CVE-2026-0001.json", ""),
];

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus")
}

/// Serves bodies by their path, and 404 for every other one.
fn serve(bodies: BTreeMap<String, Vec<u8>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let bodies = Arc::new(bodies);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let bodies = Arc::clone(&bodies);
            // A client that hangs up is no fault of the server.
            std::thread::spawn(move || respond(&stream.unwrap(), &bodies));
        }
    });
    address
}

fn respond(mut stream: &TcpStream, bodies: &BTreeMap<String, Vec<u8>>) -> std::io::Result<()> {
    let mut head = String::new();
    let mut reader = BufReader::new(stream);
    while reader.read_line(&mut head)? > 2 {}
    let body = head.split(' ').nth(1).and_then(|path| bodies.get(path));
    let status = body.map_or("404 Not Found", |_| "200 OK");
    let body = body.map_or(b"".as_slice(), Vec::as_slice);
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    )?;
    stream.write_all(body)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The bytes of a new database of one feed.
fn database_of(places: &[String]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.db");
    let entries = places
        .iter()
        .map(|place| FeedSource::parse(&format!("feed={place}")).unwrap());
    let options = UpdateOptions {
        now: "2026-11-22T00:00:00Z".to_owned(),
        budget: Duration::from_secs(60),
        stall: Duration::from_secs(30),
        allow_shrink: false,
    };
    let (summary, notes) = update(&FeedSource::join(entries.collect()), &path, &options).unwrap();
    assert_eq!(notes, [], "{places:?}");
    assert_eq!(summary.feeds[0].1, FeedOutcome::New, "{places:?}");
    let status = Database::open(&path).unwrap().status().unwrap();
    assert!(
        status.sources.iter().any(|source| source.records > 0),
        "{places:?}: {status:?}"
    );
    fs::read(&path).unwrap()
}

#[test]
fn every_kind_of_feed_comes_from_every_place() {
    let folder = tempfile::tempdir().unwrap();
    let mut bodies = BTreeMap::new();
    for (feed, name, head) in FEEDS {
        let record = fs::read(corpus().join(format!("feed-{feed}/sound"))).unwrap();
        let bytes = [head.as_bytes(), &record].concat();
        fs::create_dir(folder.path().join(feed)).unwrap();
        fs::write(folder.path().join(feed).join(name), &bytes).unwrap();
        bodies.insert(format!("/mirror/{feed}/{name}.gz"), gzip(&bytes));
        bodies.insert(format!("/{feed}/{name}"), bytes);
    }
    let server = serve(bodies);
    for (feed, name, _) in FEEDS {
        let of_folder = folder.path().join(feed);
        let of_file = database_of(&[of_folder.join(name).display().to_string()]);
        let places = [
            vec![of_folder.display().to_string()],
            vec![format!("{server}/{feed}/{name}")],
            // The publisher is away; a mirror has it compressed.
            vec![
                format!("{server}/away/{feed}/{name}"),
                format!("{server}/mirror/{feed}/{name}.gz"),
            ],
        ];
        for places in places {
            assert!(
                database_of(&places) == of_file,
                "{places:?} gives another database than the file"
            );
        }
    }
}

#[test]
fn every_feed_is_in_the_table() {
    let known: BTreeSet<String> = FEEDS.iter().map(|(feed, ..)| format!("feed-{feed}")).collect();
    let rows: BTreeSet<String> = plimsoll_vulndb::fuzzing::PARSERS
        .iter()
        .map(|(name, ..)| (*name).to_owned())
        .filter(|name| name.starts_with("feed-") && name != "feed-archive")
        .collect();
    assert_eq!(known, rows);
    // A feed is a file that says how it is recognised.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/feed");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let feeds = files.filter(|path| path.is_file() && fs::read_to_string(path).unwrap().contains("impl Feed for"));
    assert_eq!(feeds.count(), FEEDS.len());
}
