//! Text in, text that can stand in an XML document out.

use super::shown;

/// Text for an attribute or an element. Control characters, which XML 1.0 cannot hold at all, are shown escaped.
pub(super) fn xml(text: &str) -> String {
    let mut safe = String::new();
    for char in shown(text).chars() {
        match char {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            char => safe.push(char),
        }
    }
    safe
}
