//! Archives that lie, end early or want all memory: an error or a note, never a panic, never a clean result.

use std::fs;

use plimsoll_model::NoteKind;
use plimsoll_scanner::ScanError;

use crate::builder::{
    Blob, Image, Layer, blob_path, config, docker_archive, incomplete, listing, oci, oci_with_config, paths,
    scan_target,
};

fn small_layer() -> Vec<u8> {
    Layer::new()
        .folder("etc")
        .file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
        .program("bin/run", 0o755, "#!/bin/sh\nexec app\n")
        .symlink("bin/sh", "run")
        .file("data", vec![7; 3000])
        .tar()
}

#[test]
fn a_docker_archive_cut_anywhere_is_never_taken_for_whole() {
    let whole = docker_archive(&[small_layer()]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.tar");
    let target = format!("docker-archive:{}", path.display());
    fs::write(&path, &whole).unwrap();
    let expected = listing(&scan_target(&target).unwrap());
    let end_of_content = whole.len() - 1024;
    for cut in (0..end_of_content).step_by(61).chain([end_of_content - 1]) {
        fs::write(&path, &whole[..cut]).unwrap();
        match scan_target(&target) {
            Err(error) => assert!(!error.hint().is_empty()),
            Ok(scan) => assert!(
                !incomplete(&scan.notes).is_empty() || listing(&scan) == expected,
                "cut at {cut} of {} went unnoticed",
                whole.len()
            ),
        }
    }
}

#[test]
fn a_small_docker_archive_is_cut_at_every_byte() {
    let whole = docker_archive(&[Layer::new().file("a", "1").tar()]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.tar");
    let target = format!("docker-archive:{}", path.display());
    fs::write(&path, &whole).unwrap();
    let expected = listing(&scan_target(&target).unwrap());
    for cut in 0..whole.len() - 1024 {
        fs::write(&path, &whole[..cut]).unwrap();
        if let Ok(scan) = scan_target(&target) {
            let is_told = !incomplete(&scan.notes).is_empty();
            assert!(is_told || listing(&scan) == expected, "cut at {cut} went unnoticed");
        }
    }
}

#[test]
fn a_layer_cut_anywhere_with_right_digests_leaves_a_note() {
    let whole = small_layer();
    let end_of_content = whole.len() - 1024;
    for cut in (1..end_of_content).step_by(32) {
        let scan = oci(&[Blob::plain(&whole[..cut])]).scan().unwrap();
        // Between two members, all that can be said is that the end is not marked.
        let hint = scan
            .notes
            .iter()
            .any(|note| note.kind == NoteKind::Hint && note.detail.contains("end marker"));
        let noticed = if cut % 512 == 0 { hint } else { false };
        assert!(
            noticed || !incomplete(&scan.notes).is_empty(),
            "cut at {cut}: {:?}",
            scan.notes
        );
    }
}

#[test]
fn compressed_bytes_cut_anywhere_with_right_blob_digest_leave_a_note() {
    let tar = small_layer();
    for whole in [Blob::gzip(&tar), Blob::zstd(&tar)] {
        for cut in 1..whole.bytes.len() {
            let blob = Blob {
                bytes: whole.bytes[..cut].to_vec(),
                ..whole.clone()
            };
            match oci(&[blob]).scan() {
                Ok(scan) => assert!(!incomplete(&scan.notes).is_empty(), "cut at {cut} went unnoticed"),
                // Four bytes of magic may be cut so that it is no longer compressed at all.
                Err(error) => assert!(matches!(error, ScanError::Digest { .. }), "{error}"),
            }
        }
    }
}

#[test]
fn changed_bytes_never_panic() {
    let whole = small_layer();
    for at in (0..whole.len() - 1024).step_by(13) {
        for value in [0x39, 0xff] {
            let mut changed = whole.clone();
            changed[at] = value;
            let scan = oci(&[Blob::plain(&changed)]).scan().unwrap();
            assert!(scan.tree.len() <= 5);
        }
    }
}

fn verified(change: impl FnOnce(&Image), expected: &str) {
    let tar = small_layer();
    let image = oci(&[Blob::gzip(&tar)]);
    change(&image);
    match image.scan() {
        Err(error @ ScanError::Digest { .. }) => assert!(error.to_string().contains(expected), "{error}"),
        other => panic!(
            "expected a digest mismatch of {expected}, got {:?}",
            other.map(|scan| scan.notes)
        ),
    }
}

#[test]
fn content_that_is_not_what_its_digest_says_ends_the_scan() {
    verified(
        |image| {
            let other = Blob::gzip(&Layer::new().file("evil", "1").tar());
            let layer = crate::builder::digest(&Blob::gzip(&small_layer()).bytes);
            fs::write(blob_path(image.folder.path(), &layer), other.bytes).unwrap();
        },
        "blob of layer",
    );
    verified(
        |image| {
            let path = blob_path(image.folder.path(), &image.manifest_digest);
            let text = fs::read_to_string(&path).unwrap();
            fs::write(&path, text.replace("\"schemaVersion\":2", "\"schemaVersion\": 2")).unwrap();
        },
        "manifest",
    );
    // The blob is as promised, what is in it is not.
    let mut blob = Blob::gzip(&small_layer());
    blob.diff_id = crate::builder::digest(b"something else");
    let error = oci(&[blob]).scan().unwrap_err();
    assert!(error.to_string().contains("uncompressed content"), "{error}");
}

/// A small file, and the beginning of one of a tebibyte.
fn write_bomb(out: &mut dyn std::io::Write) {
    out.write_all(&Layer::new().file("small", "1").tar()[..1024]).unwrap();
    let mut header = tar::Header::new_gnu();
    header.set_path("zeros").unwrap();
    header.set_size(1 << 40);
    header.set_cksum();
    out.write_all(header.as_bytes()).unwrap();
    for _ in 0..300 {
        out.write_all(&[0; 1 << 20]).unwrap();
    }
}

#[test]
fn a_bomb_is_a_limit() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    write_bomb(&mut gzip);
    let mut zstd = zstd::Encoder::new(Vec::new(), 3).unwrap();
    write_bomb(&mut zstd);
    for (mut blob, bytes) in [
        (Blob::gzip(b""), gzip.finish().unwrap()),
        (Blob::zstd(b""), zstd.finish().unwrap()),
    ] {
        blob.bytes = bytes;
        let scan = oci(&[blob]).scan().unwrap();
        let notes = incomplete(&scan.notes);
        assert!(notes.iter().any(|note| note.kind == NoteKind::Limit), "{notes:?}");
        assert!(paths(&scan).contains(&"/small"));
    }
}

#[test]
fn a_file_of_holes_is_not_filled() {
    let tar = Layer::new().with(|builder| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::GNUSparse);
        header.set_path("holes").unwrap();
        header.set_size(0);
        header.as_gnu_mut().unwrap().set_real_size(1 << 50);
        header.set_cksum();
        builder.append(&header, &b""[..]).unwrap();
    });
    let scan = oci(&[Blob::gzip(&tar.file("after", "1").tar())]).scan().unwrap();
    assert!(!incomplete(&scan.notes).is_empty(), "{:?}", scan.notes);
    assert!(paths(&scan).contains(&"/after"));
}

