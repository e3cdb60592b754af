//! Archives as publishers make them (GitHub's zip of a repository, Red Hat's tar.zst): read like folders; cut and hostile
//! ones are refused.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::Write as _;
use std::path::{Path, PathBuf};

use plimsoll_model::{Note, NoteKind};
use plimsoll_vulndb::{Database, ImportOptions, ImportSummary, import};

const RUBY: &[u8] = include_bytes!("../../fuzz/corpus/feed-ruby/sound");
const PHP: &[u8] = include_bytes!("../../fuzz/corpus/feed-php/sound");
const SSVC: &[u8] = include_bytes!("../../fuzz/corpus/feed-ssvc/sound");
const CSAF: &[u8] = include_bytes!("../../fuzz/corpus/feed-csaf/sound");

/// What the repositories hold: three feeds with a record each, a compressed one, and what is no data.
fn members() -> Vec<(String, Vec<u8>)> {
    let long = format!("repository-main/{}/CVE-2026-1.yml", "deep/".repeat(40));
    vec![
        (long, RUBY.to_vec()),
        ("repository-main/acme/tool/CVE-2026-1.yaml".to_owned(), PHP.to_vec()),
        ("repository-main/2026/CVE-2026-1.json".to_owned(), SSVC.to_vec()),
        (
            "../../../csaf/CVE-2026-2.json.zst".to_owned(),
            zstd::encode_all(CSAF, 3).unwrap(),
        ),
        ("repository-main/.github/workflow.yml".to_owned(), b"on: push".to_vec()),
        ("repository-main/LICENSE".to_owned(), b"free".to_vec()),
    ]
}

fn tar(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, bytes) in members {
        if name.len() > 100 {
            archive.extend(entry(b'L', b"././@LongLink", name.as_bytes()));
        }
        archive.extend(entry(b'0', &name.as_bytes()[..name.len().min(100)], bytes));
    }
    archive.resize(archive.len() + 1024, 0);
    archive
}

fn entry(kind: u8, name: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut entry = tar_header(kind, name, bytes.len());
    entry.extend(bytes);
    entry.resize(entry.len().next_multiple_of(512), 0);
    entry
}

