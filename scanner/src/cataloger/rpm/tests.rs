//! Databases of the three formats, each written by an rpm (`tests/fixtures/rpm/make.sh`); damage anywhere gives notes and no panic.

use std::sync::Arc;

use plimsoll_model::{FileEntry, FileKind};

use super::*;
use crate::{Tree, merge::Versions};

const DATABASES: [(&str, &[u8]); 3] = [
    (
        "rpmdb.sqlite",
        include_bytes!("../../../tests/fixtures/rpm/rpmdb.sqlite.zst"),
    ),
    (
        "Packages.db",
        include_bytes!("../../../tests/fixtures/rpm/Packages.db.zst"),
    ),
    ("Packages", include_bytes!("../../../tests/fixtures/rpm/Packages.zst")),
];

fn catalog(name: &str, content: Vec<u8>) -> Catalog {
    let entry = FileEntry {
        size_bytes: content.len() as u64,
        layer: 3,
        ..FileEntry::new(format!("/var/lib/rpm/{name}"), FileKind::Regular, 0o644)
    };
    let mut tree = Tree::default();
    tree.insert(entry, Some(Arc::from(content)));
    Rpm.catalog(&Input {
        tree: &tree,
        versions: &Versions::default(),
        is_source_tree: false,
        os: None,
    })
}

#[test]
fn all_formats_hold_what_rpm_itself_lists() {
    for (name, packed) in DATABASES {
        let mut found = catalog(name, zstd::decode_all(packed).unwrap());
        assert_eq!(found.notes, [], "{name}");
        found.packages.sort_by(|a, b| a.name.cmp(&b.name));
        let listed: Vec<String> = found
            .packages
            .iter()
            .map(|package| {
                let source = package.source.as_ref().unwrap();
                let (licence, architecture) = (&package.licences[0], package.architecture.as_ref().unwrap());
                let (name, version) = (&package.name, &package.version);
                format!(
                    "{name} {version} {architecture} {} {} {licence}",
                    source.name, source.version
                )
            })
            .collect();
        // As `rpm -qa` printed it.
        assert_eq!(
            listed,
            [
                "alpha 1.1-1.fc39 noarch alpha 1.1-1.fc39 MIT",
                "beta-libs 2:1.2-2.fc39 noarch beta 2:1.2-2.fc39 GPL-2.0-or-later",
                "gamma 1.3-3.fc39 noarch gamma 1.3-3.fc39 Apache-2.0",
                "hull 2.4-1.fc39 noarch hull 2.4-1.fc39 MIT",
            ],
            "{name}"
        );
        assert_eq!(found.packages[0].files.len(), 42, "{name}");
        assert_eq!(
            found.packages[1].files,
            ["/usr/lib/beta", "/usr/lib/beta/a", "/usr/lib/beta/b", "/usr/lib/beta/c"],
            "{name}"
        );
        assert_eq!(found.packages[1].maintainer.as_deref(), Some("Example Project"));
        assert_eq!(
            found.packages[1].purl,
            "pkg:rpm/rpm/beta-libs@1.2-2.fc39?arch=noarch&epoch=2&upstream=beta-1.2-2.fc39.src.rpm"
        );
        assert_eq!(found.packages[0].layer, 3);
    }
}

#[test]
fn damage_is_noted_and_never_panics() {
    for (name, packed) in DATABASES {
        let whole = zstd::decode_all(packed).unwrap();
        for cut in (0..200).chain((200..whole.len()).step_by(1009)) {
            let found = catalog(name, whole[..cut].to_vec());
            assert!(found.packages.len() <= 4, "{name} {cut}");
            assert!(found.packages.len() == 4 || !found.notes.is_empty(), "{name} {cut}");
        }
        for at in (0..whole.len()).step_by(61) {
            for value in [0, 0x7f, 0xff] {
                let mut changed = whole.clone();
                changed[at] = value;
                assert!(catalog(name, changed).packages.len() < 1000, "{name} {at}");
            }
        }
    }
}