/// A frame of one raw block whose header asks for a window of 2^`log` bytes (RFC 8878, sections 3.1.1.1 and 3.1.1.2).
fn zstd_frame(log: u8, content: &[u8]) -> Vec<u8> {
    let block = u32::try_from(content.len()).unwrap() << 3 | 1;
    let start = [0x28, 0xb5, 0x2f, 0xfd, 0, (log - 10) << 3];
    [&start[..], &block.to_le_bytes()[..3], content].concat()
}

#[test]
fn a_window_that_wants_all_memory_is_told() {
    let tar = Layer::new().file("small", "1").tar();
    let kind = "application/vnd.oci.image.layer.v1.tar+zstd";
    for (log, is_read) in [(20, true), (27, true), (28, false), (41, false)] {
        let scan = oci(&[Blob::of(kind, &tar, zstd_frame(log, &tar))]).scan().unwrap();
        assert_eq!(paths(&scan).contains(&"/small"), is_read, "2^{log}");
        assert_eq!(incomplete(&scan.notes).is_empty(), is_read, "2^{log}: {:?}", scan.notes);
    }
}

#[test]
fn maps_and_headers_without_end_are_told() {
    // A sparse map of format 1.0 that announces more pairs than any file has, or pairs that do not come.
    for map in [
        "99999999\n",
        "18446744073709551615\n",
        "60000\n1\n1\n",
        "2\n0\n5\n3\n5\n",
    ] {
        let mut body = map.as_bytes().to_vec();
        body.resize(1024, 0);
        let records = "22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n29 GNU.sparse.realsize=1000\n";
        let tar = Layer::new().with(|builder| {
            for (kind, content) in [
                (tar::EntryType::XHeader, records.as_bytes()),
                (tar::EntryType::Regular, &body),
            ] {
                let mut header = tar::Header::new_ustar();
                header.set_entry_type(kind);
                header.set_path("holes").unwrap();
                header.set_size(content.len() as u64);
                header.set_cksum();
                builder.append(&header, content).unwrap();
            }
        });
        let scan = oci(&[Blob::gzip(&tar.file("after", "1").tar())]).scan().unwrap();
        assert!(!incomplete(&scan.notes).is_empty(), "{map:?}: {:?}", scan.notes);
    }
    // Names before a member, and none comes.
    for (count, is_read) in [(15, true), (16, false), (5_000, false)] {
        let tar = Layer::new().with(|builder| {
            for _ in 0..count {
                let mut header = tar::Header::new_gnu();
                header.set_path("././@LongLink").unwrap();
                header.set_entry_type(tar::EntryType::GNULongName);
                header.set_size(2);
                header.set_cksum();
                builder.append(&header, &b"b\0"[..]).unwrap();
            }
        });
        let scan = oci(&[Blob::gzip(&tar.file("a", "1").tar())]).scan().unwrap();
        assert_eq!(paths(&scan), if is_read { &["/b"][..] } else { &[] }, "{count}");
        assert_eq!(incomplete(&scan.notes).is_empty(), is_read, "{count}: {:?}", scan.notes);
    }
}

