//! What GNU tar itself writes in each of its formats is read as it was written.

use std::{fs, os::unix::fs::FileExt as _, process::Command};

use crate::builder::{Blob, file, incomplete, listing, oci};

#[test]
fn gnu_tars_own_formats_long_names_and_sparse_files() {
    if Command::new("tar")
        .arg("--version")
        .output()
        .map_or(true, |out| !out.stdout.starts_with(b"tar (GNU tar)"))
    {
        eprintln!("SKIPPED: no GNU tar on this machine");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    let long = format!("{}/{}", "folder-with-a-long-name/".repeat(8), "n".repeat(120));
    fs::create_dir_all(root.join(&long).parent().unwrap()).unwrap();
    fs::write(root.join(&long), "long").unwrap();
    std::os::unix::fs::symlink(&long, root.join("link")).unwrap();
    fs::hard_link(root.join(&long), root.join("hard")).unwrap();
    let sparse = fs::File::create(root.join("sparse")).unwrap();
    for block in 0..40 {
        sparse.write_all_at(&[block; 700], u64::from(block) * 100_000).unwrap();
    }
    sparse.set_len(5_000_000).unwrap();
    let expanded = fs::read(root.join("sparse")).unwrap();

    for format in [
        &["--format=gnu"][..],
        &["--format=pax"],
        &["--format=gnu", "--sparse"],
        &["--format=pax", "--sparse", "--sparse-version=0.0"],
        &["--format=pax", "--sparse", "--sparse-version=0.1"],
        &["--format=pax", "--sparse", "--sparse-version=1.0"],
    ] {
        let out = Command::new("tar")
            .arg("-C")
            .arg(&root)
            .args(format)
            .args(["-cf", "-", "."])
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        assert!(
            format.len() == 1 || out.stdout.len() < 1_000_000,
            "{format:?} did not store it sparse"
        );
        let scan = oci(&[Blob::gzip(&out.stdout)]).scan().unwrap();
        let found = listing(&scan);
        let long = format!("/{}", long.replace("//", "/"));
        assert_eq!(found[&long], file(b"long"), "{format:?}");
        assert_eq!(found["/hard"], file(b"long"), "{format:?}");
        assert!(found["/link"].starts_with("link:folder-with"), "{format:?}");
        assert_eq!(found["/sparse"], file(&expanded), "{format:?}");
        assert_eq!(scan.tree.get("/sparse").unwrap().size_bytes, 5_000_000, "{format:?}");
        assert_eq!(
            incomplete(&scan.notes),
            Vec::<&plimsoll_model::Note>::new(),
            "{format:?}"
        );
    }
}
