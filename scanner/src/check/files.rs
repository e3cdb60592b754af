//! The merged tree's paths, owners and modes in, findings about files that should not be there like that out.

use std::collections::BTreeMap;

use plimsoll_model::{FileEntry, FileKind, Severity};

use super::{Check, Findings, Input, Kind};

/// Setuid programs, open modes, sudo, caches, leftovers.
pub(super) struct Files;

const SETUID: Kind = Kind {
    id: "unexpected-setuid",
    severity: Severity::Medium,
    benchmark: Some("CIS Docker 4.8"),
    title: "a setuid or setgid program beside those that distributions have",
    hint: "`chmod a-s` it, unless the container needs it",
};
const CAPABILITIES: Kind = Kind {
    id: "unexpected-capabilities",
    severity: Severity::Low,
    benchmark: Some("CIS Docker 4.8"),
    title: "a program with file capabilities beside those that distributions have",
    hint: "`setcap -r` it, unless the container needs it",
};
const WRITABLE_FILE: Kind = Kind {
    id: "world-writable-file",
    severity: Severity::Low,
    benchmark: None,
    title: "everybody may write a file",
    hint: "`chmod o-w` it and give it to the user that writes it",
};
const WRITABLE_PROGRAM: Kind = Kind {
    id: "world-writable-program",
    severity: Severity::High,
    benchmark: None,
    title: "everybody may write a program or library, and so decide what others run",
    hint: "`chmod o-w` it",
};
const WRITABLE_FOLDER: Kind = Kind {
    id: "world-writable-folder",
    severity: Severity::Low,
    benchmark: None,
    title: "everybody may write a folder that has no sticky bit, and so remove what others put there",
    hint: "`chmod +t` or `chmod o-w` it",
};
const SUDO: Kind = Kind {
    id: "sudo",
    severity: Severity::Low,
    benchmark: None,
    title: "sudo, doas or pkexec is installed",
    hint: "start the container as the user that it needs",
};
const SUDO_WITHOUT_PASSWORD: Kind = Kind {
    id: "sudo-without-password",
    severity: Severity::Medium,
    benchmark: None,
    title: "somebody may become root without a password",
    hint: "remove the `NOPASSWD` line",
};
const SSH_SERVER: Kind = Kind {
    id: "ssh-server",
    severity: Severity::Low,
    benchmark: Some("CIS Docker 5.6"),
    title: "an SSH server is installed",
    hint: "leave it out and use the engine's exec",
};
const PACKAGE_CACHE: Kind = Kind {
    id: "package-cache",
    severity: Severity::Negligible,
    benchmark: None,
    title: "a package manager's cache was left",
    hint: "remove it in the instruction that fills it, or use a cache mount",
};
const VERSION_CONTROL: Kind = Kind {
    id: "version-control-folder",
    severity: Severity::Low,
    benchmark: None,
    title: "a repository's history is in the image, with all that was ever committed",
    hint: "list `.git` in `.dockerignore`",
};
const SHELL_HISTORY: Kind = Kind {
    id: "shell-history",
    severity: Severity::Low,
    benchmark: None,
    title: "a shell's history is in the image",
    hint: "remove it in the instruction that makes it",
};
const ENVIRONMENT_FILE: Kind = Kind {
    id: "environment-file",
    severity: Severity::Low,
    benchmark: Some("CIS Docker 4.10"),
    title: "an `.env` file, where people keep what a program must not show, is in the image",
    hint: "list it in `.dockerignore` and give it to the container when it starts",
};

/// Setuid and setgid programs of Debian, Ubuntu, Alpine, Fedora and their children, by base name.
const EXPECTED_SETUID: &[&str] = &[
    "bbsuid",
    "chage",
    "chfn",
    "chsh",
    "crontab",
    "dbus-daemon-launch-helper",
    "dotlockfile",
    "expiry",
    "fusermount",
    "fusermount3",
    "gpasswd",
    "grub2-set-bootflag",
    "mount",
    "mount.nfs",
    "newgidmap",
    "newgrp",
    "newuidmap",
    "pam_extrausers_chkpwd",
    "pam_timestamp_check",
    "passwd",
    "ping",
    "ping6",
    "sg",
    "ssh-agent",
    "ssh-keysign",
    "su",
    "umount",
    "unix_chkpwd",
    "userhelper",
    "usernetctl",
    "utempter",
    "wall",
    "write",
    "write.ul",
    "bsd-write",
    "utmp",
    "mail-lock",
    "mail-touchlock",
    "mail-unlock",
    "locate",
    "plocate",
    "mlocate",
];
/// Setuid too, but with a finding of their own.
const ROOT_PROGRAMS: &[&str] = &["sudo", "doas", "pkexec", "sudoedit"];
const EXPECTED_CAPABILITIES: &[&str] = &["ping", "arping", "clockdiff", "mtr-packet", "newuidmap", "newgidmap"];
const SYSTEM_FOLDERS: &[&str] = &[
    "/bin/",
    "/sbin/",
    "/usr/bin/",
    "/usr/sbin/",
    "/usr/lib/",
    "/usr/libexec/",
    "/lib/",
];

