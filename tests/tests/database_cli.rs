//! The database's commands as a person types them: an update from a folder and from a mirror, build, export, import,
//! verify, explain, and scans with statements on exploitability (VEX).

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    path::{Path, PathBuf},
    thread,
};

use plimsoll_model::{NoteKind, ScanReport};
use plimsoll_tests::{
    command::{self, Run},
    image,
};
use serde_json::json;

/// Three faults of the package in [`image::debian_files`]: one fixed, one not, one of another package.
const FEED: &str = r#"{"id":"CVE-2024-0001","modified":"2026-11-01T00:00:00Z","details":"first fault","affected":[{"package":{"ecosystem":"Debian:12","name":"demo-source"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"1.0-2"}]}]}]}
{"id":"CVE-2024-0002","modified":"2026-11-01T00:00:00Z","details":"second fault","affected":[{"package":{"ecosystem":"Debian:12","name":"demo-source"}}]}
{"id":"CVE-2024-0003","modified":"2026-11-01T00:00:00Z","details":"third fault","affected":[{"package":{"ecosystem":"Debian:12","name":"other"}}]}
"#;

struct Scene {
    folder: tempfile::TempDir,
}

impl Scene {
    /// An image and a database with its advisories.
    fn new() -> Self {
        let scene = Self::without_database();
        let run = scene.run(&["db", "import", &scene.text("feeds")]);
        check(&run, 0, &["debian", "3 records"]);
        scene
    }