#[test]
fn names_that_are_no_utf8_are_told_and_stay_apart() {
    let member = |layer: Layer, name: &[u8], kind, target: &[u8]| {
        layer.with(|builder| {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_mode(0o644);
            header.set_size(0);
            header.as_old_mut().name[..name.len()].copy_from_slice(name);
            header.as_old_mut().linkname[..target.len()].copy_from_slice(target);
            header.set_cksum();
            builder.append(&header, &b""[..]).unwrap();
        })
    };
    let layer = member(Layer::new(), b"srv/a\xfe", tar::EntryType::Regular, b"");
    let layer = member(layer, b"srv/a\xff", tar::EntryType::Regular, b"");
    let layer = member(layer, b"srv/link", tar::EntryType::Symlink, b"a\xff");
    let layer = member(layer, b"srv/second", tar::EntryType::Link, b"srv/a\xff");
    let scan = oci(&[Blob::gzip(&layer.tar())]).scan().unwrap();
    assert_eq!(paths(&scan), [r"/srv/a\xfe", r"/srv/a\xff", "/srv/link", "/srv/second"]);
    assert_eq!(listing(&scan)["/srv/link"], r"link:a\xff");
    let told = scan.notes.iter().filter(|note| note.detail.contains("UTF-8")).count();
    assert_eq!(told, 2, "{:?}", scan.notes);
    assert!(incomplete(&scan.notes).is_empty(), "{:?}", scan.notes);
}

#[test]
fn paths_cannot_escape_and_are_told() {
    let scan = oci(&[Blob::plain(
        &Layer::new()
            .file("../../etc/shadow", "1")
            .file("/absolute", "2")
            .file("a/../../b", "3")
            .symlink("out", "../../../etc")
            .file("out/cron", "4")
            .tar(),
    )])
    .scan()
    .unwrap();
    assert_eq!(paths(&scan), ["/absolute", "/b", "/etc/cron", "/etc/shadow", "/out"]);
    assert_eq!(
        scan.notes.iter().filter(|note| note.kind == NoteKind::Hint).count(),
        3,
        "{:?}",
        scan.notes
    );
}

