//! Shells and tools of every day.

use crate::cataloger::binary::classifier::{Classifier, elf};

pub(super) const ALL: &[Classifier] = &[
    elf(
        "busybox",
        &["busybox", "busybox.*"],
        &[r"BusyBox v([0-9]\.[0-9]{1,3}\.[0-9]{1,3})"],
        &["busybox:busybox"],
    ),
    elf(
        "bash",
        &["bash"],
        &[r"@\(#\)Bash version ([0-9]\.[0-9]{1,2}\.[0-9]{1,3})\("],
        &["gnu:bash"],
    ),
    elf(
        "zsh",
        &["zsh", "zsh-*", "zsh5"],
        &[r"\x00{version}\x00zsh %s \(", r"/zsh/{version}\x00"],
        &["zsh:zsh"],
    ),
    elf(
        "git",
        &["git", "git-shell", "git-remote-http", "scalar"],
        &[r"git/{version}[^0-9.]"],
        &["git-scm:git"],
    ),
    elf(
        "jq",
        &["jq"],
        &[
            r"\x00(?:jq-)?(1\.[5-9](?:\.[0-9]{1,2})?(?:rc[0-9])?)\x00",
            r"jq-(1\.[5-9](?:\.[0-9]{1,2})?)[^0-9.]",
        ],
        &["jqlang:jq"],
    ),
    elf(
        "gnupg",
        &["gpg", "gpg2", "gpgv"],
        &[r"@GNUPG@\)\x00({digits})[^0-9.]", r"OpenPGP server {version} ready"],
        &["gnupg:gnupg"],
    ),
    elf(
        "sudo",
        &["sudo", "visudo", "cvtsudoers"],
        &[r"\x00(1\.[0-9]{1,2}\.[0-9]{1,2}(?:p[0-9]{1,2})?)\x00(?:Configure options|%s grammar version)"],
        &["sudo_project:sudo"],
    ),
    elf(
        "util-linux",
        &["lsblk", "blkid", "mount", "su", "lscpu"],
        &[r"\x00util-linux {version}\x00"],
        &["kernel:util-linux"],
    ),
    elf(
        "xz",
        &["xz", "lzmainfo"],
        &[r"\(XZ Utils\) {version}[^0-9.]"],
        &["tukaani:xz"],
    ),
    elf(
        "bzip2",
        &["bzip2recover"],
        &[r"bzip2recover {version}:"],
        &["bzip:bzip2"],
    ),
    elf(
        "zstd",
        &["zstd"],
        &[r"\x00v{version}\x00Zstandard CLI"],
        &["facebook:zstandard"],
    ),
    elf(
        "qemu",
        &["qemu-system-*"],
        &[r"QEMU emulator version {version}[^0-9.]"],
        &["qemu:qemu"],
    ),
    elf(
        "tmux",
        &["tmux"],
        &[r"duplicate path: %s\x00([0-9]\.[0-9]{1,2}[a-z]?)\x00"],
        &["tmux_project:tmux"],
    ),
    elf("nano", &["nano"], &[r"\x00GNU nano {version}\x00"], &["gnu:nano"]),
    elf(
        "logrotate",
        &["logrotate"],
        &[r"logrotate {version} - Copyright"],
        &["logrotate_project:logrotate"],
    ),
    elf(
        "emacs",
        &["emacs", "emacs-*"],
        &[r"/libexec/emacs/{version}/"],
        &["gnu:emacs"],
    ),
    elf(
        "socat",
        &["socat"],
        &[r"20[0-9]{2} [0-9:]{8}\x00{1,8}(1\.[0-9]\.[0-9]\.[0-9]{1,2})\x00"],
        &["dest-unreach:socat"],
    ),
];
