//! What package databases state of their files' contents in, findings about programs and libraries that are not as their
//! package brought them out.
//!
//! Compared is what can run, in folders of the system, up to a size (`layer/watch/checksum.rs`). What was not compared
//! is not reported as sound: nothing is. Configuration files are not in dpkg's lists, and are no programs in apk's. RPM
//! states SHA-256, which the inventory has of every file: all that can run is compared, and all in folders of libraries.

use std::collections::BTreeMap;

use base64::Engine as _;
use plimsoll_model::{FileEntry, FileKind, PackageKind, Severity};

use super::{Check, Findings, Input, Kind};
use crate::{
    Tree,
    cataloger::rpm::{
        self,
        header::{Algorithm, FileDigest},
    },
    layer::watch::Sighting,
};

/// dpkg's `md5sums`, apk's `Z:` lines and RPM's headers.
pub(super) struct ChangedFiles;

const CHANGED: Kind = Kind {
    id: "package-file-changed",
    severity: Severity::High,
    benchmark: None,
    title: "a program or library is not what its package brought",
    hint: "find out which instruction changed it, and install the package anew",
};
const MISSING: Kind = Kind {
    id: "package-file-missing",
    severity: Severity::Negligible,
    benchmark: None,
    title: "a program or library of a package is not there",
    hint: "remove the package, so that nobody believes it is whole",
};

const INFO_FOLDER: &str = "/var/lib/dpkg/info/";
const STATUS_FOLDER: &str = "/var/lib/dpkg/status.d/";
const DIVERSIONS: &str = "/var/lib/dpkg/diversions";
/// Where code lies that is no program by itself.
const LIBRARIES: &[&str] = &["/lib/", "/lib64/", "/usr/lib/", "/usr/lib64/", "/usr/libexec/"];
const APK: &[&str] = &["/lib/apk/db/installed", "/usr/lib/apk/db/installed"];

/// What a database says of one file.
enum Stated {
    Md5([u8; 16]),
    Sha1([u8; 20]),
    Sha256([u8; 32]),
}

impl Stated {
    /// `None` when the digest is not as long as its algorithm makes it.
    fn of_rpm(file: &FileDigest) -> Option<Self> {
        let bytes = file.bytes.as_slice();
        match file.algorithm {
            Algorithm::Md5 => bytes.try_into().ok().map(Self::Md5),
            Algorithm::Sha1 => bytes.try_into().ok().map(Self::Sha1),
            Algorithm::Sha256 => bytes.try_into().ok().map(Self::Sha256),
        }
    }
}

impl Check for ChangedFiles {
    fn kinds(&self) -> &'static [Kind] {
        const { &[CHANGED, MISSING] }
    }

    fn wants(&self, path: &str) -> bool {
        path == DIVERSIONS
            || (path.ends_with(".md5sums") && (path.starts_with(INFO_FOLDER) || path.starts_with(STATUS_FOLDER)))
            || APK.contains(&path)
    }

    fn check(&self, input: &Input<'_>, out: &mut Findings) {
        let diversions = diversions(input.tree.content(DIVERSIONS).unwrap_or_default());
        let installed = |name: &str| {
            let packages = &input.sbom.packages;
            packages
                .iter()
                .any(|package| package.kind == PackageKind::Dpkg && package.name == name)
        };
        for folder in [INFO_FOLDER, STATUS_FOLDER] {
            for list in input
                .tree
                .below(folder)
                .filter(|entry| entry.path.ends_with(".md5sums"))
            {
                let file_name = list.path[folder.len()..].trim_end_matches(".md5sums");
                let package = file_name.split(':').next().unwrap_or(file_name);
                // Lists of packages that are gone may be left behind in an image that was put together by hand.
                if folder == INFO_FOLDER && !installed(package) {
                    continue;
                }
                let content = input.tree.unpacked(&list.path).unwrap_or_default();
                for (path, md5) in md5sums(&content) {
                    let path = match diversions.get(path.as_str()) {
                        Some((to, by)) if by != package => to.clone(),
                        _ => path,
                    };
                    compare(input.tree, &path, package, &Stated::Md5(md5), true, out);
                }
            }
        }
        for path in APK {
            for (package, file, sha1) in apk_sums(input.tree.content(path).unwrap_or_default()) {
                compare(input.tree, &file, &package, &Stated::Sha1(sha1), false, out);
            }
        }
        for (package, file) in rpm::digests(input.tree) {
            let can_run = file.mode & 0o111 != 0 || LIBRARIES.iter().any(|folder| file.path.starts_with(folder));
            if let Some(stated) = Stated::of_rpm(&file).filter(|_| can_run) {
                compare(input.tree, &file.path, &package, &stated, true, out);
            }
        }
    }
}

