//! A disk that is full in the middle of an import, an update, an export or a restoration: an error, and the old database.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use plimsoll_vulndb::{Database, FeedSource, ImportOptions, UpdateOptions, export, import, restore, update};

/// Something that writes a database, and why it could not.
type Attempt<'a> = &'a dyn Fn() -> Result<(), String>;

/// A file system of two megabytes, unmounted in the end.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(path: &Path) -> Option<Self> {
        fs::create_dir(path).unwrap();
        let output = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"])
            .arg(path)
            .output();
        match output {
            Ok(output) if output.status.success() => Some(Self(path.to_owned())),
            _ => {
                eprintln!("SKIPPED: a tmpfs cannot be mounted here (it needs root), so a full disk was not tested");
                None
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let status = Command::new("umount").arg(&self.0).status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "{} stays mounted",
            self.0.display()
        );
    }
}

fn feed(path: &Path, count: usize) {
    let record = |number: usize| {
        format!(
            r#"{{"id":"CVE-2024-{number:05}","modified":"2025-01-01T00:00:00Z","details":"fault {number}","affected":[{{"package":{{"ecosystem":"Debian:12","name":"package{number}"}}}}]}}"#
        )
    };
    fs::write(path, (0..count).map(record).collect::<Vec<_>>().join("\n")).unwrap();
}

fn options() -> ImportOptions {
    ImportOptions {
        now: "2026-11-22T00:00:00Z".to_owned(),
        replace: true,
        allow_shrink: false,
    }
}

#[test]
fn a_full_disk_is_an_error_and_the_old_database_stays() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&folder.path().join("disk")) else {
        return;
    };
    let (small, large) = (folder.path().join("small.jsonl"), folder.path().join("large.jsonl"));
    feed(&small, 50);
    feed(&large, 60_000);
    let database = disk.0.join("v.db");
    import(&[small], &database, &options()).unwrap();
    let before = fs::read(&database).unwrap();
    let elsewhere = folder.path().join("large.db");
    import(std::slice::from_ref(&large), &elsewhere, &options()).unwrap();
    assert!(fs::metadata(&elsewhere).unwrap().len() > 2 << 20, "it would fit");
    let packed = folder.path().join("large.db.zst");
    export(&elsewhere, &packed).unwrap();
    let renewed = UpdateOptions {
        now: options().now,
        budget: Duration::from_secs(60),
        stall: Duration::from_secs(60),
        allow_shrink: false,
    };
    let source = FeedSource::parse(&format!("debian={}", large.display())).unwrap();
    let attempts: [(&str, Attempt<'_>); 3] = [
        ("import", &|| {
            let result = import(std::slice::from_ref(&large), &database, &options());
            result.map(drop).map_err(|error| error.to_string())
        }),
        ("update", &|| {
            let result = update(std::slice::from_ref(&source), &database, &renewed);
            result.map(drop).map_err(|error| error.to_string())
        }),
        ("restore", &|| {
            let result = restore(&packed, None, &database);
            result.map(drop).map_err(|error| error.to_string())
        }),
    ];
    for (what, attempt) in attempts {
        let reason = attempt().expect_err(what);
        eprintln!("{what}: {reason}");
        assert_eq!(fs::read(&database).unwrap(), before, "{what}");
        Database::open(&database).unwrap().verify().unwrap();
        let rest = disk.0.join("v.db.new");
        assert!(!rest.exists(), "{what} leaves {}", rest.display());
    }
}
