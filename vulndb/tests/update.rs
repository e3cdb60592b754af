//! Updates from a real HTTP server on loopback that answers as servers do, and as they should not.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use plimsoll_model::Note;
use plimsoll_vulndb::{Database, FeedOutcome, FeedSource, SourceStatus, UpdateOptions, UpdateSummary, update};

/// One answer of the server.
#[derive(Clone)]
enum Answer {
    /// 200 with an entity tag.
    Whole(String, &'static str),
    /// 200 that says the full length, sends so many bytes and closes.
    Cut(String, usize, &'static str),
    /// 206 with what was asked for.
    Rest(String, &'static str),
    /// Just the status line and a header line.
    Status(&'static str, &'static str),
    /// The head of a 200, then nothing, and the connection stays open.
    Stall,
}

/// Answers each connection with the next answer; the last one again and again.
struct Server {
    address: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn new(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        std::thread::spawn(move || {
            let mut answers: VecDeque<Answer> = answers.into();
            let mut open = Vec::new();
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                let request = read_head(&stream);
                let answer = answers.pop_front().unwrap();
                if answers.is_empty() {
                    answers.push_back(answer.clone());
                }
                // A client that hangs up early is no fault of the server.
                let _ = respond(&stream, &request, &answer);
                seen.lock().unwrap().push(request);
                if matches!(answer, Answer::Stall) {
                    open.push(stream);
                }
            }
        });
        Self { address, requests }
    }

    fn feed(&self) -> FeedSource {
        FeedSource::parse(&format!("debian=http://{}/debian.jsonl", self.address)).unwrap()
    }

    /// Whether the request of this number had a header that starts so.
    fn had(&self, number: usize, header: &str) -> bool {
        let requests = self.requests.lock().unwrap();
        requests[number].lines().any(|line| line.starts_with(header))
    }

    fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

fn read_head(stream: &TcpStream) -> String {
    let mut head = String::new();
    let mut reader = BufReader::new(stream);
    while reader.read_line(&mut head).is_ok_and(|read| read > 2) {}
    head
}

fn respond(mut stream: &TcpStream, request: &str, answer: &Answer) -> std::io::Result<()> {
    let (head, body): (String, &[u8]) = match answer {
        Answer::Whole(body, tag) => (
            format!("200 OK\r\nContent-Length: {}\r\nETag: {tag}", body.len()),
            body.as_bytes(),
        ),
        Answer::Cut(body, sent, tag) => (
            format!("200 OK\r\nContent-Length: {}\r\nETag: {tag}", body.len()),
            &body.as_bytes()[..*sent],
        ),
        Answer::Rest(body, tag) => {
            let range = request
                .lines()
                .find_map(|line| line.strip_prefix("range: bytes="))
                .unwrap();
            let start: usize = range.trim_end_matches('-').parse().unwrap();
            let (end, total) = (body.len() - 1, body.len());
            let head = format!(
                "206 Partial Content\r\nContent-Range: bytes {start}-{end}/{total}\r\nContent-Length: {}\r\nETag: {tag}",
                total - start
            );
            (head, &body.as_bytes()[start..])
        }
        Answer::Status(status, header) => (format!("{status}\r\nContent-Length: 0\r\n{header}"), b""),
        Answer::Stall => ("200 OK\r\nContent-Length: 1000".to_owned(), b""),
    };
    write!(stream, "HTTP/1.1 {}\r\nConnection: close\r\n\r\n", head.trim_end())?;
    stream.write_all(body)?;
    stream.flush()
}

fn records(count: usize) -> String {
    let record = |number| {
        format!(
            r#"{{"id":"CVE-2024-{number:04}","modified":"2025-01-01T00:00:00Z","affected":[{{"package":{{"ecosystem":"Debian:12","name":"redis"}}}}]}}"#
        )
    };
    (0..count).map(record).collect::<Vec<_>>().join("\n")
}

struct Case {
    folder: tempfile::TempDir,
}

impl Case {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("v.db")
    }

    fn update(&self, feeds: &[FeedSource], day: u32) -> (UpdateSummary, Vec<Note>) {
        let options = UpdateOptions {
            now: format!("2026-11-{day:02}T00:00:00Z"),
            budget: Duration::from_secs(60),
            stall: Duration::from_millis(400),
            allow_shrink: false,
        };
        update(feeds, &self.database(), &options).unwrap()
    }

    /// The only feed's outcome.
    fn outcome(&self, feed: &FeedSource, day: u32) -> FeedOutcome {
        let (summary, _) = self.update(std::slice::from_ref(feed), day);
        summary.feeds.into_iter().next().unwrap().1
    }

    fn debian(&self) -> SourceStatus {
        let database = Database::open(&self.database()).unwrap();
        database.verify().unwrap();
        let sources = database.status().unwrap().sources;
        sources.into_iter().find(|source| source.name == "debian").unwrap()
    }
}

fn reason(outcome: FeedOutcome) -> String {
    match outcome {
        FeedOutcome::Failed(reason) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_did_not_change_is_not_downloaded_again_but_is_young_again() {
    let case = Case::new();
    let server = Server::new(vec![
        Answer::Whole(records(10), "\"1\""),
        Answer::Status("304 Not Modified", ""),
        Answer::Whole(records(10), "\"2\""),
        Answer::Whole(records(12), "\"3\""),
    ]);
    assert_eq!(case.outcome(&server.feed(), 1), FeedOutcome::New);
    assert_eq!(case.outcome(&server.feed(), 2), FeedOutcome::Unchanged);
    assert!(!server.had(0, "if-none-match") && server.had(1, "if-none-match: \"1\""));
    let status = case.debian();
    assert_eq!((status.records, status.imported.as_str()), (10, "2026-11-02T00:00:00Z"));
    assert_eq!(status.origin, ["debian"]);
    // The same bytes with another tag are nothing new either.
    assert_eq!(case.outcome(&server.feed(), 3), FeedOutcome::Unchanged);
    assert_eq!(case.outcome(&server.feed(), 4), FeedOutcome::New);
    assert!(server.had(3, "if-none-match: \"2\""));
    assert_eq!(case.debian().records, 12);
}

#[test]
fn a_cut_download_goes_on_where_it_ended() {
    let case = Case::new();
    let body = records(2_000);
    let server = Server::new(vec![
        Answer::Cut(body.clone(), body.len() / 2, "\"1\""),
        Answer::Rest(body.clone(), "\"1\""),
    ]);
    assert_eq!(case.outcome(&server.feed(), 1), FeedOutcome::New);
    assert!(server.had(1, "range: bytes=") && server.had(1, "if-range: \"1\""));
    assert_eq!(case.debian().records, 2_000);
}

#[test]
fn a_later_run_goes_on_too_and_a_changed_file_starts_anew() {
    let case = Case::new();
    let (old, new) = (records(2_000), records(2_100));
    let cut = Answer::Cut(old.clone(), old.len() / 3, "\"1\"");
    let down = Answer::Status("404 Not Found", "");
    let server = Server::new(vec![cut, down, Answer::Whole(new, "\"2\"")]);
    let first = reason(case.outcome(&server.feed(), 1));
    assert!(first.contains("404"), "{first}");
    assert_eq!(case.outcome(&server.feed(), 2), FeedOutcome::New);
    assert!(server.had(2, "range: bytes="));
    assert_eq!(case.debian().records, 2_100);
}

#[test]
fn a_server_that_lies_about_ranges_is_asked_again_for_all() {
    let case = Case::new();
    let body = records(2_000);
    for lie in [
        Answer::Status("206 Partial Content", "Content-Range: bytes 5-9/10"),
        Answer::Status("206 Partial Content", ""),
        Answer::Status("416 Range Not Satisfiable", ""),
    ] {
        let server = Server::new(vec![
            Answer::Cut(body.clone(), 1_000, "\"1\""),
            lie,
            Answer::Whole(body.clone(), "\"1\""),
        ]);
        assert_eq!(case.outcome(&server.feed(), 1), FeedOutcome::New);
        assert!(server.had(1, "range") && !server.had(2, "range"));
        fs::remove_dir_all(case.database().with_extension("db.feeds")).unwrap();
    }
    assert_eq!(case.debian().records, 2_000);
}

#[test]
fn a_feed_that_fails_keeps_its_rows_and_ages() {
    let case = Case::new();
    let good = Server::new(vec![Answer::Whole(records(10), "\"1\"")]);
    assert_eq!(case.outcome(&good.feed(), 1), FeedOutcome::New);
    let rubbish = "{\"id\": \"CVE-2024-1\", \"affected\": 7}\n".repeat(50);
    for (answer, expected) in [
        (Answer::Status("500 Internal Server Error", ""), "500"),
        (Answer::Status("429 Too Many Requests", "Retry-After: 86400"), "429"),
        (Answer::Status("304 Not Modified", ""), "304"),
        (Answer::Status("302 Found", "Location: /debian.jsonl"), "redirect"),
        (Answer::Stall, "after 0 bytes"),
        (Answer::Whole(rubbish, "\"2\""), "cannot be read"),
        (
            Answer::Whole("<html>login</html>".to_owned(), "\"2\""),
            "no feed's format",
        ),
        (Answer::Whole(records(3), "\"2\""), "more than a fifth"),
        (Answer::Whole(String::new(), "\"2\""), "no feed's format"),
    ] {
        let server = Server::new(vec![answer]);
        let reason = reason(case.outcome(&server.feed(), 2));
        assert!(reason.contains(expected), "{reason}");
        let status = case.debian();
        assert_eq!((status.records, status.stale), (10, true), "{reason}");
        assert_eq!(status.imported, "2026-11-01T00:00:00Z", "{reason}");
    }
    // It heals, with what the server had all the time.
    let server = Server::new(vec![Answer::Whole(records(10), "\"1\"")]);
    assert_eq!(case.outcome(&server.feed(), 3), FeedOutcome::Unchanged);
    let status = case.debian();
    assert_eq!(
        (status.stale, status.imported.as_str()),
        (false, "2026-11-03T00:00:00Z")
    );
}

#[test]
fn a_patient_client_gets_its_answer() {
    let case = Case::new();
    let server = Server::new(vec![
        Answer::Status("429 Too Many Requests", "Retry-After: 0"),
        Answer::Status("503 Service Unavailable", "Retry-After: 0"),
        Answer::Whole(records(10), "\"1\""),
    ]);
    assert_eq!(case.outcome(&server.feed(), 1), FeedOutcome::New);
    assert_eq!(server.count(), 3);
}

#[test]
fn mirrors_are_tried_in_order_and_validators_stay_with_theirs() {
    let case = Case::new();
    let broken = Server::new(vec![
        Answer::Status("404 Not Found", ""),
        Answer::Whole(records(10), "\"other\""),
    ]);
    let good = Server::new(vec![Answer::Whole(records(10), "\"1\"")]);
    let feeds = FeedSource::join(vec![broken.feed(), good.feed()]);
    assert_eq!(feeds.len(), 1);
    assert_eq!(case.outcome(&feeds[0], 1), FeedOutcome::New);
    assert_eq!((broken.count(), good.count()), (1, 1));
    assert_eq!(case.outcome(&feeds[0], 2), FeedOutcome::Unchanged);
    assert_eq!((broken.count(), good.count()), (2, 1));
    assert!(!broken.had(1, "if-none-match"), "the tag is the other mirror's");
}

#[test]
fn the_time_for_all_downloads_is_limited() {
    let case = Case::new();
    let server = Server::new(vec![Answer::Stall]);
    let options = UpdateOptions {
        now: "2026-11-01T00:00:00Z".to_owned(),
        budget: Duration::from_millis(300),
        stall: Duration::from_secs(600),
        allow_shrink: false,
    };
    let (summary, notes) = update(&[server.feed()], &case.database(), &options).unwrap();
    let reason = reason(summary.feeds[0].1.clone());
    assert!(reason.contains("time for downloads"), "{reason}");
    assert!(notes.iter().any(Note::makes_incomplete));
}

#[test]
fn folders_and_archives_are_feeds_and_one_source_may_have_two() {
    let case = Case::new();
    let folder = case.folder.path().join("osv");
    fs::create_dir(&folder).unwrap();
    let all = records(400);
    let mut archive = zip::ZipWriter::new(fs::File::create(folder.join("all.zip")).unwrap());
    for (number, record) in all.lines().take(300).enumerate() {
        let name = format!("CVE-2024-{number:04}.json");
        archive
            .start_file(name, zip::write::SimpleFileOptions::default())
            .unwrap();
        archive.write_all(record.as_bytes()).unwrap();
    }
    archive.finish().unwrap();
    let rest: Vec<&str> = all.lines().skip(300).collect();
    let server = Server::new(vec![
        Answer::Whole(rest.join("\n"), "\"1\""),
        Answer::Status("304 Not Modified", ""),
    ]);
    let local = FeedSource::parse(&format!("osv-debian={}", folder.display())).unwrap();
    let feeds = [local, server.feed()];
    let outcomes = |day| {
        let (summary, _) = case.update(&feeds, day);
        summary
            .feeds
            .into_iter()
            .map(|(_, outcome)| outcome)
            .collect::<Vec<_>>()
    };
    assert_eq!(outcomes(1), [FeedOutcome::New, FeedOutcome::New]);
    assert_eq!(case.debian().records, 400);
    assert_eq!(case.debian().origin, ["debian", "osv-debian"]);
    // What one of them has not changed stays when the other has.
    fs::write(folder.join("more.jsonl"), records(401).lines().last().unwrap()).unwrap();
    assert_eq!(outcomes(2), [FeedOutcome::New, FeedOutcome::Unchanged]);
    assert_eq!(case.debian().records, 401);
    // And when the folder is gone, its rows are not.
    fs::remove_dir_all(&folder).unwrap();
    assert!(matches!(
        outcomes(3).as_slice(),
        [FeedOutcome::Failed(_), FeedOutcome::Unchanged]
    ));
    let status = case.debian();
    assert_eq!((status.records, status.stale), (401, true));
    assert_eq!(status.imported, "2026-11-02T00:00:00Z");
}

#[test]
fn names_and_places_are_checked() {
    for text in ["debian", "=x", "a/b=x", "..=x", "a=", "a=http://", "a b=x"] {
        assert!(FeedSource::parse(text).is_err(), "{text}");
    }
    for text in [
        "debian=feed.json",
        "osv-1.0=https://mirror.example/all.zip",
        "a=file:///x",
    ] {
        assert!(FeedSource::parse(text).is_ok(), "{text}");
    }
}

#[test]
fn a_record_from_the_future_does_not_outlive_its_correction() {
    let case = Case::new();
    let file = case.folder.path().join("debian.jsonl");
    let record = |modified: &str, fixed: &str| {
        format!(
            r#"{{"id":"CVE-2024-0001","modified":"{modified}","affected":[{{"package":{{"ecosystem":"Debian:12","name":"redis"}},"ranges":[{{"type":"ECOSYSTEM","events":[{{"introduced":"0"}},{{"fixed":"{fixed}"}}]}}]}}]}}"#
        )
    };
    let range = || {
        Database::open(&case.database()).unwrap().search("redis", 9).unwrap()[0]
            .range
            .clone()
    };
    let import = |text: String, day: u32| {
        fs::write(&file, text).unwrap();
        let options = plimsoll_vulndb::ImportOptions {
            now: format!("2026-11-{day:02}T00:00:00Z"),
            replace: false,
            allow_shrink: false,
        };
        plimsoll_vulndb::import(std::slice::from_ref(&file), &case.database(), &options).unwrap();
    };
    import(record("2099-01-01T00:00:00Z", "1"), 1);
    assert_eq!(range(), "< 1");
    import(record("2026-11-03T00:00:00Z", "2"), 4);
    assert_eq!(range(), "< 2");
}
