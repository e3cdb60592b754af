//! Layers for lazy pulling: eStargz (a gzip member for each file, a table of contents last) and zstd:chunked (frames, and
//! tables in skippable frames) are layers like all others.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
};

use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};

use crate::builder::{Blob, Layer, file, listing, oci};

/// Pieces that each are compressed on their own.
fn pieces(tar: &[u8]) -> impl Iterator<Item = &[u8]> {
    tar.chunks(700)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A frame that decoders skip (RFC 8878 section 3.1.2).
fn skippable(content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_le_bytes();
    [&[0x50, 0x2a, 0x4d, 0x18][..], &length, content].concat()
}

#[test]
fn members_frames_and_tables_make_no_difference() {
    let files = |layer: Layer| {
        layer
            .file("etc/os-release", "ID=debian\nVERSION_ID=12\n")
            .file("b", "x".repeat(3000))
    };
    let plain = files(Layer::new()).tar();
    let expected = oci(&[Blob::gzip(&plain)]).scan().unwrap();

    let chunked = files(Layer::new().file(".prefetch.landmark", "\u{f}"))
        .file("stargz.index.json", "{\"version\":1}")
        .tar();
    let estargz: Vec<u8> = pieces(&chunked).flat_map(gzip).chain(gzip(b"")).collect();
    let found = oci(&[Blob::of(
        "application/vnd.oci.image.layer.v1.tar+gzip",
        &chunked,
        estargz,
    )])
    .scan()
    .unwrap();
    assert_eq!(listing(&found), listing(&expected));
    assert_eq!(found.notes, expected.notes);

    let mut zstd_chunked = skippable(b"first");
    for piece in pieces(&plain) {
        zstd_chunked.extend(zstd::encode_all(piece, 1).unwrap());
        zstd_chunked.extend(skippable(b"table of contents"));
    }
    let found = oci(&[Blob::of(
        "application/vnd.oci.image.layer.v1.tar+zstd",
        &plain,
        zstd_chunked,
    )])
    .scan()
    .unwrap();
    assert_eq!(listing(&found), listing(&expected));
    assert_eq!(found.notes, expected.notes);

    // A file of that name that is not the last member is the image's.
    let own = Layer::new()
        .file("stargz.index.json", "{}")
        .file("etc/os-release", "ID=debian\n")
        .tar();
    let found = oci(&[Blob::gzip(&own)]).scan().unwrap();
    assert!(listing(&found).contains_key("/stargz.index.json"));
}

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/chunked/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// skopeo 1.9.3 left out the zeros that fill the last record of the tar; the image's config has the digest of before.
#[test]
fn zeros_that_skopeo_left_out_at_the_end_are_told_and_nothing_else_is() {
    let bytes = fixture("skopeo.tar.zst");
    let tar = zstd::decode_all(bytes.as_slice()).unwrap();
    let media_type = "application/vnd.oci.image.layer.v1.tar+zstd";
    let image = |before: &[u8], bytes: &[u8]| oci(&[Blob::of(media_type, before, bytes.to_vec())]);
    // GNU tar wrote 20,480 bytes, as the README beside the file says.
    let whole = [tar.as_slice(), &vec![0; 20_480 - tar.len()]].concat();
    let scan = image(&whole, &bytes).scan().unwrap();
    assert_eq!(listing(&scan).len(), 8);
    assert_eq!(scan.layers[0].diff_id.to_string(), crate::builder::digest(&whole));
    let told: Vec<&str> = scan.notes.iter().map(|note| note.detail.as_str()).collect();
    assert!(told.iter().any(|detail| detail.contains("zstd:chunked")), "{told:?}");
    assert!(scan.notes.iter().all(|note| !note.makes_incomplete()), "{told:?}");
    // One more byte, or one that is no zero: not what was promised.
    let longer = [whole.as_slice(), &[0; 512]].concat();
    let mut other = whole.clone();
    *other.last_mut().unwrap() = 1;
    for before in [longer, other] {
        let error = image(&before, &bytes).scan().unwrap_err();
        assert!(matches!(error, plimsoll_scanner::ScanError::Digest { .. }), "{error}");
    }
}

/// What the tools that write such layers wrote of one folder; `fixtures/chunked/README.md` says which and how.
#[test]
fn layers_of_the_tools_that_write_them_hold_what_was_packed() {
    let program = file(b"#!/bin/sh\nexec true\n");
    let packed = [
        ("/etc", "directory"),
        ("/etc/long", &file("x".repeat(9000).as_bytes())),
        ("/etc/os-release", &file(b"ID=debian\nVERSION_ID=\"12\"\n")),
        ("/usr", "directory"),
        ("/usr/bin", "directory"),
        ("/usr/bin/alias", "link:demo"),
        ("/usr/bin/demo", &program),
        ("/usr/bin/hard", &program),
    ];
    let expected: BTreeMap<String, String> = packed.map(|(path, what)| (path.to_owned(), what.to_owned())).into();
    let inflated = |name: &str, bytes: &[u8]| -> Vec<u8> {
        let mut tar = Vec::new();
        match name.ends_with("zst") {
            true => zstd::stream::copy_decode(bytes, &mut tar).unwrap(),
            false => drop(MultiGzDecoder::new(bytes).read_to_end(&mut tar).unwrap()),
        }
        tar
    };
    for (name, kind) in [("skopeo.tar.zst", "tar+zstd"), ("estargz.tar.gz", "tar+gzip")] {
        let bytes = fixture(name);
        let tar = inflated(name, &bytes);
        let media_type = format!("application/vnd.oci.image.layer.v1.{kind}");
        let found = oci(&[Blob::of(&media_type, &tar, bytes)]).scan().unwrap();
        assert_eq!(listing(&found), expected, "{name}");
        let incomplete: Vec<_> = found.notes.iter().filter(|note| note.makes_incomplete()).collect();
        assert!(incomplete.is_empty(), "{name}: {incomplete:?}");
        assert_eq!(found.sbom.os.unwrap().version_id, "12", "{name}");
    }
}
