//! One file of an image's merged tree, with what its bytes say.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Digest;

/// A path of the merged tree: what a container sees at that path when it starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Absolute and normalised (`/usr/bin/redis-server`); symbolic links in its parents are not resolved. Bytes that are
    /// not UTF-8 are replaced and noted.
    pub path: String,
    /// What it is.
    pub kind: FileKind,
    /// Permission bits with setuid, setgid and sticky: at most `0o7777`.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Bytes of content; 0 for all but regular files.
    pub size_bytes: u64,
    /// Digest of the content; `None` for all but regular files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Index into [`crate::ScanReport::layers`] of the layer that brought this version of the file.
    pub layer: u32,
    /// Target of a symbolic link, as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_target: Option<String>,
    /// Facts of an ELF executable or library; `None` when it is not ELF.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elf: Option<Box<ElfFacts>>,
    /// First line of a script after `#!`, trimmed, at most 255 bytes; `None` when it is not a script.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shebang: Option<String>,
    /// Has file capabilities (`security.capability` in the layer's pax header).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_capabilities: bool,
    /// Index into [`crate::Sbom::packages`] of the package that owns it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<u32>,
}

impl FileEntry {
    /// An empty file of root's in the first layer, of which nothing else is known.
    pub fn new(path: impl Into<String>, kind: FileKind, mode: u32) -> Self {
        Self {
            path: path.into(),
            kind,
            mode,
            uid: 0,
            gid: 0,
            size_bytes: 0,
            digest: None,
            layer: 0,
            link_target: None,
            elf: None,
            shebang: None,
            has_capabilities: false,
            package: None,
        }
    }
}

/// Kinds of files in a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// Regular file (a hard link is one too: it has its target's content).
    Regular,
    /// Directory.
    Directory,
    /// Symbolic link.
    Symlink,
    /// Character or block device.
    Device,
    /// Named pipe.
    Fifo,
}

impl FileEntry {
    /// A regular file with an execute bit.
    pub fn is_executable(&self) -> bool {
        self.kind == FileKind::Regular && self.mode & 0o111 != 0
    }

    /// A regular file that runs as its owner or group.
    pub fn is_setuid_or_setgid(&self) -> bool {
        self.kind == FileKind::Regular && self.mode & 0o6000 != 0 && self.mode & 0o111 != 0
    }
}

/// What an ELF file needs and can do, as its headers and dynamic section say (System V gABI, chapter 5).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ElfFacts {
    /// `PT_INTERP`: the dynamic loader; `None` for static executables and libraries.
    pub interpreter: Option<String>,
    /// `DT_SONAME`.
    pub soname: Option<String>,
    /// `DT_NEEDED`, in order.
    pub needed: Vec<String>,
    /// `DT_RUNPATH`, else `DT_RPATH`, split at `:`; `$ORIGIN` not replaced.
    pub run_path: Vec<String>,
    /// Which of the symbols that decide behaviour it imports.
    pub imports: SymbolUse,
    /// No dynamic section: imports say nothing.
    pub is_static: bool,
    /// Position independent executable or shared object (`ET_DYN`).
    pub is_position_independent: bool,
    /// Go build id note or Go build info section found.
    pub is_go: bool,
    /// Rust `.dep-v0` audit section found.
    pub is_rust_auditable: bool,
    /// How it was hardened when it was linked; `None` in reports that do not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hardening: Option<Hardening>,
}

/// What linker and compiler did against exploits, as far as headers and dynamic symbols show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Hardening {
    /// `PT_GNU_STACK` without the execute flag. False also when the header is missing, which gives an executable stack
    /// on most processors (elf(5)).
    pub no_execute_stack: bool,
    /// What of its relocations is read-only once it runs.
    pub relro: Relro,
    /// Uses `__stack_chk_fail` or `__stack_chk_guard`. False proves nothing: a program without arrays needs none.
    pub stack_canary: bool,
    /// Uses any of glibc's checked functions such as `__memcpy_chk` (`_FORTIFY_SOURCE`). False proves nothing.
    pub fortified: bool,
}

/// Read-only relocations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Relro {
    /// No `PT_GNU_RELRO`.
    #[default]
    None,
    /// `PT_GNU_RELRO`, but functions are bound when first called: their table stays writable.
    Partial,
    /// `PT_GNU_RELRO`, and all is bound before `main`.
    Full,
}

/// Imported functions, grouped by what they let the program do. False means: not imported by this file itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SymbolUse {
    /// `exec*`, `posix_spawn*`, `system`, `popen`, `wordexp`, `fexecve`.
    pub exec: bool,
    /// `connect`, `sendto`, `sendmsg`.
    pub connect: bool,
    /// `listen`, `accept*`.
    pub listen: bool,
    /// `dlopen`, `dlmopen`.
    pub dlopen: bool,
    /// `setuid`, `setgid`, `setresuid`, `setgroups`, …
    pub become_user: bool,
    /// `syscall`: it can do anything without importing it.
    pub raw_syscall: bool,
}
