//! Progress of a scan in, a bar on the terminal out.

use std::io::{self, IsTerminal as _};

use indicatif::{ProgressBar, ProgressStyle};
use plimsoll_scanner::{Progress, Total};

/// Bytes read, on a terminal.
pub(super) struct Bar(ProgressBar);

impl Bar {
    /// `None` where nobody watches.
    pub(super) fn new() -> Option<Self> {
        if !io::stderr().is_terminal() {
            return None;
        }
        let style = ProgressStyle::with_template("{prefix} {bar:40} {bytes}/{total_bytes} {bytes_per_sec}");
        let bar = ProgressBar::new(0);
        bar.set_style(style.ok()?);
        Some(Self(bar))
    }
}

impl Progress for Bar {
    fn start(&self, total: Total) {
        self.0.set_length(total.bytes);
        self.0.set_prefix(format!("reading {} layers", total.layers));
    }

    fn advance(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    fn finish(&self) {
        self.0.finish_and_clear();
    }
}
