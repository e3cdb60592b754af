//! Bytes as a file of an image in; everything that a scan does with such an image happens.

use std::sync::{Arc, atomic::AtomicU64};

use plimsoll_model::{Digest, FileEntry, FileKind, ImageConfig, ImageIdentity, Platform, Sbom};

use crate::{
    DEFAULT_MAX_ENTRIES, Silent, Tree, cataloger, check,
    layer::{self, Shared},
    licence,
    merge::Merge,
    profile,
};

/// Bytes of a tar block.
const BLOCK: usize = 512;
/// A Python package for what it lists.
const METADATA: &[u8] = b"Name: a\nVersion: 1\n";
/// A pacman package for what it lists.
const DESCRIPTION: &[u8] = b"%NAME%\na\n\n%VERSION%\n1-1\n\n%ARCH%\nany\n";

/// A layer, compressed in any way or not at all.
pub(super) fn layer(bytes: &[u8]) {
    judged(bytes);
}

/// A file at this path.
pub(super) fn in_image(path: &str, content: &[u8]) {
    files(&[(path, content)]);
}

pub(super) fn python_record(content: &[u8]) {
    let folder = "/usr/lib/python3/a-1.dist-info";
    files(&[
        (&format!("{folder}/METADATA"), METADATA),
        (&format!("{folder}/RECORD"), content),
    ]);
}

pub(super) fn pacman_files(content: &[u8]) {
    let folder = "/var/lib/pacman/local/a-1-1";
    files(&[
        (&format!("{folder}/desc"), DESCRIPTION),
        (&format!("{folder}/files"), content),
    ]);
}

/// The first line is the path of a file, the rest is in it: whatever looks at names.
pub(super) fn place(bytes: &[u8]) {
    let (path, content) = match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &bytes[..0]),
    };
    files(&[(&String::from_utf8_lossy(path), content)]);
}

fn files(files: &[(&str, &[u8])]) {
    let mut tar = Vec::new();
    for (path, content) in files {
        tar.extend(header(path.trim_start_matches('/'), content.len()));
        tar.extend(*content);
        tar.resize(tar.len().next_multiple_of(BLOCK), 0);
    }
    tar.resize(tar.len() + 2 * BLOCK, 0);
    judged(&tar);
}

/// The fields that POSIX asks for (pax(1), ustar interchange format).
fn header(path: &str, size: usize) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let length = path.len().min(100);
    block[..length].copy_from_slice(&path.as_bytes()[..length]);
    block[100..107].copy_from_slice(b"0000755");
    block[108..115].copy_from_slice(b"0000000");
    block[116..123].copy_from_slice(b"0000000");
    block[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
    block[156] = b'0';
    block[257..265].copy_from_slice(b"ustar\x0000");
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    block
}

/// What a scan does with one layer: inventory, watchers, merge, catalogers, licences, checks.
fn judged(mut bytes: &[u8]) {
    let shared = Shared {
        progress: &Silent,
        entries: AtomicU64::new(0),
        kept_bytes: AtomicU64::new(0),
        max_entries: DEFAULT_MAX_ENTRIES,
        kept_limit: 64 << 20,
        is_source_tree: true,
    };
    let layer = layer::read(0, "layer", &mut bytes, None, &shared).expect("memory can be read");
    let mut merge = Merge::default();
    merge.apply(layer);
    let mut notes = std::mem::take(&mut merge.notes);
    let mut sbom = cataloger::run(&mut merge.tree, &merge.versions, true, &mut notes);
    licence::fill(&merge.tree, &mut sbom);
    let input = check::Input {
        reference: "image",
        config: &ImageConfig::default(),
        layers: &[],
        tree: &merge.tree,
        sbom: &sbom,
    };
    check::run(&input, &mut notes);
}

/// The script that an image starts.
pub(super) fn started_by(content: &[u8]) {
    let mut tree = Tree::default();
    for path in [
        "/usr/bin/sh",
        "/usr/bin/redis-server",
        "/usr/bin/postgres",
        "/usr/sbin/gosu",
    ] {
        tree.insert(program(path), None);
    }
    let script = FileEntry {
        elf: None,
        shebang: Some("#!/usr/bin/sh".to_owned()),
        ..program("/entry.sh")
    };
    tree.insert(script, Some(Arc::from(content)));
    profiled(&tree, &["/entry.sh", "redis-server"]);
}

/// A file with settings of the program that an image starts.
pub(super) fn settings(command: &[&str], path: &str, content: &[u8]) {
    let mut tree = Tree::default();
    tree.insert(program(command[0]), None);
    let file = FileEntry {
        elf: None,
        mode: 0o644,
        ..program(path)
    };
    tree.insert(file, Some(Arc::from(content)));
    profiled(&tree, command);
}

fn program(path: &str) -> FileEntry {
    FileEntry {
        size_bytes: 1,
        elf: Some(Box::default()),
        ..FileEntry::new(path, FileKind::Regular, 0o755)
    }
}

fn profiled(tree: &Tree, command: &[&str]) {
    let config = ImageConfig {
        entrypoint: command.iter().map(|word| (*word).to_owned()).collect(),
        ..ImageConfig::default()
    };
    let image = ImageIdentity {
        reference: "image".to_owned(),
        manifest_digest: None,
        config_digest: Digest::from_bytes([0; 32]),
        diff_ids: Vec::new(),
        platform: Platform {
            os: "linux".to_owned(),
            architecture: "amd64".to_owned(),
            variant: None,
        },
    };
    let (profile, _) = profile::build(&profile::Input {
        image: &image,
        config: &config,
        tree,
        sbom: &Sbom::default(),
        packs: plimsoll_rules::packs::shipped(),
    });
    profile::view(&profile);
}
