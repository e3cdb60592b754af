//! Every reader of foreign bytes in the workspace, with what it reads without a fault.

use std::{fs, path::Path};

use crate::repository;

/// One reader.
pub struct Parser {
    /// Unique; its folder in `fuzz/corpus/`.
    pub name: &'static str,
    /// Reads; what it makes of it is dropped.
    pub run: fn(&[u8]),
    /// Files of the repository that it reads without a fault, beside its corpus.
    pub files: &'static [&'static str],
}

/// All crates' readers.
pub fn all() -> Vec<Parser> {
    plimsoll_scanner::fuzzing::parsers()
        .chain(plimsoll_vulndb::fuzzing::PARSERS)
        .chain(plimsoll_rules::fuzzing::PARSERS)
        .chain(plimsoll_policy::fuzzing::PARSERS)
        .chain(plimsoll_runtime::fuzzing::PARSERS)
        .chain(plimsoll_scap::fuzzing::PARSERS)
        .chain(plimsoll_web::fuzzing::PARSERS)
        .map(|&(name, run, files)| Parser { name, run, files })
        .collect()
}

impl Parser {
    /// What mutations start from: the files it names and its corpus, `.zst` unpacked.
    ///
    /// # Panics
    /// When a file that it names is not there.
    pub fn seeds(&self) -> Vec<Vec<u8>> {
        let root = repository::root();
        let mut seeds: Vec<Vec<u8>> = self.files.iter().map(|file| read(&root.join(file))).collect();
        if let Ok(folder) = fs::read_dir(root.join("fuzz/corpus").join(self.name)) {
            let mut paths: Vec<_> = folder.flatten().map(|entry| entry.path()).collect();
            paths.sort();
            seeds.extend(paths.iter().map(|path| read(path)));
        }
        seeds
    }
}

fn read(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("read {}: {error}", path.display()));
    if path.extension().is_some_and(|ending| ending == "zst") {
        return zstd::decode_all(bytes.as_slice()).unwrap_or_else(|error| panic!("unpack {}: {error}", path.display()));
    }
    bytes
}