/// `is_file`: whether the database lists regular files only, so that a link is none of the package's.
fn compare(tree: &Tree, path: &str, package: &str, stated: &Stated, is_file: bool, out: &mut Findings) {
    let Some((folder, name)) = path.rsplit_once('/') else {
        return;
    };
    let real = tree.resolve_path(folder).map(|folder| format!("{folder}/{name}"));
    let Some(entry) = real.as_deref().and_then(|real| tree.get(real)) else {
        if is_program_path(path) {
            out.push(
                &MISSING,
                format!("package {package} brought it, and it is not there"),
                Some(path),
                None,
            );
        }
        return;
    };
    if entry.kind == FileKind::Symlink && is_file && is_program_path(path) {
        let target = entry.link_target.as_deref().unwrap_or_default();
        let shown: String = target.chars().take(80).collect();
        out.file(
            &CHANGED,
            entry,
            format!("package {package} brought a file; now it is a link to {shown}"),
        );
    } else if differs(tree, entry, stated) {
        let message = format!(
            "its content is not what package {package} brought: layer {} changed it",
            entry.layer + 1
        );
        out.file(&CHANGED, entry, message);
    }
}

/// False also when there is nothing to compare with.
fn differs(tree: &Tree, entry: &FileEntry, stated: &Stated) -> bool {
    if let Stated::Sha256(stated) = stated {
        return entry.digest.is_some_and(|digest| digest.as_bytes() != stated);
    }
    tree.sightings(entry).iter().any(|sighting| match (sighting, stated) {
        (Sighting::Checksums { md5, .. }, Stated::Md5(stated)) => md5 != stated,
        (Sighting::Checksums { sha1, .. }, Stated::Sha1(stated)) => sha1 != stated,
        _ => false,
    })
}

/// Documents, translations and the like are left out of images on purpose; programs and libraries seldom.
fn is_program_path(path: &str) -> bool {
    let path = path.strip_prefix("/usr").unwrap_or(path);
    let name = path.rsplit('/').next().unwrap_or(path);
    let is_library = path.starts_with("/lib") && (name.ends_with(".so") || name.contains(".so."));
    path.starts_with("/bin/") || path.starts_with("/sbin/") || is_library
}

/// 32 hexadecimal digits, two blanks, a path without leading slash (dpkg-deb's `md5sums`).
fn md5sums(content: &[u8]) -> impl Iterator<Item = (String, [u8; 16])> {
    content.split(|&byte| byte == b'\n').filter_map(|line| {
        let (sum, path) = line.split_at_checked(32)?;
        let path = str::from_utf8(path)
            .ok()?
            .trim_start()
            .trim_start_matches("./")
            .trim_start_matches('/');
        let mut md5 = [0; 16];
        for (byte, pair) in md5.iter_mut().zip(sum.chunks_exact(2)) {
            *byte = u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()?;
        }
        (!path.is_empty()).then(|| (format!("/{path}"), md5))
    })
}

/// Three lines each: the path, where it is now, and the package that wanted so; `:` is the administrator
/// (dpkg-divert(1)).
fn diversions(content: &[u8]) -> BTreeMap<String, (String, String)> {
    let text = String::from_utf8_lossy(content);
    let lines: Vec<&str> = text.lines().collect();
    lines
        .chunks_exact(3)
        .map(|lines| (lines[0].to_owned(), (lines[1].to_owned(), lines[2].to_owned())))
        .collect()
}

