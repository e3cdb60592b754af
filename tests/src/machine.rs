//! What this machine allows: root, BPF, tools. A test that needs more than there is says so and ends.

use std::{
    io::{self, Write as _},
    path::Path,
    process::{Command, Stdio},
};

/// Why this test cannot run here; `None` when it can. Needs root, the kernel's types (BTF) and BPF itself.
pub fn why_no_bpf() -> Option<String> {
    if let Some(reason) = why_not_root() {
        return Some(reason);
    }
    if !Path::new("/sys/kernel/btf/vmlinux").exists() {
        return Some("this kernel has no BTF (/sys/kernel/btf/vmlinux)".to_owned());
    }
    None
}

/// Why this test cannot run here; `None` for root.
pub fn why_not_root() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let euid = status
        .lines()
        .find_map(|line| line.strip_prefix("Uid:"))
        .and_then(|ids| ids.split_whitespace().nth(1));
    (euid != Some("0")).then(|| "it needs root".to_owned())
}

/// Says on the terminal, past the test harness's capture, that a test did not run.
pub fn say_skipped(test: &str, reason: &str) {
    // `eprintln!` of a passing test is swallowed by the harness; a skip must be seen.
    let _ = writeln!(io::stderr(), "SKIPPED {test}: {reason}");
}

/// Whether a program is on the path.
pub fn has(program: &str) -> bool {
    Command::new("sh")
        .args(["-c", "command -v \"$1\"", "sh", program])
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
