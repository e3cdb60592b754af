//! One file's bytes in, in pieces of any size; the versions that classifiers recognised out. Holds a window of the file,
//! never more.

use super::classifier::{self, Classifier};
use crate::limits::{CLASSIFIER_OVERLAP_BYTES, CLASSIFIER_WINDOW_BYTES};

/// Looks for the patterns of those rows that a file's name fits.
pub(crate) struct Matcher {
    path: String,
    rows: Vec<Progress>,
    window: Vec<u8>,
}

struct Progress {
    row: &'static Classifier,
    /// Index of the surest pattern that was found so far, and its version.
    found: Option<(usize, String)>,
}

impl Matcher {
    pub(crate) fn new(path: &str, rows: Vec<&'static Classifier>) -> Self {
        let rows = rows.into_iter().map(|row| Progress { row, found: None });
        Self {
            path: path.to_owned(),
            rows: rows.collect(),
            window: Vec::new(),
        }
    }

    /// The next bytes of the file.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) {
        if self.is_done() {
            return;
        }
        while !bytes.is_empty() {
            let step = bytes.len().min(CLASSIFIER_WINDOW_BYTES - self.window.len());
            self.window.extend_from_slice(&bytes[..step]);
            bytes = &bytes[step..];
            if self.window.len() == CLASSIFIER_WINDOW_BYTES {
                self.search(false);
                self.window.drain(..CLASSIFIER_WINDOW_BYTES - CLASSIFIER_OVERLAP_BYTES);
            }
        }
    }

    /// Which rows were recognised, and the versions.
    pub(crate) fn finish(mut self) -> Vec<(&'static Classifier, String)> {
        self.search(true);
        let found = self.rows.into_iter();
        found
            .filter_map(|progress| Some((progress.row, progress.found?.1)))
            .collect()
    }

    fn is_done(&self) -> bool {
        self.rows.iter().all(|progress| matches!(progress.found, Some((0, _))))
    }

    fn search(&mut self, is_end: bool) {
        for progress in &mut self.rows {
            // Only what is surer than what was found.
            let sure = progress.found.as_ref().map_or(usize::MAX, |(at, _)| *at);
            for (at, pattern) in classifier::patterns(progress.row).iter().enumerate().take(sure) {
                let version = pattern
                    .captures_iter(&self.window)
                    // What touches the end may go on after it. It is within the overlap, and so found again, whole.
                    .filter(|captures| is_end || captures.get(0).is_some_and(|all| all.end() < self.window.len()))
                    .filter_map(|captures| classifier::version(&captures))
                    .find(|version| classifier::agrees(&self.path, version));
                if let Some(version) = version {
                    progress.found = Some((at, version));
                    break;
                }
            }
        }
    }
}

/// The version in a file's path.
pub(super) fn in_path(row: &Classifier, path: &str) -> Option<String> {
    let patterns = classifier::patterns(row).iter();
    patterns
        .filter_map(|pattern| pattern.captures(path.as_bytes()))
        .find_map(|captures| classifier::version(&captures))
}