/// Folder, the ending of the files that count (empty: any), whose cache it is.
const CACHES: &[(&str, &str, &str)] = &[
    ("/var/lib/apt/lists/", "", "apt's package lists"),
    ("/var/cache/apt/archives/", ".deb", "apt's packages"),
    ("/var/cache/apk/", "", "apk's packages"),
    ("/var/cache/dnf/", "", "dnf's packages"),
    ("/var/cache/yum/", "", "yum's packages"),
    ("/var/cache/libdnf5/", "", "dnf's packages"),
    ("/var/cache/zypp/", "", "zypper's packages"),
    ("/var/cache/pacman/pkg/", "", "pacman's packages"),
    ("/root/.cache/pip/", "", "pip's packages"),
    ("/root/.npm/_cacache/", "", "npm's packages"),
    ("/usr/local/share/.cache/yarn/", "", "yarn's packages"),
    ("/root/.cache/yarn/", "", "yarn's packages"),
    ("/root/.cache/go-build/", "", "Go's build cache"),
    ("/root/.cache/uv/", "", "uv's packages"),
    ("/root/.cache/pypoetry/", "", "Poetry's packages"),
    ("/root/.composer/cache/", "", "Composer's packages"),
    ("/root/.nuget/packages/", "", "NuGet's packages"),
];
/// Smaller caches are what is left of a cleaned one: lock files, empty lists.
const MIN_CACHE_BYTES: u64 = 64 << 10;

impl Check for Files {
    fn kinds(&self) -> &'static [Kind] {
        const {
            &[
                SETUID,
                CAPABILITIES,
                WRITABLE_FILE,
                WRITABLE_PROGRAM,
                WRITABLE_FOLDER,
                SUDO,
                SUDO_WITHOUT_PASSWORD,
                SSH_SERVER,
                PACKAGE_CACHE,
                VERSION_CONTROL,
                SHELL_HISTORY,
                ENVIRONMENT_FILE,
            ]
        }
    }

    fn wants(&self, path: &str) -> bool {
        is_sudo_rule(path)
    }

    fn check(&self, input: &Input<'_>, out: &mut Findings) {
        let mut caches: BTreeMap<usize, u64> = BTreeMap::new();
        for entry in input.tree.iter() {
            modes(entry, out);
            names(entry, input, out);
            if entry.kind == FileKind::Regular
                && let Some(index) = CACHES
                    .iter()
                    .position(|(folder, end, _)| entry.path.starts_with(folder) && entry.path.ends_with(end))
            {
                *caches.entry(index).or_default() += entry.size_bytes;
            }
        }
        for (index, bytes) in caches {
            let (folder, _, name) = CACHES[index];
            if bytes >= MIN_CACHE_BYTES {
                let message = format!("{name} take {} MiB", (bytes >> 20).max(1));
                out.push(&PACKAGE_CACHE, message, Some(folder.trim_end_matches('/')), None);
            }
        }
    }
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn is_of_system(path: &str) -> bool {
    SYSTEM_FOLDERS.iter().any(|folder| path.starts_with(folder))
}

fn modes(entry: &FileEntry, out: &mut Findings) {
    let (name, mode) = (base_name(&entry.path), entry.mode);
    match entry.kind {
        FileKind::Regular => {
            let is_known = |list: &[&str]| is_of_system(&entry.path) && list.contains(&name);
            if entry.is_setuid_or_setgid() && !is_known(EXPECTED_SETUID) && !is_known(ROOT_PROGRAMS) {
                let (bit, who, id) = match mode & 0o4000 {
                    0 => ("setgid", "group", entry.gid),
                    _ => ("setuid", "user", entry.uid),
                };
                out.file(&SETUID, entry, format!("{bit} program of {who} {id}"));
            }
            if entry.has_capabilities && !is_known(EXPECTED_CAPABILITIES) {
                out.file(&CAPABILITIES, entry, "has file capabilities");
            }
            if mode & 0o002 != 0 {
                let can_run = mode & 0o111 != 0 || entry.elf.is_some() || entry.shebang.is_some();
                let kind = if can_run { &WRITABLE_PROGRAM } else { &WRITABLE_FILE };
                out.file(kind, entry, format!("everybody may write it (mode {mode:04o})"));
            }
        }
        FileKind::Directory if mode & 0o1002 == 0o002 => {
            out.file(
                &WRITABLE_FOLDER,
                entry,
                format!("everybody may write it (mode {mode:04o})"),
            );
        }
        _ => {}
    }
}

