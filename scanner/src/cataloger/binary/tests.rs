//! The table of classifiers, held against extracts of real files, against its own rules and against bytes that mean harm.

use std::collections::{BTreeMap, BTreeSet};

use regex_syntax::hir::Look as Assertion;

use super::{
    Classifier, Look, Matcher,
    classifier::{agrees, candidates, expand, patterns},
    table,
};
use crate::limits::{CLASSIFIER_OVERLAP_BYTES, CLASSIFIER_WINDOW_BYTES, MAX_CLASSIFIED_TEXT_BYTES};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/classifiers");

struct Extract {
    classifier: String,
    path: String,
    version: String,
    bytes: Vec<u8>,
}

fn extracts() -> Vec<Extract> {
    let text = std::fs::read_to_string(format!("{FOLDER}/extracts.tsv")).unwrap();
    let extract = |line: &str| {
        let [classifier, path, _origin, version, bytes] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        Extract {
            classifier: classifier.to_owned(),
            path: path.to_owned(),
            version: version.to_owned(),
            bytes: unescaped(bytes),
        }
    };
    text.lines().map(extract).collect()
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut parts = text.split("\\x");
    let mut bytes = parts.next().unwrap().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    bytes
}

/// What the rows that look at contents say, with the file in pieces of `step` bytes.
fn recognised(path: &str, bytes: &[u8], step: usize) -> Vec<(String, String)> {
    let mut rows = candidates(path);
    rows.retain(|row| row.look != Look::Path);
    let mut matcher = Matcher::new(path, rows);
    bytes.chunks(step).for_each(|piece| matcher.feed(piece));
    let found = matcher.finish().into_iter();
    found.map(|(row, version)| (row.id.to_owned(), version)).collect()
}

fn rows() -> impl Iterator<Item = &'static Classifier> {
    table::ALL.iter().copied().flatten()
}

