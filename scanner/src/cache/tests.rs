//! The cache gives back what it was given, and nothing that was damaged, forged or made by another version.

use std::sync::Arc;

use plimsoll_model::{FileEntry, FileKind, Note};

use super::*;
use crate::layer::{
    Compression, Entries, Kept, LayerEntry, Whiteout,
    watch::{Sighted, Sighting},
};

fn digest(byte: u8) -> Digest {
    Digest::from_bytes([byte; 32])
}

fn entry(path: &str) -> Box<FileEntry> {
    Box::new(FileEntry {
        path: path.to_owned(),
        kind: FileKind::Regular,
        mode: 0o4755,
        uid: 1,
        gid: 2,
        size_bytes: 3,
        digest: Some(digest(3)),
        layer: 0,
        link_target: Some("target".to_owned()),
        elf: Some(Box::default()),
        shebang: Some("/bin/sh".to_owned()),
        has_capabilities: true,
        package: None,
    })
}

fn entries(all: [LayerEntry; 4]) -> Entries {
    let mut entries = Entries::default();
    all.into_iter().for_each(|entry| entries.push(entry));
    entries
}

/// A layer with every field filled.
fn layer(number: u8) -> Layer {
    Layer {
        blob_digest: digest(number),
        blob_bytes: 100,
        compression: Compression::Gzip,
        diff_id: Some(digest(number + 100)),
        size_bytes: 200,
        entries: entries([
            LayerEntry::File {
                entry: entry("/a"),
                content: Some(Kept::Plain(Arc::from(&b"kept"[..]))),
            },
            LayerEntry::HardLink {
                entry: entry("/b"),
                target: "/a".to_owned(),
            },
            LayerEntry::File {
                entry: entry("/c"),
                content: None,
            },
            LayerEntry::File {
                entry: entry("/d"),
                content: Some(Kept::new("/var/lib/dpkg/info/d.list", vec![b'x'; 1000])),
            },
        ]),
        whiteouts: vec![Whiteout::Path("/x".to_owned()), Whiteout::Opaque("/y".to_owned())],
        sighted: vec![Sighted {
            path: "/a".to_owned(),
            layer: 0,
            digest: digest(3),
            sightings: vec![
                Sighting::Software {
                    classifier: "redis".to_owned(),
                    version: "7.0".to_owned(),
                },
                Sighting::Checksums {
                    md5: [1; 16],
                    sha1: [2; 20],
                },
                Sighting::Licences(vec!["MIT".to_owned()]),
                Sighting::Secret {
                    kind: "k".to_owned(),
                    line: 1,
                    redacted: "r".to_owned(),
                },
            ],
        }],
        notes: vec![Note::new(NoteKind::Hint, "/a", "odd")],
    }
}

fn shown(layer: &Layer) -> String {
    let entries: Vec<LayerEntry> = layer.entries.clone().into_iter().collect();
    format!("{entries:?} {layer:?}")
}

#[test]
fn a_layer_comes_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let cache = LayerCache::new(folder.path().join("layers"), 1 << 20);
    let original = layer(1);
    assert!(cache.layer(&digest(101), None).is_none());
    cache.store(&original).unwrap();
    for blob in [None, Some(digest(1))] {
        let found = cache.layer(&digest(101), blob.as_ref()).unwrap();
        assert_eq!(shown(&found), shown(&original));
    }
    // A blob that nobody has seen to be this content.
    assert!(cache.layer(&digest(101), Some(&digest(2))).is_none());
    let config = b"{}";
    cache.store_config(config).unwrap();
    assert_eq!(cache.config(&digest_of(config)).as_deref(), Some(&config[..]));
    let names: Vec<_> = fs::read_dir(cache.versioned())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(names.iter().all(|path| path.extension().unwrap() != "new"), "{names:?}");
}

#[test]
fn a_limited_layer_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let cache = LayerCache::new(folder.path().to_owned(), 1 << 20);
    let mut limited = layer(1);
    limited.notes.push(Note::new(NoteKind::Limit, "/a", "too large"));
    cache.store(&limited).unwrap();
    assert!(cache.layer(&digest(101), None).is_none());
    let mut damaged = layer(2);
    damaged.diff_id = None;
    cache.store(&damaged).unwrap();
    assert!(cache.layer(&digest(102), None).is_none());
}

#[test]
fn no_damage_is_believed() {
    let folder = tempfile::tempdir().unwrap();
    let cache = LayerCache::new(folder.path().to_owned(), 1 << 20);
    cache.store(&layer(1)).unwrap();
    let place = cache.place("layer", &digest(101));
    let whole = fs::read(&place).unwrap();
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x10;
        for damaged in [flipped, whole[..at].to_vec()] {
            fs::write(&place, damaged).unwrap();
            assert!(cache.layer(&digest(101), None).is_none(), "byte {at}");
            assert!(!place.exists(), "a damaged entry makes way");
        }
    }
    // Sound, but of another layer.
    cache.store(&layer(2)).unwrap();
    fs::copy(cache.place("layer", &digest(102)), &place).unwrap();
    assert!(cache.layer(&digest(101), None).is_none());
    cache.store(&layer(1)).unwrap();
    assert!(cache.layer(&digest(101), None).is_some());
}

#[test]
fn the_least_recently_used_goes_and_other_versions_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let cache = LayerCache::new(folder.path().to_owned(), 1 << 20);
    fs::create_dir_all(folder.path().join("v0-0.0.0")).unwrap();
    for number in 1..=3 {
        cache.store(&layer(number)).unwrap();
        let file = File::open(cache.place("layer", &digest(number + 100))).unwrap();
        // Long ago, the first one longest.
        let age = Duration::from_secs(1000 - u64::from(number));
        file.set_modified(SystemTime::now() - age).unwrap();
    }
    assert!(!folder.path().join("v0-0.0.0").exists());
    // The oldest is used again.
    assert!(cache.layer(&digest(101), None).is_some());
    let size = fs::metadata(cache.place("layer", &digest(101))).unwrap().len();
    let small = LayerCache::new(folder.path().to_owned(), (size + 200) * 3);
    small.store(&layer(4)).unwrap();
    assert!(small.layer(&digest(102), None).is_none());
    assert!(small.layer(&digest(101), None).is_some());
    assert!(small.layer(&digest(104), None).is_some());
}

#[test]
fn the_stored_shape_has_a_version() {
    let mut bytes = Vec::new();
    shape::write(&layer(1), &mut bytes).unwrap();
    let found = (ANALYZER_VERSION, digest_of(&bytes).short().to_owned());
    // When this fails, the shape has changed: raise ANALYZER_VERSION and write the new pair here.
    assert_eq!(
        (found.0, found.1.as_str()),
        (3, "8b8fd5a47368"),
        "{}",
        String::from_utf8_lossy(&bytes)
    );
}