fn names(entry: &FileEntry, input: &Input<'_>, out: &mut Findings) {
    if entry.kind != FileKind::Regular {
        return;
    }
    let path = entry.path.as_str();
    let name = base_name(path);
    match name {
        "sudo" | "doas" | "pkexec" if is_of_system(path) && entry.is_executable() => {
            out.file(&SUDO, entry, format!("{name} is installed"));
        }
        "sshd" | "dropbear" if is_of_system(path) && entry.is_executable() => {
            out.file(&SSH_SERVER, entry, format!("{name} is installed"));
        }
        "HEAD" if path.ends_with("/.git/HEAD") => {
            out.file(&VERSION_CONTROL, entry, "a Git repository's history is here");
        }
        ".bash_history" | ".ash_history" | ".zsh_history" | ".sh_history" | ".python_history" | ".psql_history"
        | ".mysql_history"
            if entry.size_bytes > 0 =>
        {
            out.file(&SHELL_HISTORY, entry, "what somebody typed is here");
        }
        ".env" if entry.size_bytes > 0 && entry.package.is_none() && !crate::secret::allow::is_public_path(path) => {
            out.file(&ENVIRONMENT_FILE, entry, "an environment file is here");
        }
        _ => {}
    }
    if is_sudo_rule(path) {
        let content = input.tree.content(path).unwrap_or_default();
        for line in String::from_utf8_lossy(content).lines() {
            let line = line.trim_start();
            if !line.starts_with('#') && line.contains("NOPASSWD") {
                let who = line.split_whitespace().next().unwrap_or_default();
                let who: String = who.chars().take(40).collect();
                out.file(&SUDO_WITHOUT_PASSWORD, entry, format!("{who} needs no password"));
            }
        }
    }
}

fn is_sudo_rule(path: &str) -> bool {
    path == "/etc/sudoers"
        || path
            .strip_prefix("/etc/sudoers.d/")
            .is_some_and(|name| name != "README")
}

#[cfg(test)]
mod tests {
    use plimsoll_model::ImageConfig;

    use super::*;
    use crate::{Tree, check::testing};

    fn found(entry: FileEntry, content: &str) -> Vec<String> {
        let mut tree = Tree::default();
        tree.insert(entry, Some(std::sync::Arc::from(content.as_bytes())));
        let found = testing::found(&Files, &ImageConfig::default(), &tree);
        found
            .iter()
            .map(|line| line.split(' ').next().unwrap_or_default().to_owned())
            .collect()
    }

    #[test]
    fn judges_modes_and_names() {
        use FileKind::{Directory, Regular, Symlink};
        for (path, kind, mode, expected) in [
            ("/usr/bin/su", Regular, 0o4755, &[][..]),
            ("/usr/bin/tool", Regular, 0o4755, &["unexpected-setuid"]),
            ("/tmp/su", Regular, 0o6755, &["unexpected-setuid"]),
            ("/usr/bin/tool", Regular, 0o2644, &[]),
            ("/usr/bin/sudo", Regular, 0o4755, &["sudo"]),
            ("/usr/sbin/sshd", Regular, 0o755, &["ssh-server"]),
            ("/app/config", Regular, 0o666, &["world-writable-file"]),
            ("/app/run", Regular, 0o777, &["world-writable-program"]),
            ("/app", Directory, 0o777, &["world-writable-folder"]),
            ("/tmp", Directory, 0o1777, &[]),
            ("/bin", Symlink, 0o777, &[]),
            ("/app/.git/HEAD", Regular, 0o644, &["version-control-folder"]),
        ] {
            assert_eq!(found(testing::entry(path, kind, mode), ""), expected, "{path} {mode:o}");
        }
    }

    #[test]
    fn judges_contents_and_sizes() {
        let sized = |path: &str, size_bytes| FileEntry {
            size_bytes,
            ..testing::entry(path, FileKind::Regular, 0o644)
        };
        assert_eq!(found(sized("/root/.bash_history", 10), ""), ["shell-history"]);
        assert_eq!(found(sized("/root/.bash_history", 0), ""), Vec::<String>::new());
        assert_eq!(found(sized("/app/.env", 10), ""), ["environment-file"]);
        assert_eq!(
            found(sized("/var/lib/apt/lists/x_Packages", 9 << 20), ""),
            ["package-cache"]
        );
        assert_eq!(found(sized("/var/lib/apt/lists/lock", 0), ""), Vec::<String>::new());
        let rule = "# %wheel ALL=(ALL) NOPASSWD: ALL\napp ALL=(ALL) NOPASSWD:ALL\n";
        assert_eq!(found(sized("/etc/sudoers.d/app", 70), rule), ["sudo-without-password"]);
    }
}
