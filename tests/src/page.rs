//! Pages that several tests write a section each of: between two markers, so that none touches what another wrote.

use std::{fs, path::Path};

/// The lines that a section stands between.
fn markers(section: &str) -> (String, String) {
    (
        format!("<!-- begin {section}: written by a test, do not edit -->\n"),
        format!("<!-- end {section} -->\n"),
    )
}

/// What stands in a section; `None` when the page has no such section.
pub fn section<'p>(page: &'p str, section: &str) -> Option<&'p str> {
    let (begin, end) = markers(section);
    let from = page.find(&begin)? + begin.len();
    let length = page[from..].find(&end)?;
    Some(&page[from..from + length])
}

/// The page with another text in a section; one that it has not is put at its end.
pub fn with_section(page: &str, name: &str, text: &str) -> String {
    let (begin, end) = markers(name);
    let whole = format!("{begin}{text}{end}");
    match section(page, name) {
        Some(old) => page.replacen(&format!("{begin}{old}{end}"), &whole, 1),
        None => format!("{page}{whole}"),
    }
}

/// Writes a section of the page in a file.
///
/// # Errors
/// The file cannot be written.
pub fn write_section(path: &Path, name: &str, text: &str) -> std::io::Result<()> {
    let page = fs::read_to_string(path).unwrap_or_default();
    fs::write(path, with_section(&page, name, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_do_not_touch_each_other() {
        let page = with_section("# Title\n", "a", "one\n");
        let page = with_section(&page, "b", "two\n");
        let page = with_section(&page, "a", "three\nmore\n");
        assert!(page.starts_with("# Title\n"));
        assert_eq!(section(&page, "a"), Some("three\nmore\n"));
        assert_eq!(section(&page, "b"), Some("two\n"));
        assert_eq!(section(&page, "c"), None);
        assert_eq!(page.matches("begin a").count(), 1);
    }
}
