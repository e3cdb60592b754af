//! `/etc/os-release` or `/usr/lib/os-release` in, [`OsRelease`] out (os-release(5)).

use plimsoll_model::OsRelease;

use super::{Catalog, Cataloger, Input, Want};

/// Recognises the operating system.
pub(super) struct OsReleaseCataloger;

/// In the order that os-release(5) gives them.
const PATHS: &[&str] = &["/etc/os-release", "/usr/lib/os-release"];
/// Longest value that is kept.
const MAX_VALUE_BYTES: usize = 1024;

impl Cataloger for OsReleaseCataloger {
    fn name(&self) -> &'static str {
        "os-release"
    }

    fn wants(&self, path: &str) -> Option<Want> {
        (path.ends_with("/os-release") || path.starts_with("/usr/lib/os-release")).then_some(Want::Newest)
    }

    fn catalog(&self, input: &Input<'_>) -> Catalog {
        let mut contents = PATHS.iter().filter_map(|path| {
            let entry = input.tree.resolve(path)?;
            input.tree.content(&entry.path)
        });
        Catalog {
            os: contents.next().map(|bytes| parse(&String::from_utf8_lossy(bytes))),
            ..Catalog::default()
        }
    }
}

fn parse(text: &str) -> OsRelease {
    let mut os = OsRelease::default();
    for line in text.lines().map(str::trim) {
        let Some((key, value)) = line.split_once('=') else {
            continue;
        };
        let value = unquote(value);
        match key {
            "ID" => os.id = value,
            "VERSION_ID" => os.version_id = value,
            "VERSION_CODENAME" => os.version_codename = value,
            "ID_LIKE" => os.id_like = value.split_whitespace().map(str::to_owned).collect(),
            "PRETTY_NAME" => os.pretty_name = value,
            _ => {}
        }
    }
    if os.id.is_empty() {
        // os-release(5): "If not set, a default of ID=linux may be used."
        "linux".clone_into(&mut os.id);
    }
    os
}

/// Shell quoting as far as os-release(5) allows it: one pair of quotes, backslash before `"`, `$`, `\` and `` ` ``.
fn unquote(value: &str) -> String {
    let value = value.trim();
    let (body, escapes) = match value.as_bytes() {
        [b'"', .., b'"'] => (&value[1..value.len() - 1], true),
        [b'\'', .., b'\''] => (&value[1..value.len() - 1], false),
        _ => (value, true),
    };
    let mut text = String::new();
    let mut chars = body.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' if escapes => text.extend(chars.next()),
            other => text.push(other),
        }
        if text.len() >= MAX_VALUE_BYTES {
            break;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_debians_own_file() {
        let os = parse(
            "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\n\
             VERSION_CODENAME=bookworm\nID=debian\n",
        );
        assert_eq!((os.id.as_str(), os.version_id.as_str()), ("debian", "12"));
        assert_eq!(os.version_codename, "bookworm");
        assert_eq!(os.pretty_name, "Debian GNU/Linux 12 (bookworm)");
    }

    #[test]
    fn survives_what_nobody_would_write() {
        assert_eq!(parse("").id, "linux");
        assert_eq!(parse("ID=\"\nX\n=\n").id, "\"");
        assert_eq!(parse("ID='a\\b'").id, "a\\b");
        assert_eq!(parse("ID=\"a\\\"b\"").id, "a\"b");
        assert_eq!(parse("ID_LIKE=\"rhel fedora\"").id_like, ["rhel", "fedora"]);
    }
}