fn tar_header(kind: u8, name: &[u8], size: usize) -> Vec<u8> {
    let mut header = vec![0; 512];
    header[..name.len()].copy_from_slice(name);
    header[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
    header[156] = kind;
    header[257..265].copy_from_slice(b"ustar  \0");
    header[148..156].copy_from_slice(b"        ");
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

fn zip(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in members {
        archive
            .start_file(name.as_str(), zip::write::SimpleFileOptions::default())
            .unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// As `git archive` and `tar --format=posix` write it: a header for all members, and one with its whole name before each.
fn pax_tar(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut archive = entry(b'g', b"pax_global_header", b"19 comment=abcdefg\n");
    for (name, bytes) in members {
        archive.extend(entry(b'x', b"PaxHeaders/1", &pax_record("path", name)));
        archive.extend(entry(b'0', b"cut", bytes));
    }
    archive.resize(archive.len() + 1024, 0);
    archive
}

/// One record of an extended header: its own length in digits, then the key and the value (POSIX pax).
fn pax_record(key: &str, value: &str) -> Vec<u8> {
    let rest = format!(" {key}={value}\n");
    let with = |length: usize| rest.len() + length.to_string().len();
    let length = (0..9).fold(rest.len(), |length, _| with(length));
    format!("{length}{rest}").into_bytes()
}

fn read(folder: &Path, name: &str, bytes: &[u8]) -> (ImportSummary, Vec<Note>) {
    let (path, database): (PathBuf, PathBuf) = (folder.join(name), folder.join("v.db"));
    std::fs::write(&path, bytes).unwrap();
    let options = ImportOptions {
        now: "2026-11-22T00:00:00Z".to_owned(),
        replace: true,
        allow_shrink: true,
    };
    let result = import(&[path], &database, &options).unwrap();
    Database::open(&database).unwrap().verify().unwrap();
    result
}

#[test]
fn archives_are_read_as_folders_are() {
    let folder = tempfile::tempdir().unwrap();
    let plain = tar(&members());
    for (name, bytes) in [
        ("a.zip", zip(&members())),
        ("a.tar", plain.clone()),
        ("a.tar.gz", gzip(&plain)),
        ("a.tar.bz2", bzip2(&plain)),
        ("pax.tar", pax_tar(&members())),
        ("a.tar.zst", zstd::encode_all(plain.as_slice(), 3).unwrap()),
    ] {
        let (summary, notes) = read(folder.path(), name, &bytes);
        assert_eq!(notes, [], "{name}");
        let sources: Vec<(&str, u64)> = summary
            .sources
            .iter()
            .map(|one| (one.name.as_str(), one.refused_files))
            .collect();
        let expected = [("friendsofphp", 0), ("redhat", 0), ("rubysec", 0), ("ssvc", 0)];
        // What the record of CISA says beside its decision points is told as another source.
        let sources: Vec<_> = sources.into_iter().filter(|(name, _)| *name != "cvss").collect();
        assert_eq!(sources, expected, "{name}");
    }
}

#[test]
fn an_archive_that_ends_early_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let plain = tar(&members());
    let packed = zstd::encode_all(plain.as_slice(), 3).unwrap();
    let zipped = zip(&members());
    for (name, bytes) in [
        // At the end of a member, where only the blocks of zeros are missing, and within one.
        ("end.tar", &plain[..plain.len() - 1024]),
        ("half.tar", &plain[..plain.len() / 2]),
        ("half.tar.zst", &packed[..packed.len() - 4]),
        ("half.zip", &zipped[..zipped.len() - 30]),
    ] {
        let (summary, notes) = read(folder.path(), name, bytes);
        assert_eq!(summary.sources.iter().map(|one| one.records).sum::<u64>(), 0, "{name}");
        assert!(
            notes.iter().any(|note| note.kind == NoteKind::Unreadable),
            "{name}: {notes:?}"
        );
    }
}

#[test]
fn a_hostile_archive_ends_with_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let endless = [tar_header(b'x', b"x", 0o7_777_777_777), vec![b'1'; 4096]].concat();
    let mut wrong = tar(&members());
    wrong[0] ^= 1;
    // Five GiB of blanks, which is more than any feed, in little.
    let blanks = vec![b' '; 64 << 20];
    let bomb: Vec<(String, Vec<u8>)> = (0..8).map(|at| (format!("{at}.json"), blanks.clone())).collect();
    let mut body = zstd::encode_all(&tar(&bomb)[..], 1).unwrap();
    body = body.repeat(10);
    let of = |extended: &[u8]| [entry(b'x', b"PaxHeaders/1", extended), tar(&members())].concat();
    let packed = bzip2(&tar(&members()));
    for (name, bytes, word) in [
        ("endless.tar", endless, "longer than any name"),
        // Whoever believes the one size reads other members than whoever believes the other.
        ("short.tar", of(&pax_record("size", "1")), "another size"),
        (
            "long.tar",
            of(&pax_record("size", "99999999999999999999")),
            "another size",
        ),
        ("pax.tar", of(b"99 path=a\n"), "malformed pax"),
        // Half a GiB that is not there takes no memory.
        (
            "absent.tar",
            [tar_header(b'0', b"all.json", 500 << 20), vec![b' '; 4096]].concat(),
            "end of file",
        ),
        ("cut.tar.bz2", packed[..packed.len() / 2].to_vec(), ""),
        ("wrong.tar", wrong, "checksum"),
        ("bomb.tar.zst", body, "longer than any feed"),
    ] {
        let (summary, notes) = read(folder.path(), name, &bytes);
        assert_eq!(summary.sources.iter().map(|one| one.records).sum::<u64>(), 0, "{name}");
        let is_told = |note: &Note| note.kind == NoteKind::Unreadable && note.detail.contains(word);
        assert!(notes.iter().any(is_told), "{name}: {notes:?}");
    }
}
