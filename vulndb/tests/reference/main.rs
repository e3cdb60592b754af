//! Tables that reference implementations test themselves with (`../shared/data/versions`): orders of versions, package URLs.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod purl;
mod versions;

/// A table; `None` when it is absent, which is said.
fn shared(file: &str) -> Option<String> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/versions");
    let path = folder.join(file);
    let text = std::fs::read_to_string(&path).ok();
    if text.is_none() {
        eprintln!("SKIPPED: {} is absent", path.display());
    }
    text
}