#[test]
fn real_files_say_what_their_packages_say() {
    let mut wrong = Vec::new();
    for extract in extracts() {
        let expected = vec![(extract.classifier.clone(), extract.version.clone())];
        for step in [1, 61, 1 << 20] {
            let found = recognised(&extract.path, &extract.bytes, step);
            if found != expected {
                wrong.push(format!(
                    "{} in pieces of {step}: {found:?}, not {expected:?}",
                    extract.path
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rows_that_no_real_file_was_held_against_are_said_to_be() {
    let readme = std::fs::read_to_string(format!("{FOLDER}/README.md")).unwrap();
    let (_, list) = readme.split_once("## Not held against a real file").unwrap();
    let stated: BTreeSet<&str> = list.split('`').skip(1).step_by(2).collect();
    let held: BTreeSet<String> = extracts().into_iter().map(|extract| extract.classifier).collect();
    let unheld: BTreeSet<&str> = rows().map(|row| row.id).filter(|id| !held.contains(*id)).collect();
    assert_eq!(unheld, stated);
}

#[test]
fn rows_keep_the_rules_of_the_table() {
    let mut ids = BTreeMap::new();
    for row in rows() {
        assert_eq!(ids.insert(row.id, row.package), None, "{} is there twice", row.id);
        assert!(!row.files.is_empty() && !row.patterns.is_empty(), "{}", row.id);
        for cpe in row.cpes {
            assert_eq!(cpe.split(':').count(), 2, "{cpe}");
        }
        for (pattern, compiled) in row.patterns.iter().zip(patterns(row)) {
            assert!(compiled.captures_len() > 1, "{}: {pattern} has no group", row.id);
            let mut parser = regex_syntax::ParserBuilder::new();
            let parser = parser.unicode(false).utf8(false).dot_matches_new_line(true);
            let hir = parser.build().parse(&expand(pattern)).unwrap();
            let longest = hir.properties().maximum_len();
            assert!(
                longest.is_some_and(|bytes| bytes < CLASSIFIER_OVERLAP_BYTES),
                "{}: {pattern} may match {longest:?} bytes",
                row.id
            );
            // A window begins where the file does not.
            let anchors = hir.properties().look_set();
            let may_anchor = matches!(row.look, Look::Text | Look::Path);
            assert!(may_anchor || anchors.is_empty(), "{}: {pattern} has anchors", row.id);
            assert!(!anchors.contains(Assertion::StartLF), "{}: {pattern}", row.id);
        }
    }
    assert!(ids.len() >= 60);
    assert!(usize::try_from(MAX_CLASSIFIED_TEXT_BYTES).unwrap() < CLASSIFIER_WINDOW_BYTES);
}

#[test]
fn a_version_is_found_wherever_windows_are_cut() {
    let sign = b"\0nginx/1.22.1\0";
    for at in [
        0,
        CLASSIFIER_WINDOW_BYTES - sign.len() - 1,
        CLASSIFIER_WINDOW_BYTES - sign.len(),
        CLASSIFIER_WINDOW_BYTES - 4,
        CLASSIFIER_WINDOW_BYTES,
        2 * CLASSIFIER_WINDOW_BYTES,
        3 * CLASSIFIER_WINDOW_BYTES - CLASSIFIER_OVERLAP_BYTES - 5,
    ] {
        let mut bytes = vec![0xcc; at];
        bytes.extend_from_slice(sign);
        bytes.resize(bytes.len() + 70_000, 0xcc);
        let found = recognised("/usr/sbin/nginx", &bytes, 100_003);
        assert_eq!(found, [("nginx".to_owned(), "1.22.1".to_owned())], "at {at}");
    }
}

#[test]
fn the_surest_pattern_decides_and_the_files_name_too() {
    let both = b"\0nginx/1.0.0\0 nginx version: nginx/1.22.1\n";
    assert_eq!(recognised("/nginx", both, 9)[0].1, "1.22.1");
    // The version of a library that is part of the program.
    let library = b"\x003.40.1\0pymalloc_debug\x003.11.2\0strict\0";
    assert_eq!(recognised("/usr/bin/python3.11", library, 7)[0].1, "3.11.2");
    assert!(!agrees("/usr/lib/libpython3.11.so.1.0", "3.40.1"));
    assert!(agrees("/usr/lib/libcrypto.so.3", "1.1.1w"));
    assert!(agrees("/usr/bin/dropbear", "2022.83"));
}

#[test]
fn only_files_of_the_right_name_are_looked_into() {
    let named = |path: &str| candidates(path).iter().map(|row| row.id).collect::<Vec<_>>();
    assert_eq!(named("/usr/bin/redis-server"), ["redis"]);
    assert_eq!(named("/opt/app/run"), [""; 0]);
    assert_eq!(named("/usr/lib/jvm/x/bin/java"), ["openjdk-launcher"]);
    assert_eq!(named("/usr/share/java"), [""; 0]);
    assert_eq!(named("/opt/kafka/libs/kafka_2.13-3.6.0.jar"), ["kafka"]);
    assert_eq!(named("/opt/kafka_2.13-3.6.0.jar"), [""; 0]);
}

#[test]
fn hostile_bytes_are_read_in_bounded_time_and_say_nothing_odd() {
    let nasty: Vec<Vec<u8>> = vec![
        b"1.".repeat(40_000),
        b"\x001.1.1\x00-".repeat(8_000),
        b"0.9999.99999.99999".repeat(4_000),
        vec![0; 80_000],
        b"\xff\xfe(PostgreSQL) ".repeat(5_000),
        b"PHP/\xc3\x28".repeat(10_000),
    ];
    for row in rows() {
        let path = format!("/{}", row.files[0].replace('*', "1"));
        for bytes in &nasty {
            for (_, version) in recognised(&path, bytes, 4096) {
                assert!(version.len() <= 64 && version.is_ascii(), "{}: {version}", row.id);
            }
        }
    }
}

#[test]
fn files_cut_at_any_byte_never_panic() {
    for extract in extracts().iter().take(12) {
        for cut in 0..extract.bytes.len() {
            let _ = recognised(&extract.path, &extract.bytes[..cut], 512);
        }
    }
}
