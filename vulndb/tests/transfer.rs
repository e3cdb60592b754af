//! A database that is exported, moved, damaged on the way, and put in place again.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;

use plimsoll_vulndb::{
    Database, Error, ImportOptions, apply_delta, database_digest, export, import, restore, write_delta,
};

fn build(folder: &Path, name: &str, count: usize) -> std::path::PathBuf {
    let record = |number| {
        format!(
            r#"{{"id":"CVE-2024-{number:04}","modified":"2025-01-01T00:00:00Z","affected":[{{"package":{{"ecosystem":"Debian:12","name":"redis"}}}}]}}"#
        )
    };
    let feed = folder.join(format!("{name}.jsonl"));
    fs::write(&feed, (0..count).map(record).collect::<Vec<_>>().join("\n")).unwrap();
    let options = ImportOptions {
        now: "2026-11-22T00:00:00Z".to_owned(),
        replace: true,
        allow_shrink: false,
    };
    let path = folder.join(name);
    import(&[feed], &path, &options).unwrap();
    path
}

fn advisories(path: &Path) -> u64 {
    let database = Database::open(path).unwrap();
    database.verify().unwrap();
    database.status().unwrap().advisories
}

#[test]
fn it_comes_back_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let database = build(folder.path(), "a.db", 500);
    let file = folder.path().join("a.db.zst");
    let exported = export(&database, &file).unwrap();
    assert!(exported.size_bytes < fs::metadata(&database).unwrap().len() / 4);
    let other = folder.path().join("new/b.db");
    assert_eq!(restore(&file, None, &other).unwrap(), exported);
    assert_eq!(fs::read(&database).unwrap(), fs::read(&other).unwrap());
    restore(&file, Some(&format!("sha256:{}", exported.digest)), &other).unwrap();
}

#[test]
fn what_was_damaged_on_the_way_leaves_the_old_database() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.db.zst");
    export(&build(folder.path(), "a.db", 500), &file).unwrap();
    let old = build(folder.path(), "old.db", 7);
    let whole = fs::read(&file).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    let longer = [whole.as_slice(), b"more"].concat();
    for (what, bytes) in [
        ("cut", &whole[..whole.len() - 10]),
        ("flipped", &flipped),
        ("longer", &longer),
        ("empty", b""),
        ("no zstd", b"hello"),
    ] {
        fs::write(&file, bytes).unwrap();
        assert!(restore(&file, None, &old).is_err(), "{what}");
        assert_eq!(advisories(&old), 7, "{what}");
        assert!(!folder.path().join("old.db.new").exists(), "{what}");
    }
    fs::write(&file, &whole).unwrap();
    let wrong = restore(&file, Some(&"0".repeat(64)), &old).unwrap_err();
    assert!(matches!(wrong, Error::Transfer { .. }), "{wrong}");
    assert_eq!(advisories(&old), 7);
    restore(&file, None, &old).unwrap();
    assert_eq!(advisories(&old), 500);
}

#[test]
fn what_is_no_database_is_neither_exported_nor_restored() {
    let folder = tempfile::tempdir().unwrap();
    let (text, file) = (folder.path().join("text"), folder.path().join("x.zst"));
    fs::write(&text, "no database ".repeat(1000)).unwrap();
    assert!(export(&text, &file).is_err());
    assert!(!file.exists());
    fs::write(&file, zstd::encode_all(fs::read(&text).unwrap().as_slice(), 3).unwrap()).unwrap();
    let database = folder.path().join("v.db");
    let digest = export(&build(folder.path(), "a.db", 3), &folder.path().join("a.zst"))
        .unwrap()
        .digest;
    assert!(restore(&file, Some(&digest), &database).is_err());
    assert!(!database.exists());
}

#[test]
fn a_delta_turns_the_old_database_into_the_new_one_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (
        build(folder.path(), "old.db", 3000),
        build(folder.path(), "new.db", 3010),
    );
    let file = folder.path().join("delta.zst");
    let delta = write_delta(&old, &new, &file).unwrap().unwrap();
    let full = export(&new, &folder.path().join("new.zst")).unwrap();
    assert!(
        delta.size_bytes < full.size_bytes / 2,
        "{} of {}",
        delta.size_bytes,
        full.size_bytes
    );
    let digest = database_digest(&new).unwrap().unwrap();
    let copy = folder.path().join("copy.db");
    fs::copy(&old, &copy).unwrap();
    // Another base, another promise, another delta: the database stays as it is.
    let other = build(folder.path(), "other.db", 100);
    assert!(apply_delta(&file, &digest, &other).is_err());
    assert_eq!(advisories(&other), 100);
    let wrong = apply_delta(&file, &"0".repeat(64), &copy).unwrap_err();
    assert!(matches!(wrong, Error::Transfer { .. }), "{wrong}");
    let whole = fs::read(&file).unwrap();
    for bytes in [&whole[..whole.len() - 9], b"no zstd", b""] {
        fs::write(&file, bytes).unwrap();
        assert!(apply_delta(&file, &digest, &copy).is_err());
        assert_eq!(fs::read(&copy).unwrap(), fs::read(&old).unwrap());
    }
    fs::write(&file, &whole).unwrap();
    apply_delta(&file, &digest, &copy).unwrap();
    assert_eq!(fs::read(&copy).unwrap(), fs::read(&new).unwrap());
    assert_eq!(database_digest(&folder.path().join("none.db")).unwrap(), None);
}
