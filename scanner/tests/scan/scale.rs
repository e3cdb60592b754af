//! Images with more of everything than real ones have: layers, links, tiny files, little memory.

use plimsoll_model::NoteKind;
use plimsoll_scanner::{LayerCache, Target, scan};

use crate::builder::{Blob, Layer, oci, options, plain_source};

#[test]
fn a_hundred_and_twenty_seven_layers_are_one_tree() {
    let layers: Vec<Blob> = (0..127_u32)
        .map(|number| {
            let layer = Layer::new()
                .file(&format!("srv/{number}"), number.to_string())
                .file("srv/last", number.to_string());
            let layer = if number % 10 == 9 {
                layer.file(&format!("srv/.wh.{}", number - 1), "")
            } else {
                layer
            };
            Blob::gzip(&layer.tar())
        })
        .collect();
    let found = oci(&layers).scan().unwrap();
    assert_eq!(found.layers.len(), 127);
    // One file for each layer and the last; twelve are hidden again.
    let files = found.tree.below("/srv").count();
    assert_eq!(files, 127 + 1 - 12);
    assert_eq!(found.tree.get("/srv/last").unwrap().layer, 126);
}

#[test]
fn ten_thousand_hard_links_share_one_content_and_loops_are_told() {
    let mut layer = Layer::new()
        .file("etc/os-release", "ID=debian\n")
        .program("bin/0", 0o755, "#!/bin/sh\n");
    for number in 1..=10_000_u32 {
        layer = layer.hard_link(&format!("bin/{number}"), &format!("bin/{}", number - 1));
    }
    let layer = layer
        .hard_link("loop/a", "loop/b")
        .hard_link("loop/b", "loop/a")
        .hard_link("self", "self");
    let found = oci(&[Blob::gzip(&layer.tar())]).scan().unwrap();
    let first = found.tree.get("/bin/0").unwrap().digest;
    assert!(first.is_some());
    assert_eq!(found.tree.get("/bin/10000").unwrap().digest, first);
    let told: Vec<_> = found
        .notes
        .iter()
        .filter(|note| note.kind == NoteKind::Unreadable)
        .collect();
    assert_eq!(told.len(), 3, "{told:?}");
}

#[test]
fn a_hundred_thousand_tiny_files_are_all_listed() {
    let mut layer = Layer::new().file("etc/os-release", "ID=debian\n");
    for number in 0..100_000_u32 {
        layer = layer.file(&format!("srv/{}/{}", number / 100, number), "");
    }
    let found = oci(&[Blob::zstd(&layer.tar())]).scan().unwrap();
    assert_eq!(
        found.tree.below("/srv").filter(|entry| entry.digest.is_some()).count(),
        100_000
    );
}

#[test]
fn more_entries_than_the_limit_are_a_note_also_when_layers_are_known() {
    let layer = |layer: u32| {
        let files = (0..400).fold(Layer::new(), |tar, number| {
            tar.file(&format!("srv/{layer}-{number}"), "")
        });
        Blob::gzip(&files.tar())
    };
    let image = oci(&[0, 1, 2].map(layer));
    let cache = tempfile::tempdir().unwrap();
    let entries = |max_entries: u64| {
        let target = format!("oci:{}:v1", image.path());
        let mut little = options(plain_source());
        little.max_entries = max_entries;
        little.cache = Some(LayerCache::new(cache.path().to_owned(), 1 << 20));
        let found = scan(&Target::parse(&target).unwrap(), &little).unwrap();
        let limits = found.notes.iter().filter(|note| note.kind == NoteKind::Limit);
        let told = limits.filter(|note| note.detail.contains("--max-entries")).count();
        assert_eq!(found.notes.iter().any(|note| note.kind == NoteKind::Limit), told > 0);
        (found.tree.below("/srv").count(), told)
    };
    let first = entries(1_000);
    assert!(first.0 == 1_000 && first.1 >= 1, "{first:?}");
    assert_eq!(entries(1_200), (1_200, 0));
    // All three layers are known now, each within the limit and all together not.
    let again = entries(1_000);
    assert!(again.0 == 1_000 && again.1 >= 1, "{again:?}");
    assert_eq!(entries(1_200), (1_200, 0));
}

#[test]
fn what_does_not_fit_in_memory_is_a_note() {
    // Wanted by a cataloger, and larger together than the least memory.
    let status = format!(
        "Package: a\nStatus: install ok installed\nVersion: 1\nDescription: {}\n\n",
        "x".repeat(9 << 20)
    );
    let layer = Layer::new()
        .file("etc/os-release", "ID=debian\nVERSION_ID=12\n")
        .file("var/lib/dpkg/status", &status)
        .file("lib/apk/db/installed", &status);
    let image = oci(&[Blob::gzip(&layer.tar())]);
    let target = format!("oci:{}:v1", image.path());
    let mut little = options(plain_source());
    little.memory_bytes = Some(0);
    let found = scan(&Target::parse(&target).unwrap(), &little).unwrap();
    let limits: Vec<_> = found.notes.iter().filter(|note| note.kind == NoteKind::Limit).collect();
    assert!(
        limits.iter().any(|note| note.detail.contains("--memory")),
        "{:?}",
        found.notes
    );
    let enough = image.scan().unwrap();
    assert!(
        enough.notes.iter().all(|note| note.kind != NoteKind::Limit),
        "{:?}",
        enough.notes
    );
}
