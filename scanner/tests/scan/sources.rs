//! One image, written in every way that a source reads, gives one scan.

use std::fs;

use plimsoll_model::Platform;
use plimsoll_scanner::{ScanError, Target, scan};

use crate::builder::{Blob, Layer, docker_archive, listing, oci, options, plain_source, scan_target};

fn tars() -> Vec<Vec<u8>> {
    vec![
        Layer::new()
            .folder("etc")
            .file("etc/os-release", "ID=debian\nVERSION_ID=12\n")
            .tar(),
        Layer::new()
            .program("bin/app", 0o4755, "#!/bin/sh\n")
            .file("etc/.wh.nothing", "")
            .tar(),
    ]
}

#[test]
fn layouts_archives_and_compressions_agree() {
    let tars = tars();
    let folder = tempfile::tempdir().unwrap();
    let docker = folder.path().join("docker.tar");
    fs::write(&docker, docker_archive(&tars)).unwrap();
    let expected = scan_target(docker.to_str().unwrap()).unwrap();
    assert_eq!(expected.tree.len(), 3);
    assert!(expected.image.manifest_digest.is_none());
    assert_eq!(expected.config.exposed_ports, ["80/tcp"]);
    assert_eq!(expected.layers[1].created_by.as_deref(), Some("COPY"));

    let compressions: [fn(&[u8]) -> Blob; 3] = [Blob::plain, Blob::gzip, Blob::zstd];
    for compress in compressions {
        let blobs: Vec<Blob> = tars.iter().map(|tar| compress(tar)).collect();
        let image = oci(&blobs);
        let archive = folder.path().join("oci.tar");
        let mut builder = tar::Builder::new(fs::File::create(&archive).unwrap());
        builder.append_dir_all(".", image.path()).unwrap();
        builder.finish().unwrap();
        for target in [
            image.path().to_owned(),
            format!("oci:{}", image.path()),
            format!("oci:{}:v1", image.path()),
            archive.to_str().unwrap().to_owned(),
            format!("oci-archive:{}:v1", archive.display()),
        ] {
            let found = scan_target(&target).unwrap();
            assert_eq!(listing(&found), listing(&expected), "{target}");
            assert_eq!(found.image.config_digest, expected.image.config_digest, "{target}");
            assert_eq!(
                found.image.manifest_digest.unwrap().to_string(),
                image.manifest_digest,
                "{target}"
            );
            assert_eq!(found.notes, expected.notes, "{target}");
        }
    }
}

#[test]
fn layers_that_are_links_to_each_other_are_followed() {
    let tars = tars();
    let whole = docker_archive(&tars);
    let mut layer = Layer::new();
    let mut reader = tar::Archive::new(&whole[..]);
    for entry in reader.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
        layer = match name.as_str() {
            "layer0/layer.tar" => layer.file("base.tar", content).symlink(&name, "../base.tar"),
            "layer1/layer.tar" => layer.file("real", content).hard_link(&name, "real"),
            _ => layer.file(&name, content),
        };
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("linked.tar");
    fs::write(&path, layer.tar()).unwrap();
    assert_eq!(scan_target(path.to_str().unwrap()).unwrap().tree.len(), 3);
}

#[test]
fn what_is_not_there_says_what_is() {
    let image = oci(&[Blob::gzip(&tars()[0])]);
    let error = scan_target(&format!("oci:{}:v2", image.path())).unwrap_err();
    assert!(error.hint().contains("v1"), "{}", error.hint());
    assert!(matches!(
        scan_target("oci:/no/such/folder"),
        Err(ScanError::Open { .. })
    ));
    assert!(matches!(
        scan_target("docker-archive:/no/such.tar"),
        Err(ScanError::Open { .. })
    ));
    assert!(matches!(
        scan_target("oci-archive:/dev/null"),
        Err(ScanError::NotAnImage { .. })
    ));

    let mut source = plain_source();
    source.platform = Some(Platform {
        os: "linux".to_owned(),
        architecture: "s390x".to_owned(),
        variant: None,
    });
    let target = format!("oci:{}", image.path());
    let error = scan(&Target::parse(&target).unwrap(), &options(source)).unwrap_err();
    assert!(matches!(error, ScanError::Platform { .. }), "{error}");
}

#[test]
fn a_whole_compressed_archive_and_a_text_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes, expected) in [
        ("a.tar", Blob::gzip(&docker_archive(&tars())).bytes, "compressed"),
        ("b.tar", b"hello".to_vec(), "tar"),
        (
            "c.tar",
            Layer::new().file("x", "1").tar(),
            "neither manifest.json nor index.json",
        ),
        ("d.tar", Vec::new(), "neither"),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        let error = scan_target(path.to_str().unwrap()).unwrap_err();
        assert!(error.to_string().contains(expected), "{name}: {error}");
    }
}