/// Package, path and SHA-1 of each file: `Z:Q1` and base64 (apk-package(5)).
fn apk_sums(content: &[u8]) -> Vec<(String, String, [u8; 20])> {
    let mut sums = Vec::new();
    let (mut package, mut folder, mut file) = (String::new(), String::new(), None::<String>);
    for line in String::from_utf8_lossy(content).lines() {
        let Some((key, value)) = line.split_once(':') else {
            (folder, file) = (String::new(), None);
            continue;
        };
        match key {
            "P" => value.clone_into(&mut package),
            "F" => value.clone_into(&mut folder),
            "R" if folder.is_empty() => file = Some(format!("/{value}")),
            "R" => file = Some(format!("/{folder}/{value}")),
            "Z" => {
                let decoded = value
                    .strip_prefix("Q1")
                    .and_then(|text| base64::engine::general_purpose::STANDARD.decode(text).ok());
                if let (Some(path), Some(Ok(sha1))) = (file.take(), decoded.map(<[u8; 20]>::try_from)) {
                    sums.push((package.clone(), path, sha1));
                }
            }
            _ => {}
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use plimsoll_model::{Digest, ImageConfig, Sbom};

    use super::*;
    use crate::{check::testing, layer::watch::Sighted};

    const GOOD: [u8; 16] = [0xab; 16];

    fn sbom(kind: PackageKind) -> Sbom {
        let package = serde_json::json!({
            "kind": kind, "name": "demo", "version": "1", "purl": "", "layer": 0, "evidence_path": "", "files": []
        });
        Sbom {
            os: None,
            packages: vec![serde_json::from_value(package).unwrap()],
        }
    }

    /// A tree with one program whose content has these sums.
    fn tree(path: &str, md5: [u8; 16], sha1: [u8; 20], lists: &[(&str, &str)]) -> Tree {
        let mut tree = testing::tree(lists);
        let mut entry = testing::entry(path, FileKind::Regular, 0o755);
        let digest = Digest::from_bytes([7; 32]);
        (entry.digest, entry.layer) = (Some(digest), 2);
        tree.insert(entry, None);
        tree.see(Sighted {
            path: path.to_owned(),
            layer: 2,
            digest,
            sightings: vec![Sighting::Checksums { md5, sha1 }],
        });
        tree
    }

    fn found(tree: &Tree, kind: PackageKind) -> Vec<String> {
        let (findings, notes) = testing::run(&ChangedFiles, &ImageConfig::default(), tree, &sbom(kind));
        assert_eq!(notes, []);
        findings
            .iter()
            .map(|finding| format!("{} {}", finding.check, finding.path.as_deref().unwrap_or_default()))
            .collect()
    }

    #[test]
    fn compares_with_dpkgs_sums() {
        let list = format!(
            "{}  usr/bin/demo\n{}  usr/share/doc/demo/x\nnonsense\n",
            "ab".repeat(16),
            "cd".repeat(16)
        );
        let lists = [("/var/lib/dpkg/info/demo.md5sums", list.as_str())];
        assert_eq!(
            found(&tree("/usr/bin/demo", GOOD, [0; 20], &lists), PackageKind::Dpkg),
            Vec::<String>::new()
        );
        assert_eq!(
            found(&tree("/usr/bin/demo", [1; 16], [0; 20], &lists), PackageKind::Dpkg),
            ["package-file-changed /usr/bin/demo"]
        );
        assert_eq!(
            found(&tree("/usr/bin/other", [1; 16], [0; 20], &lists), PackageKind::Dpkg),
            ["package-file-missing /usr/bin/demo"]
        );
        // Diverted by another package: this one's file is elsewhere, and what is here is the other's.
        let moved = "/usr/bin/demo\n/usr/bin/demo.distrib\nother\n";
        let lists = [lists[0], ("/var/lib/dpkg/diversions", moved)];
        assert_eq!(
            found(&tree("/usr/bin/demo.distrib", GOOD, [0; 20], &lists), PackageKind::Dpkg),
            Vec::<String>::new()
        );
    }

    #[test]
    fn compares_with_apks_sums() {
        let sum = base64::engine::general_purpose::STANDARD.encode([5; 20]);
        let list = format!("P:demo\nV:1\nF:\nF:usr/bin\nR:demo\na:0:0:755\nZ:Q1{sum}\n\n");
        let lists = [("/lib/apk/db/installed", list.as_str())];
        assert_eq!(
            found(&tree("/usr/bin/demo", GOOD, [5; 20], &lists), PackageKind::Apk),
            Vec::<String>::new()
        );
        assert_eq!(
            found(&tree("/usr/bin/demo", GOOD, [6; 20], &lists), PackageKind::Apk),
            ["package-file-changed /usr/bin/demo"]
        );
    }
}
