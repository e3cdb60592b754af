//! Archives that the `zip` crate wrote and that nobody honest would write.

use std::io::{Cursor, Write as _};

use ::zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};
use plimsoll_model::NoteKind;

use super::*;

fn archive(entries: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        writer
            .start_file(*name, SimpleFileOptions::default().compression_method(method))
            .unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// As Java's own `jar` writes it: sizes come after the content.
fn streamed(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new_stream(Vec::new());
    for (name, content) in entries {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        writer.start_file(*name, options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

const POM: &[u8] = b"#Created by Apache Maven\ngroupId=org.acme\nartifactId=rope\nversion=1.2.3\n";
const POM_NAME: &str = "META-INF/maven/org.acme/rope/pom.properties";

fn rope() -> Vec<u8> {
    let manifest = b"Manifest-Version: 1.0\r\nImplementation-Ti\r\n tle: no\r\nBundle-SymbolicName: org.ac\r\n me.rope\r\n\r\nName: x\r\nBundle-Version: 9\r\n";
    archive(
        &[
            ("META-INF/MANIFEST.MF", manifest),
            ("org/acme/Rope.class", &[7; 5000]),
            (POM_NAME, POM),
        ],
        CompressionMethod::Deflated,
    )
}

fn places(facts: &JarFacts) -> Vec<(&str, usize)> {
    let place = |archive: &'_ Archive| archive.coordinates.len();
    facts
        .archives
        .iter()
        .map(|archive| (archive.place.as_str(), place(archive)))
        .collect()
}

#[test]
fn an_archive_is_read_however_it_is_cut_into_pieces() {
    for bytes in [rope(), streamed(&[("a.class", &[1; 70_000]), (POM_NAME, POM)])] {
        let whole = facts_of(&bytes, bytes.len());
        assert_eq!(whole.notes, []);
        assert_eq!(whole.archives[0].coordinates[0].version, "1.2.3");
        for step in [1, 2, 29, 1000] {
            assert_eq!(facts_of(&bytes, step), whole, "{step}");
        }
    }
    let facts = facts_of(&rope(), 4096);
    // Folded lines are one; sections after the first are about single entries.
    assert_eq!(
        facts.archives[0].manifest,
        [("Bundle-SymbolicName".to_owned(), "org.acme.rope".to_owned())]
    );
}

#[test]
fn archives_within_archives_are_read_stored_or_compressed() {
    let rope = rope();
    let web = archive(&[("WEB-INF/lib/rope-1.2.3.jar", &rope)], CompressionMethod::Deflated);
    let fat = archive(
        &[
            ("BOOT-INF/lib/rope-1.2.3.jar", &rope),
            ("web.WAR", &web),
            ("a.txt", b"PK\x03\x04"),
        ],
        CompressionMethod::Stored,
    );
    let started = [&b"#!/bin/sh\nexec java -jar $0\nPK\n"[..], &fat].concat();
    for step in [1, 100, 1 << 20] {
        let facts = facts_of(&started, step);
        assert_eq!(facts.notes, []);
        assert_eq!(
            places(&facts),
            [
                ("", 0),
                ("BOOT-INF/lib/rope-1.2.3.jar", 1),
                ("web.WAR", 0),
                ("web.WAR!/WEB-INF/lib/rope-1.2.3.jar", 1)
            ]
        );
    }
}

#[test]
fn an_archive_cut_anywhere_is_never_taken_for_whole() {
    let rope = rope();
    for bytes in [
        rope.clone(),
        streamed(&[("a.class", &[1; 3000]), (POM_NAME, POM)]),
        archive(&[("lib/rope.jar", &rope)], CompressionMethod::Stored),
    ] {
        // The end record alone may be cut behind its signature: all entries were read.
        let end = memchr::memmem::rfind(&bytes, b"PK\x05\x06").unwrap() + 4;
        for cut in 0..end {
            let facts = facts_of(&bytes[..cut], 333);
            assert!(
                !facts.notes.is_empty(),
                "cut at {cut} of {} went unnoticed",
                bytes.len()
            );
        }
    }
}

#[test]
fn changed_bytes_do_no_harm() {
    let bytes = archive(&[("lib/rope.jar", &rope())], CompressionMethod::Deflated);
    for at in 0..bytes.len() {
        for value in [0, 0x50, 0x7f, 0xff] {
            let mut changed = bytes.clone();
            changed[at] = value;
            let _ = facts_of(&changed, 777);
        }
    }
}

#[test]
fn what_the_directory_lists_and_the_entries_lack_is_noted() {
    let mut bytes = rope();
    // A program reads what the directory says; here the entry's own header has another name.
    let at = memchr::memmem::find(&bytes, POM_NAME.as_bytes()).unwrap();
    bytes[at] = b'X';
    let facts = facts_of(&bytes, 100);
    assert_eq!(facts.archives[0].coordinates, []);
    assert!(
        facts.notes[0].detail.contains("listed at the archive's end"),
        "{facts:?}"
    );
}

#[test]
fn a_bomb_is_put_out_early() {
    let zeros = vec![0; 64 << 20];
    let bomb = streamed(&[("zeros", &zeros), (POM_NAME, POM)]);
    assert!(bomb.len() < 100_000);
    let nested = archive(&[("a.jar", &bomb)], CompressionMethod::Stored);
    for bytes in [bomb, nested] {
        let facts = facts_of(&bytes, 4096);
        let kinds: Vec<NoteKind> = facts.notes.iter().map(|note| note.kind).collect();
        assert_eq!(kinds, [NoteKind::Limit], "{:?}", facts.notes);
    }
}

#[test]
fn too_deep_and_too_many_are_noted() {
    let mut deep = rope();
    for _ in 0..=MAX_JAR_DEPTH_IN_TESTS {
        deep = archive(&[("in.jar", &deep)], CompressionMethod::Deflated);
    }
    let facts = facts_of(&deep, 4096);
    assert_eq!(facts.archives.len(), 1 + MAX_JAR_DEPTH_IN_TESTS);
    assert_eq!(facts.notes[0].kind, NoteKind::Limit);

    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..=MAX_JAR_ARCHIVES {
        writer
            .start_file(format!("{index}.jar"), SimpleFileOptions::default())
            .unwrap();
    }
    let many = writer.finish().unwrap().into_inner();
    let facts = facts_of(&many, 1 << 16);
    assert!(facts.archives.len() <= MAX_JAR_ARCHIVES);
    assert!(facts.notes.iter().any(|note| note.kind == NoteKind::Limit));
}

const MAX_JAR_DEPTH_IN_TESTS: usize = crate::limits::MAX_JAR_DEPTH;

#[test]
fn names_and_values_need_not_be_text() {
    let bytes = archive(
        &[
            ("META-INF/MANIFEST.MF", b"Bundle-Version: \xff\xfe\n: \n \n"),
            ("META-INF/maven/pom.properties", b"version=1"),
            (POM_NAME, b"version=${project.version}\n\xff=\xff"),
        ],
        CompressionMethod::Stored,
    );
    let facts = facts_of(&bytes, 50);
    assert_eq!(facts.archives[0].coordinates, []);
    assert_eq!(facts.notes.len(), 2, "{:?}", facts.notes);
}