#[test]
fn sizes_that_lie_are_told() {
    for size in [1_025, 5_000, 1 << 33, (1 << 33) - 1] {
        let tar = Layer::new().with(|builder| {
            let mut header = tar::Header::new_gnu();
            header.set_path("liar").unwrap();
            header.set_size(size);
            header.set_cksum();
            // The header promises more than follows.
            builder.get_mut().extend_from_slice(header.as_bytes());
        });
        let scan = oci(&[Blob::plain(&tar.tar())]).scan().unwrap();
        assert!(!incomplete(&scan.notes).is_empty(), "size {size}");
    }
}

#[test]
fn layers_of_unknown_type_are_told_and_the_others_read() {
    let mut odd = Blob::plain(&small_layer());
    odd.media_type = "application/vnd.oci.image.layer.v1.tar+gzip+encrypted".to_owned();
    let scan = oci(&[Blob::plain(&Layer::new().file("ok", "1").tar()), odd])
        .scan()
        .unwrap();
    assert_eq!(paths(&scan), ["/ok"]);
    assert!(
        scan.notes.iter().any(|note| note.kind == NoteKind::Unsupported),
        "{:?}",
        scan.notes
    );
    let mut packed = Blob::plain(b"BZh91AY&SY");
    packed.diff_id = crate::builder::digest(b"unknowable");
    let scan = oci(&[packed]).scan().unwrap();
    assert!(
        scan.notes.iter().any(|note| note.kind == NoteKind::Unsupported),
        "{:?}",
        scan.notes
    );
}

#[test]
fn headers_that_want_all_memory_are_a_limit() {
    let tar = Layer::new()
        .with(|builder| {
            let mut header = tar::Header::new_gnu();
            header.set_path("././@LongLink").unwrap();
            header.set_entry_type(tar::EntryType::GNULongName);
            header.set_size(3 << 20);
            header.set_cksum();
            builder.append(&header, &vec![b'a'; 3 << 20][..]).unwrap();
        })
        .file("after", "1")
        .tar();
    let scan = oci(&[Blob::gzip(&tar)]).scan().unwrap();
    assert!(
        scan.notes.iter().any(|note| note.kind == NoteKind::Limit),
        "{:?}",
        scan.notes
    );
    let deep = Layer::new().with(|builder| {
        let mut header = tar::Header::new_gnu();
        header.set_size(0);
        header.set_cksum();
        builder.append_data(&mut header, "d/".repeat(400), &b""[..]).unwrap();
    });
    let scan = oci(&[Blob::gzip(&deep.tar())]).scan().unwrap();
    assert!(
        scan.notes.iter().any(|note| note.kind == NoteKind::Limit),
        "{:?}",
        scan.notes
    );
}

#[test]
fn documents_that_make_no_sense_are_errors() {
    let layers = [Blob::gzip(&small_layer())];
    let mut more = config(&layers);
    more["rootfs"]["diff_ids"] = serde_json::json!([]);
    assert!(matches!(
        oci_with_config(&layers, &more).scan(),
        Err(ScanError::NotAnImage { .. })
    ));
    assert!(matches!(
        oci_with_config(&layers, &serde_json::json!({"os": 1})).scan(),
        Err(ScanError::Json { .. })
    ));
    let image = oci(&layers);
    fs::write(image.folder.path().join("index.json"), "{}").unwrap();
    assert!(matches!(image.scan(), Err(ScanError::NotAnImage { .. })));
    fs::write(image.folder.path().join("index.json"), vec![b' '; 5 << 20]).unwrap();
    assert!(matches!(image.scan(), Err(ScanError::Limit { .. })));
    fs::remove_file(image.folder.path().join("index.json")).unwrap();
    assert!(matches!(image.scan(), Err(ScanError::Missing { .. })));
}

#[test]
fn an_image_of_nothing_is_unrecognised() {
    let scan = oci(&[Blob::gzip(&Layer::new().file("app", "static").tar())])
        .scan()
        .unwrap();
    assert!(
        scan.notes.iter().any(|note| note.kind == NoteKind::Unrecognised),
        "{:?}",
        scan.notes
    );
}
