//! Mirrors that mean harm, or have lost their mind: the old rows stay, within the time, and nothing grows without end.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use plimsoll_vulndb::{Database, FeedOutcome, FeedSource, UpdateOptions, update};

const RECORD: &str = r#"{"id":"CVE-2024-0001","modified":"2025-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"Debian:12","name":"redis"}}]}"#;

/// Answers every connection in the same way, each on its own thread. The address has no path.
fn server(answer: impl Fn(&mut TcpStream, &str) -> std::io::Result<()> + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let own = address.clone();
    let answer = std::sync::Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, answer, own) = (stream.unwrap(), std::sync::Arc::clone(&answer), own.clone());
            std::thread::spawn(move || {
                let mut head = String::new();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                while reader.read_line(&mut head).is_ok_and(|read| read > 2) {}
                // A client that hangs up is what we want.
                let _ = answer(&mut stream, &own);
            });
        }
    });
    address
}

/// What becomes of an update from it, and how long that takes. There is a database with one record already.
fn outcome(address: &str, budget: Duration) -> (FeedOutcome, Duration) {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("v.db");
    let file = folder.path().join("debian.jsonl");
    std::fs::write(&file, RECORD).unwrap();
    let options = UpdateOptions {
        now: "2026-11-01T00:00:00Z".to_owned(),
        budget,
        stall: Duration::from_millis(500),
        allow_shrink: false,
    };
    let good = FeedSource::parse(&format!("debian={}", file.display())).unwrap();
    update(&[good], &database, &options).unwrap();
    let bad = FeedSource::parse(&format!("debian={address}/debian.jsonl")).unwrap();
    let start = Instant::now();
    let (mut summary, notes) = update(&[bad], &database, &options).unwrap();
    let took = start.elapsed();
    assert!(!notes.is_empty(), "{summary:?}");
    let opened = Database::open(&database).unwrap();
    opened.verify().unwrap();
    assert_eq!(opened.search("redis", 10).unwrap().len(), 1, "the old row stays");
    (summary.feeds.remove(0).1, took)
}

#[track_caller]
fn is_failed(outcome: &FeedOutcome, word: &str) {
    match outcome {
        FeedOutcome::Failed(reason) => assert!(reason.contains(word), "no `{word}` in `{reason}`"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_body_without_end_is_cut_by_the_time() {
    let address = server(|stream, _| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
        loop {
            stream.write_all(&[b' '; 4096])?;
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    let (outcome, took) = outcome(&address, Duration::from_secs(2));
    is_failed(&outcome, "time for downloads");
    assert!(took < Duration::from_secs(20), "{took:?}");
}

#[test]
fn a_slow_drip_does_not_outlast_the_budget() {
    let address = server(|stream, _| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")?;
        // Never silent for long, never done.
        loop {
            stream.write_all(b" ")?;
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    let (outcome, took) = outcome(&address, Duration::from_secs(2));
    is_failed(&outcome, "time for downloads");
    assert!(took < Duration::from_secs(20), "{took:?}");
}

#[test]
fn a_redirect_in_a_circle_ends() {
    let address = server(|stream, own| {
        write!(
            stream,
            "HTTP/1.1 302 Found\r\nLocation: {own}/debian.jsonl\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
    });
    let (outcome, _) = outcome(&address, Duration::from_secs(20));
    is_failed(&outcome, "redirect");
}

#[test]
fn a_length_that_is_not_kept_is_no_whole_file() {
    let address = server(|stream, _| {
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{RECORD}",
            RECORD.len() + 100
        )
    });
    let (outcome, _) = outcome(&address, Duration::from_secs(3));
    assert!(matches!(outcome, FeedOutcome::Failed(_)), "{outcome:?}");
}

#[test]
fn a_compressed_bomb_is_refused_without_unpacking_it_all() {
    // 5 GiB of blanks, which is more than any feed, in 5 MB: a member of 64 MiB, and again.
    let member = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(RECORD.as_bytes()).unwrap();
        encoder.write_all(&vec![b' '; 64 << 20]).unwrap();
        encoder.finish().unwrap()
    };
    let bomb = member.repeat(80);
    let address = server(move |stream, _| {
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            bomb.len()
        )?;
        stream.write_all(&bomb)
    });
    let (outcome, _) = outcome(&address, Duration::from_secs(60));
    assert!(matches!(outcome, FeedOutcome::Failed(_)), "{outcome:?}");
}