    fn without_database() -> Self {
        let scene = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(scene.path("feeds")).unwrap();
        fs::write(scene.path("feeds/debian.jsonl"), FEED).unwrap();
        image::write_layout(&scene.path("image"), &[&image::debian_files()], &json!({})).unwrap();
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Runs with this scene's database.
    fn run(&self, arguments: &[&str]) -> Run {
        let database = self.text("v.db");
        command::run(arguments.iter().copied().chain(["--db", &database]))
    }

    fn scan(&self, arguments: &[&str]) -> (Run, ScanReport) {
        let (target, report) = (format!("oci:{}", self.text("image")), self.path("report.json"));
        let output = format!("json={}", report.display());
        let run = self.run(&[&["scan", &target, "-o", "table", "-o", &output], arguments].concat());
        let report = serde_json::from_slice(&fs::read(&report).unwrap_or_default());
        (run, report.expect("a report was written"))
    }
}

#[track_caller]
fn check(run: &Run, code: i32, words: &[&str]) {
    assert_eq!(run.code, Some(code), "{run:?}");
    for word in words {
        assert!(
            run.stdout.contains(word) || run.stderr.contains(word),
            "no `{word}` in {run:?}"
        );
    }
    assert!(code == 0 || code == 5 || run.stderr.contains("hint: "), "{run:?}");
}

fn ids(report: &ScanReport) -> Vec<&str> {
    let matches = report.matches.as_ref().expect("vulnerabilities were looked for");
    matches.iter().map(|one| one.vulnerability.id.as_str()).collect()
}

/// The same two statements in each format: the first fault is not reachable, and one that the image does not have is fixed.
fn statements() -> [(&'static str, serde_json::Value); 3] {
    let openvex = json!({
        "@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://vex.example/1", "author": "somebody",
        "timestamp": "2026-11-02T00:00:00Z", "version": 1,
        "statements": [
            {"vulnerability": {"name": "CVE-2024-0001"}, "products": [{"@id": "pkg:deb/debian/demo"}], "status": "not_affected",
             "justification": "vulnerable_code_not_in_execute_path", "impact_statement": "the parser is switched off"},
            {"vulnerability": {"name": "CVE-2019-0009"}, "products": [{"@id": "pkg:deb/debian/demo"}], "status": "fixed"},
        ],
    });
    let csaf = json!({
        "document": {"category": "csaf_vex", "csaf_version": "2.0", "title": "demo",
                     "tracking": {"current_release_date": "2026-11-02T00:00:00Z"}},
        "product_tree": {"full_product_names": [{"product_id": "demo", "name": "demo",
            "product_identification_helper": {"purl": "pkg:deb/debian/demo"}}]},
        "vulnerabilities": [
            {"cve": "CVE-2024-0001", "product_status": {"known_not_affected": ["demo"]},
             "flags": [{"label": "vulnerable_code_not_in_execute_path", "product_ids": ["demo"]}],
             "threats": [{"category": "impact", "details": "the parser is switched off", "product_ids": ["demo"]}]},
            {"cve": "CVE-2019-0009", "product_status": {"fixed": ["demo"]}},
        ],
    });
    let cyclonedx = json!({
        "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
        "metadata": {"timestamp": "2026-11-02T00:00:00Z"},
        "components": [{"type": "library", "name": "demo", "bom-ref": "d", "purl": "pkg:deb/debian/demo"}],
        "vulnerabilities": [
            {"id": "CVE-2024-0001", "affects": [{"ref": "d"}], "analysis": {"state": "not_affected",
             "justification": "vulnerable_code_not_in_execute_path", "detail": "the parser is switched off"}},
            {"id": "CVE-2019-0009", "affects": [{"ref": "d"}], "analysis": {"state": "resolved"}},
        ],
    });
    [("openvex", openvex), ("csaf", csaf), ("cyclonedx", cyclonedx)]
}

#[test]
fn statements_take_matches_away_and_stay_visible() {
    let scene = Scene::new();
    let (run, report) = scene.scan(&[]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(ids(&report), ["CVE-2024-0001", "CVE-2024-0002"]);
    for (format, document) in statements() {
        let file = format!("{format}.json");
        fs::write(scene.path(&file), document.to_string()).unwrap();
        let (run, report) = scene.scan(&["--vex", &scene.text(&file)]);
        assert_eq!(run.code, Some(0), "{format}: {run:?}");
        assert_eq!(ids(&report), ["CVE-2024-0002"], "{format}");
        let hints: Vec<(&str, &str)> = report
            .notes
            .iter()
            .filter(|note| note.kind == NoteKind::Hint)
            .map(|note| (note.subject.as_str(), note.detail.as_str()))
            .collect();
        let taken = hints.iter().find(|(subject, _)| *subject == "CVE-2024-0001 in demo");
        let detail = taken.unwrap_or_else(|| panic!("{format}: {hints:?}")).1;
        for word in [
            "not affected",
            file.as_str(),
            "2026-11-02T00:00:00Z",
            "vulnerable_code_not_in_execute_path",
            "the parser is switched off",
        ] {
            assert!(detail.contains(word), "{format}: no `{word}` in {detail}");
        }
        let unused = hints.iter().find(|(subject, _)| subject.contains("CVE-2019-0009"));
        assert!(
            unused.is_some_and(|(_, detail)| detail.contains("takes nothing away")),
            "{format}: {hints:?}"
        );
        // A person sees the same as a program.
        check(&run, 0, &["CVE-2024-0001 in demo", "CVE-2019-0009", "CVE-2024-0002"]);
    }
}

#[test]
fn what_was_taken_away_can_be_handed_on() {
    let scene = Scene::new();
    let [(_, document), ..] = statements();
    fs::write(scene.path("first.json"), document.to_string()).unwrap();
    let (first, second) = (scene.text("first.json"), scene.text("second.json"));
    let (run, _) = scene.scan(&["--vex", &first, "--vex-output", &second, "--vex-author", "team"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let written: serde_json::Value = serde_json::from_slice(&fs::read(&second).unwrap()).unwrap();
    assert_eq!(written["author"], "team");
    let (run, report) = scene.scan(&["--vex", &second]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(ids(&report), ["CVE-2024-0002"]);
}

#[test]
fn what_has_nothing_to_say_is_no_openvex_document() {
    let scene = Scene::new();
    let target = format!("oci:{}", scene.text("image"));
    let (report, csaf) = (scene.text("report.json"), scene.text("csaf.json"));
    // Of an earlier scan, in which there was something to say.
    fs::write(&report, "old").unwrap();
    let arguments = [
        "scan",
        &target,
        "--skip-vulnerabilities",
        "-o",
        &format!("openvex={report}"),
        "-o",
        &format!("csaf-vex={csaf}"),
    ];
    check(
        &scene.run(&arguments),
        0,
        &["openvex: there is nothing to say", "none is written"],
    );
    assert!(!Path::new(&report).exists(), "no document without a statement");
    assert!(fs::read_to_string(&csaf).unwrap().contains("csaf_base"));
    let run = scene.run(&["scan", &target, "--skip-vulnerabilities", "-o", "openvex"]);
    check(&run, 0, &["none is written"]);
    assert_eq!(run.stdout, "");
    // A document that takes nothing away leaves nothing to hand on.
    let idle = json!({
        "@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://vex.example/2", "author": "somebody",
        "timestamp": "2026-11-01T00:00:00Z", "version": 1, "statements": [{"vulnerability": {"name": "CVE-2019-0009"},
        "products": [{"@id": "pkg:deb/debian/demo"}], "status": "not_affected", "impact_statement": "never was in it"}]});
    fs::write(scene.path("idle.json"), idle.to_string()).unwrap();
    let (idle, second) = (scene.text("idle.json"), scene.text("second.json"));
    check(
        &scene.run(&["scan", &target, "--vex", &idle, "--vex-output", &second]),
        0,
        &["--vex-output: there is nothing to say"],
    );
    assert!(!Path::new(&second).exists());
}

#[test]
fn a_document_that_cannot_be_believed_waives_nothing() {
    let scene = Scene::new();
    let bare = json!({
        "@context": "https://openvex.dev/ns/v0.2.0",
        "statements": [{"vulnerability": {"name": "CVE-2024-0001"}, "products": [{"@id": "pkg:deb/debian/demo"}], "status": "not_affected"}],
    });
    let target = format!("oci:{}", scene.text("image"));
    for (what, text, word) in [
        ("cut", "{\"@context\": \"https://openvex.dev", "VEX"),
        ("of no format", "{}", "neither OpenVEX nor CSAF nor CycloneDX"),
        ("without a reason", &bare.to_string(), "without a reason"),
    ] {
        fs::write(scene.path("bad.json"), text).unwrap();
        let run = scene.run(&["scan", &target, "--vex", &scene.text("bad.json")]);
        assert_eq!(run.code, Some(2), "{what}: {run:?}");
        check(&run, 2, &[word]);
    }
    check(
        &scene.run(&["scan", &target, "--vex", &scene.text("absent.json")]),
        2,
        &["absent.json"],
    );
}

#[test]
fn explain_says_what_stands_behind_a_row() {
    let scene = Scene::new();
    // As CISA publishes its decision points, of this fault.
    let decided = include_str!("../../fuzz/corpus/feed-ssvc/sound").replace("CVE-2024-3018", "CVE-2024-0001");
    fs::write(scene.path("CVE-2024-0001.json"), decided).unwrap();
    check(
        &scene.run(&["db", "import", &scene.text("CVE-2024-0001.json")]),
        0,
        &["ssvc"],
    );
    scene.scan(&[]);
    let report = scene.text("report.json");
    let run = scene.run(&["explain", "CVE-2024-0001", "--report", &report]);
    check(
        &run,
        0,
        &[
            "CVE-2024-0001 in demo",
            "demo-source 1.0-1",
            "< 1.0-2",
            "1.0-1 < 1.0-2",
            "dpkg",
            "update to 1.0-2",
            "debian",
            "SSVC         exploitation none, automatable no, technical impact partial (CISA)",
        ],
    );
    assert!(!run.stdout.contains("CVE-2024-0002"), "{run:?}");
    // What nobody decided is not said.
    let run = scene.run(&["explain", "CVE-2024-0002", "--report", &report]);
    assert!(run.code == Some(0) && !run.stdout.contains("SSVC"), "{run:?}");
    check(
        &scene.run(&["explain", "demo", "--report", &report]),
        0,
        &["CVE-2024-0001", "CVE-2024-0002"],
    );
    check(
        &scene.run(&["explain", "CVE-2024-0003", "--report", &report]),
        0,
        &["not a match of this image"],
    );
    check(&scene.run(&["explain", "CVE-2024-0003"]), 0, &["other", "Debian:12"]);
    check(&scene.run(&["explain", "CVE-1999-9999"]), 3, &["nothing is known"]);
}

#[test]
fn exported_and_imported_is_the_same_and_damage_is_refused() {
    let scene = Scene::new();
    let packed = scene.text("v.db.zst");
    check(&scene.run(&["db", "export", &packed]), 0, &["sha256:"]);
    let original = fs::read(scene.path("v.db")).unwrap();
    let copy = scene.text("copy.db");
    check(&command::run(["db", "import", &packed, "--db", &copy]), 0, &[]);
    assert_eq!(fs::read(&copy).unwrap(), original);
    check(&command::run(["db", "verify", "--db", &copy]), 0, &["whole"]);
    let mut bytes = fs::read(&packed).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&packed, &bytes).unwrap();
    check(
        &command::run(["db", "import", &packed, "--db", &copy]),
        4,
        &["v.db.zst"],
    );
    bytes.truncate(middle);
    fs::write(&packed, &bytes).unwrap();
    check(
        &command::run(["db", "import", &packed, "--db", &copy]),
        4,
        &["v.db.zst"],
    );
    assert_eq!(fs::read(&copy).unwrap(), original, "the old database stays");
    // The second page of the database itself; parts of a page may be empty.
    let mut damaged = original;
    damaged[8192..2 * 8192].fill(0xff);
    fs::write(&copy, damaged).unwrap();
    check(&command::run(["db", "verify", "--db", &copy]), 4, &["copy.db"]);
}

#[test]
fn an_import_adds_to_what_is_there_and_a_build_begins_from_nothing() {
    let scene = Scene::new();
    let other = FEED.replace("CVE-2024", "CVE-2025").replace("demo-source", "another");
    fs::write(scene.path("more.jsonl"), other).unwrap();
    let more = scene.text("more.jsonl");
    check(&scene.run(&["db", "import", &more]), 0, &["3 records"]);
    check(&scene.run(&["db", "status"]), 0, &["advisories  6"]);
    check(&scene.run(&["db", "search", "CVE-2024-0001"]), 0, &["demo-source"]);
    check(&scene.run(&["db", "build", "--allow-shrink", &more]), 0, &["3 records"]);
    check(&scene.run(&["db", "status"]), 0, &["advisories  3"]);
    check(&scene.run(&["db", "search", "CVE-2025-0001"]), 0, &["another"]);
    check(&scene.run(&["db", "search", "CVE-2024-0001"]), 3, &["nothing is known"]);
    // A whole database takes the place of all: it is not one feed among others.
    let packed = scene.text("v.db.zst");
    check(&scene.run(&["db", "export", &packed]), 0, &["sha256:"]);
    check(&scene.run(&["db", "import", &packed, &more]), 2, &["whole database"]);
    check(&scene.run(&["db", "import", "--digest", "0", &more]), 2, &["--digest"]);
}

/// Serves one file to everybody, until the test ends.
fn mirror(body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = String::new();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            while reader.read_line(&mut head).is_ok_and(|read| read > 2) {}
            let is_known = head.to_lowercase().contains("if-none-match: \"1\"");
            let answer = match is_known {
                true => "HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\nConnection: close\r\n\r\n".to_owned(),
                false => format!(
                    "HTTP/1.1 200 OK\r\nETag: \"1\"\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                ),
            };
            // A client that hangs up early is no fault of the server.
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    format!("http://{address}/debian.jsonl")
}

#[test]
fn an_update_comes_from_a_folder_or_a_mirror() {
    let scene = Scene::without_database();
    let folder = format!("debian={}", scene.text("feeds"));
    check(
        &scene.run(&["db", "update", "--source", &folder]),
        0,
        &["new", "3 records"],
    );
    check(&scene.run(&["db", "verify"]), 0, &["whole"]);
    let (_, report) = scene.scan(&[]);
    assert_eq!(ids(&report), ["CVE-2024-0001", "CVE-2024-0002"]);

    let scene = Scene::without_database();
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (first, second) = (
        format!("debian=http://{dead}/debian.jsonl"),
        format!("debian={}", mirror(FEED)),
    );
    let update = ["db", "update", "--source", &first, "--source", &second];
    check(&scene.run(&update), 0, &["new", "3 records"]);
    let before = fs::read(scene.path("v.db")).unwrap();
    check(&scene.run(&update), 0, &["unchanged"]);
    assert!(is_one_source(&scene.path("v.db"), &scene));
    assert!(!before.is_empty());
    check(
        &scene.run(&["db", "update", "--source", &first]),
        4,
        &["no feed could be had"],
    );
    check(
        &scene.run(&["db", "search", "CVE-2024-0001"]),
        0,
        &["demo-source", "< 1.0-2"],
    );
}

fn is_one_source(database: &Path, scene: &Scene) -> bool {
    let run = scene.run(&["db", "status"]);
    check(&run, 0, &["debian", &database.display().to_string()]);
    !run.stdout.contains("stale")
}
