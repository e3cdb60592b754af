//! Why something failed: an error in, its text with those of its causes out.

use std::error::Error;

/// An error with its causes on one line: what a library says itself often leaves the system's reason to its source. A cause
/// that the text names already is not said twice.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = cause.source();
    }
    text.trim_end().to_owned()
}
