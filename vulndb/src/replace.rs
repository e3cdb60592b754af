//! Tables in, a database file in the old one's place out: built beside, checked, synced, renamed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::Error;
use crate::read::io_error;
use crate::store;
use crate::tables::Tables;

/// Held while a database is replaced, so that two imports do not undo each other; released when the process ends.
pub(crate) fn lock(destination: &Path) -> Result<File, Error> {
    let folder = parent(destination);
    fs::create_dir_all(folder).map_err(|source| io_error("create folder", folder, source))?;
    let path = beside(destination, "lock");
    let file = File::create(&path).map_err(|source| io_error("create lock", &path, source))?;
    file.lock().map_err(|source| io_error("lock", &path, source))?;
    Ok(file)
}

/// Builds beside, checks, syncs and renames. Returns the new file's size in bytes.
pub(crate) fn replace(destination: &Path, tables: Tables, now: &str) -> Result<u64, Error> {
    put(destination, |new| {
        store::write(new, &tables, now)?;
        let rows = tables.affected.len();
        std::thread::scope(|scope| {
            // The disk is busy while the file is read again from memory, and a core gives back what was allocated.
            let synced = scope.spawn(|| sync(new));
            scope.spawn(|| drop(tables));
            let checked = check(new, Some(rows));
            let synced = synced.join().expect("syncing does not panic");
            checked.and(synced.map(|_| ()))
        })
    })
}

/// Lets `write` make a new file, syncs it and renames it to the destination. Returns its size in bytes.
pub(crate) fn put(destination: &Path, write: impl FnOnce(&Path) -> Result<(), Error>) -> Result<u64, Error> {
    let new = beside(destination, "new");
    // A run that was killed may have left one.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io_error("remove", &new, error)),
        _ => {}
    }
    let written = write(&new).and_then(|()| sync(&new)).and_then(|size| {
        fs::rename(&new, destination).map_err(|source| io_error("rename to", destination, source))?;
        Ok(size)
    });
    if written.is_err() {
        // The error that is reported is the first one.
        let _ = fs::remove_file(&new);
    }
    let size = written?;
    let folder = parent(destination);
    let sync_folder = File::open(folder).and_then(|folder| folder.sync_all());
    sync_folder.map_err(|source| io_error("sync folder", folder, source))?;
    Ok(size)
}

/// Reads a new file as a reader would; `rows` is how many ranges it must have, where that is known.
pub(crate) fn check(new: &Path, rows: Option<usize>) -> Result<(), Error> {
    let corrupt = |reason: String| Error::Corrupt {
        path: new.to_owned(),
        reason,
    };
    let connection = store::open(new)?;
    let failed = |source| Error::Sqlite {
        operation: "check",
        path: new.to_owned(),
        source,
    };
    let answer: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(failed)?;
    if answer != "ok" {
        return Err(corrupt(answer));
    }
    let found: i64 = connection
        .query_row("SELECT count(*) FROM affected", [], |row| row.get(0))
        .map_err(failed)?;
    match rows {
        Some(rows) if usize::try_from(found) != Ok(rows) => {
            Err(corrupt(format!("{found} of {rows} rows were written")))
        }
        _ => Ok(()),
    }
}

fn sync(path: &Path) -> Result<u64, Error> {
    let file = File::open(path).map_err(|source| io_error("open", path, source))?;
    file.sync_all().map_err(|source| io_error("sync", path, source))?;
    let metadata = file.metadata().map_err(|source| io_error("read", path, source))?;
    Ok(metadata.len())
}

pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// The path with an ending more: `v.db` and `lock` give `v.db.lock`.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}
