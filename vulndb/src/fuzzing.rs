//! Every reader of foreign bytes in this crate by name, for the fuzzer and its corpus: bytes in, nothing out but a panic.
//! No part of the interface: `fuzz/` and `tests/tests/corpus.rs` alone use it.

use crate::{
    feed::{self, Batch},
    read_vex,
    version::{self, npm_range_holds},
};

/// Name, reader, and files of the repository that it reads without a fault.
pub type Parser = (&'static str, fn(&[u8]), &'static [&'static str]);

/// All of them. A new parser is one line; what it begins with is in `fuzz/corpus/NAME/`.
pub const PARSERS: &[Parser] = &[
    // A refusal is an answer.
    ("feed-archive", |b| drop(crate::read::read_bytes("all", b)), &[]),
    ("feed-amazon", |b| read("amazon", "alas.json", b), &[]),
    ("feed-arch", |b| read("arch", "arch.json", b), &[]),
    ("feed-csaf", |b| read("csaf", "CVE-2026-1.json", b), &[]),
    ("feed-cvss", |b| read("cvss", "cvss.csv", b), &[]),
    ("feed-debian", |b| read("debian", "debian.json", b), &[]),
    ("feed-distro-info", |b| read("distro_info", "debian.csv", b), &[]),
    ("feed-epss", |b| read("epss", "epss.csv", b), &[]),
    (
        "feed-php",
        |b| read("friendsofphp", "acme/tool/CVE-2026-1.yaml", b),
        &[],
    ),
    ("feed-kev", |b| read("kev", "kev.json", b), &[]),
    ("feed-nvd", |b| read("nvd", "nvd.json", b), &[]),
    ("feed-oracle", |b| read("oracle", "elsa.xml", b), &[]),
    ("feed-osv", |b| read("osv", "all.json", b), &[]),
    ("feed-pypa", |b| read("pypa", "PYSEC-2026-1.yaml", b), &[]),
    ("feed-redhat", |b| read("redhat", "cve.json", b), &[]),
    ("feed-rocky", |b| read("rocky", "rocky.json", b), &[]),
    ("feed-ruby", |b| read("rubysec", "CVE-2026-1.yml", b), &[]),
    ("feed-rust", |b| read("rustsec", "RUSTSEC-2026-0001.md", b), &[]),
    ("feed-secdb", |b| read("secdb", "main.json", b), &[]),
    ("feed-ssvc", |b| read("ssvc", "CVE-2026-1.json", b), &[]),
    (
        "feed-support",
        |b| read("security_support", "security-support-limited", b),
        &[],
    ),
    ("feed-tracker", |b| read("ubuntu_tracker", "CVE-2026-1000", b), &[]),
    ("feed-ubuntu", |b| read("ubuntu", "CVE-2026-1.json", b), &[]),
    ("versions", versions, &[]),
    (
        "cvss-vector",
        |b| {
            crate::cvss::score(&String::from_utf8_lossy(b));
        },
        &[],
    ),
    (
        "ecosystem",
        |b| drop(crate::ecosystem::canonical(&String::from_utf8_lossy(b))),
        &[],
    ),
    ("purl", purl, &[]),
    ("vex", |b| drop(read_vex("fuzz", b)), &[]),
];

fn read(name: &str, file: &str, document: &[u8]) {
    let feed = feed::ALL.iter().find(|feed| feed.name() == name);
    let feed = feed.expect("rows name feeds that exist");
    feed.recognises(file, document);
    // A refusal is an answer.
    let _ = feed.parse_named(file, document, &mut Batch::default());
}

/// What is read is written so that it is read again as the same.
fn purl(bytes: &[u8]) {
    if let Ok(purl) = crate::Purl::parse(&String::from_utf8_lossy(bytes)) {
        let again = crate::Purl::parse(&purl.to_string());
        // What was just short enough may be longer when its characters are escaped.
        if again != Err("it is too long") {
            assert_eq!(again.as_ref(), Ok(&purl), "{purl}");
        }
    }
}

/// The first two lines in every order of versions: each is equal to itself, and turning them round turns the answer.
fn versions(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines();
    let (a, b) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    for scheme in version::ALL {
        let Ok(order) = scheme.compare(a, b) else { continue };
        let name = scheme.name();
        assert_eq!(scheme.compare(b, a), Ok(order.reverse()), "{name}: {a:?} and {b:?}");
        assert!(scheme.compare(a, a).is_ok_and(|order| order.is_eq()), "{name}: {a:?}");
    }
    // A refusal is an answer.
    let _ = npm_range_holds(a, b);
}
