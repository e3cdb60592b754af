//! A known image is not read again: its layers may even be gone.

use std::fs;

use plimsoll_scanner::{LayerCache, Scan, ScanError, Target, scan};

use crate::builder::{Blob, Layer, listing, oci, options, plain_source, scan_target};

fn scan_with(target: &str, cache: &LayerCache) -> Result<Scan, ScanError> {
    let mut options = options(plain_source());
    options.cache = Some(cache.clone());
    scan(&Target::parse(target)?, &options)
}

fn assert_same(found: &Scan, expected: &Scan) {
    assert_eq!(listing(found), listing(expected));
    assert_eq!(found.image, expected.image);
    assert_eq!(found.layers, expected.layers);
    assert_eq!(found.sbom, expected.sbom);
    assert_eq!(found.findings, expected.findings);
    assert_eq!(found.notes, expected.notes);
    let content = |scan: &Scan| scan.tree.content("/etc/passwd").map(<[u8]>::to_vec);
    assert_eq!(content(found), content(expected));
}

#[test]
fn the_second_scan_reads_no_layer_and_says_the_same() {
    let base = Layer::new()
        .file("etc/os-release", "ID=debian\nVERSION_ID=12\n")
        .file("etc/passwd", "root:x:0:0::/:/bin/sh\n")
        .program("bin/app", 0o4755, "#!/bin/sh\n")
        .tar();
    let top = Layer::new()
        .file(".wh.nothing", "")
        .file("etc/.wh.passwd", "")
        .file("b", "x")
        .tar();
    let (base_blob, top_blob) = (Blob::gzip(&base), Blob::gzip(&top));
    let image = oci(&[base_blob, top_blob]);
    let folder = tempfile::tempdir().unwrap();
    let cache = LayerCache::new(folder.path().join("layers"), 1 << 30);
    let target = format!("oci:{}:v1", image.path());
    let plain = scan_target(&target).unwrap();
    let first = scan_with(&target, &cache).unwrap();
    assert_same(&first, &plain);
    for layer in &first.layers {
        let digest = layer.blob_digest.unwrap();
        fs::remove_file(format!("{}/blobs/sha256/{}", image.path(), digest.encoded())).unwrap();
    }
    assert_same(&scan_with(&target, &cache).unwrap(), &plain);
    assert!(image.scan().is_err(), "without cache there is nothing to read");

    // A damaged entry is not believed: the layer is missed again.
    let mut damaged = 0;
    for version in fs::read_dir(folder.path().join("layers")).unwrap() {
        for entry in fs::read_dir(version.unwrap().path()).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "layer") {
                let mut bytes = fs::read(&path).unwrap();
                let last = bytes.len() - 1;
                bytes[last] ^= 1;
                fs::write(&path, bytes).unwrap();
                damaged += 1;
            }
        }
    }
    assert_eq!(damaged, 2);
    assert!(scan_with(&target, &cache).is_err());
}
