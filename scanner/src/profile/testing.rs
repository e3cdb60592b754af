//! Small images built in code, for this crate's profile tests.

use std::sync::Arc;

use plimsoll_model::{
    Digest, ElfFacts, FileEntry, FileKind, ImageConfig, ImageIdentity, Note, Package, PackageKind, Platform, Profile,
    Sbom,
};

use super::{Input, build};
use crate::Tree;

/// An image in the making.
pub(crate) struct Image {
    pub(crate) tree: Tree,
    pub(crate) config: ImageConfig,
    pub(crate) sbom: Sbom,
}

impl Image {
    pub(crate) fn new() -> Self {
        Self {
            tree: Tree::default(),
            config: ImageConfig::default(),
            sbom: Sbom::default(),
        }
    }

    fn entry(path: &str, kind: FileKind) -> FileEntry {
        FileEntry::new(path, kind, 0o755)
    }

    pub(crate) fn binary(mut self, path: &str, change: impl FnOnce(&mut ElfFacts)) -> Self {
        let mut facts = ElfFacts::default();
        change(&mut facts);
        let mut entry = Self::entry(path, FileKind::Regular);
        entry.elf = Some(Box::new(facts));
        self.tree.insert(entry, None);
        self
    }

    pub(crate) fn binaries(self, paths: &[&str]) -> Self {
        paths.iter().fold(self, |image, path| image.binary(path, |_| {}))
    }

    pub(crate) fn link(mut self, path: &str, target: &str) -> Self {
        let mut entry = Self::entry(path, FileKind::Symlink);
        entry.link_target = Some(target.to_owned());
        self.tree.insert(entry, None);
        self
    }

    pub(crate) fn folder(mut self, path: &str, mode: u32, uid: u32) -> Self {
        let mut entry = Self::entry(path, FileKind::Directory);
        (entry.mode, entry.uid) = (mode, uid);
        self.tree.insert(entry, None);
        self
    }

    pub(crate) fn file(mut self, path: &str, mode: u32, text: &str) -> Self {
        let mut entry = Self::entry(path, FileKind::Regular);
        entry.mode = mode;
        entry.size_bytes = text.len() as u64;
        entry.shebang = text
            .strip_prefix("#!")
            .and_then(|rest| rest.lines().next())
            .map(|line| line.trim().to_owned());
        self.tree.insert(entry, Some(Arc::from(text.as_bytes())));
        self
    }

    pub(crate) fn script(self, path: &str, text: &str) -> Self {
        self.file(path, 0o755, text)
    }

    /// A Debian-like system: dash, bash and a few tools, merged /usr, root and two users.
    pub(crate) fn debian() -> Self {
        let tools = [
            "id", "find", "chown", "chmod", "mkdir", "sort", "cat", "ls", "env", "sed", "date", "sleep",
        ];
        let tools: Vec<String> = tools.iter().map(|name| format!("/usr/bin/{name}")).collect();
        let tools: Vec<&str> = tools.iter().map(String::as_str).collect();
        Self::new()
            .link("/bin", "usr/bin")
            .link("/sbin", "usr/sbin")
            .link("/lib", "usr/lib")
            .link("/var/run", "/run")
            .link("/usr/bin/sh", "dash")
            .binaries(&["/usr/bin/dash", "/usr/bin/bash", "/usr/sbin/gosu", "/usr/bin/tini"])
            .binaries(&tools)
            .file(
                "/etc/passwd",
                0o644,
                "root:x:0:0:root:/root:/bin/bash\nredis:x:999:999::/data:/bin/sh\nweb:x:33:33::/var/www:/bin/false\n",
            )
    }

    pub(crate) fn package(mut self, name: &str, main: &str) -> Self {
        let index = u32::try_from(self.sbom.packages.len()).unwrap();
        self.sbom.packages.push(Package {
            purl: format!("pkg:deb/debian/{name}@1.0-1"),
            evidence_path: "/var/lib/dpkg/status".to_owned(),
            files: vec![main].into(),
            ..Package::new(PackageKind::Dpkg, name, "1.0-1")
        });
        let mut entry = self.tree.get(main).unwrap().clone();
        entry.package = Some(index);
        self.tree.insert(entry, None);
        self
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut ImageConfig)) -> Self {
        change(&mut self.config);
        self
    }

    pub(crate) fn starts(self, entrypoint: &[&str], cmd: &[&str]) -> Self {
        self.with(|config| {
            config.entrypoint = entrypoint.iter().map(|word| (*word).to_owned()).collect();
            config.cmd = cmd.iter().map(|word| (*word).to_owned()).collect();
        })
    }

    pub(crate) fn profile(&self) -> (Profile, Vec<Note>) {
        let identity = ImageIdentity {
            reference: "test".to_owned(),
            manifest_digest: None,
            config_digest: format!("sha256:{}", "0".repeat(64)).parse::<Digest>().unwrap(),
            diff_ids: Vec::new(),
            platform: Platform {
                os: "linux".to_owned(),
                architecture: "amd64".to_owned(),
                variant: None,
            },
        };
        build(&Input {
            image: &identity,
            config: &self.config,
            tree: &self.tree,
            sbom: &self.sbom,
            packs: plimsoll_rules::packs::shipped(),
        })
    }
}
