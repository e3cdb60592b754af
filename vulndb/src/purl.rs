//! Package URLs in (purl-spec 1.0, <https://github.com/package-url/purl-spec>): parts out, the one spelling of each, and whether
//! one covers another.

mod rules;

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use crate::limits::MAX_PURL_BYTES;

/// A package URL in its parts, decoded and in the spelling of its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purl {
    /// `rpm`, in lower case.
    pub kind: String,
    /// `redhat`, `@angular`, `github.com/owner`; empty where there is none.
    pub namespace: String,
    /// `sudo`.
    pub name: String,
    /// `None` where every version is meant.
    pub version: Option<String>,
    /// By their keys, which are in lower case; none is empty.
    pub qualifiers: BTreeMap<String, String>,
    /// A path within the package; empty where there is none.
    pub subpath: String,
}

impl Purl {
    /// Reads one. An error is the reason, as a lower-case fragment.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.len() > MAX_PURL_BYTES {
            return Err("it is too long");
        }
        let rest = text.strip_prefix("pkg:").ok_or("it does not begin with `pkg:`")?;
        let (rest, subpath) = rest.rsplit_once('#').unwrap_or((rest, ""));
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (kind, path) = rest.trim_start_matches('/').split_once('/').ok_or("it has no name")?;
        // A version follows the last `@`; that of a scope (`@angular/cli`) is followed by a slash.
        let (path, version) = match path.rsplit_once('@') {
            Some((path, version)) if !version.contains('/') => (path, Some(version)),
            _ => (path, None),
        };
        let mut qualifiers = BTreeMap::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').ok_or("a qualifier has no value")?;
            qualifiers.insert(key.to_ascii_lowercase(), decode(value)?);
        }
        // A slash at the end is an empty name where a version follows, and nothing otherwise.
        let path = if version.is_none() {
            path.trim_end_matches('/')
        } else {
            path
        };
        let (namespace, name) = path.rsplit_once('/').unwrap_or(("", path));
        Self {
            kind: kind.to_ascii_lowercase(),
            namespace: decode_path(namespace)?,
            name: decode(name)?,
            version: version.map(decode).transpose()?.filter(|version| !version.is_empty()),
            qualifiers,
            subpath: decode_path(subpath)?,
        }
        .checked()
    }

    /// Puts its parts into the spelling of its type, or says which of them the type does not allow.
    pub fn checked(mut self) -> Result<Self, &'static str> {
        let is_kind = |byte: u8| byte.is_ascii_alphanumeric() || b".+-".contains(&byte);
        if !self.kind.starts_with(|c: char| c.is_ascii_alphabetic()) || !self.kind.bytes().all(is_kind) {
            return Err("its type is no word");
        }
        if self.name.is_empty() {
            return Err("it has no name");
        }
        let is_key = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
        let is_good = |key: &String| key.starts_with(|c: char| c.is_ascii_lowercase()) && key.bytes().all(is_key);
        if !self.qualifiers.keys().all(is_good) {
            return Err("the key of a qualifier is no word in lower case");
        }
        self.qualifiers.retain(|_, value| !value.is_empty());
        rules::apply(&mut self)?;
        Ok(self)
    }

    /// What one of its qualifiers says.
    pub fn qualifier(&self, key: &str) -> Option<&str> {
        self.qualifiers.get(key).map(String::as_str)
    }

    /// Whether this one, of which version and qualifiers may be left open, means the other.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        // Go's tools write the same version with and without the letter.
        let plain = |purl: &Self| {
            let version = purl.version.clone();
            version.map(|version| match purl.kind.as_str() {
                "golang" => version.trim_start_matches('v').to_owned(),
                _ => version,
            })
        };
        let is_version = self.version.is_none() || plain(self) == plain(other);
        let has_qualifier = |(key, value): (&String, &String)| other.qualifiers.get(key) == Some(value);
        let name = |purl: &Self| (purl.kind.clone(), purl.namespace.clone(), purl.name.clone());
        name(self) == name(other) && is_version && self.qualifiers.iter().all(has_qualifier)
    }
}

/// The canonical spelling.
impl fmt::Display for Purl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pkg:{}/", self.kind)?;
        let parts = self.namespace.split('/').chain(rules::name_parts(self));
        for (index, part) in parts.filter(|part| !part.is_empty()).enumerate() {
            if index > 0 {
                f.write_char('/')?;
            }
            encode(part, f)?;
        }
        if let Some(version) = &self.version {
            f.write_char('@')?;
            encode(version, f)?;
        }
        for (index, (key, value)) in self.qualifiers.iter().enumerate() {
            write!(f, "{}{key}=", if index == 0 { '?' } else { '&' })?;
            encode(value, f)?;
        }
        for (index, part) in self.subpath.split('/').filter(|part| !part.is_empty()).enumerate() {
            f.write_char(if index == 0 { '#' } else { '/' })?;
            encode(part, f)?;
        }
        Ok(())
    }
}

/// What a package URL says by one of its qualifiers.
pub(crate) fn qualifier(purl: &str, key: &str) -> Option<String> {
    Purl::parse(purl).ok()?.qualifiers.remove(key)
}

/// All but letters, digits, `.`, `-`, `_`, `~` and `:`.
fn encode(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' | b':' => {
                f.write_char(char::from(byte))?
            }
            _ => write!(f, "%{byte:02X}")?,
        }
    }
    Ok(())
}

/// The parts of a path, without empty ones and those that lead elsewhere.
fn decode_path(text: &str) -> Result<String, &'static str> {
    let decoded = text.split('/').map(decode).collect::<Result<Vec<_>, _>>()?.join("/");
    // An escaped slash divides, too: written again, nobody could tell.
    Ok(path_parts(&decoded).collect::<Vec<_>>().join("/"))
}

/// The parts of a decoded path, without empty ones and those that lead elsewhere.
fn path_parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !matches!(*part, "" | "." | ".."))
}

/// Decodes `%2B` and its like.
fn decode(text: &str) -> Result<String, &'static str> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else {
            return Err("an escape is cut off");
        };
        bytes.push(u8::try_from(high << 4 | low).unwrap_or_default());
    }
    String::from_utf8(bytes).map_err(|_| "an escape is no text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_slashes_and_dots_are_the_same_when_written_again() {
        for (text, expected) in [
            ("pkg:git/host/a%2Fb%2F@1", Ok("pkg:git/host/a/b@1")),
            ("pkg:git/host/a/%2F..%2Fb@1", Ok("pkg:git/host/a/b@1")),
            ("pkg:git/%2Fname%2F", Ok("pkg:git/name")),
            ("pkg:git/host/%2F@1", Err("it has no name")),
            ("pkg:deb/%2F/a#%2Fb%2F%2E%2E%2Fc", Ok("pkg:deb/a#b/c")),
        ] {
            let purl = Purl::parse(text);
            assert_eq!(
                purl.as_ref().map(ToString::to_string).map_err(|error| *error),
                expected.map(str::to_owned),
                "{text}"
            );
            if let Ok(purl) = purl {
                assert_eq!(Purl::parse(&purl.to_string()), Ok(purl), "{text}");
            }
        }
    }

    #[test]
    fn what_is_left_open_covers_more() {
        let covers = |wanted: &str, own: &str| Purl::parse(wanted).unwrap().covers(&Purl::parse(own).unwrap());
        let own = "pkg:deb/debian/libstdc%2B%2B6@12.2.0-14?arch=amd64&distro=debian-12";
        for (wanted, expected) in [
            ("pkg:deb/debian/libstdc++6", true),
            ("pkg:deb/debian/libstdc%2b%2b6@12.2.0-14", true),
            ("pkg:deb/debian/libstdc++6?arch=amd64", true),
            ("pkg:deb/debian/libstdc++6?arch=arm64", false),
            ("pkg:deb/debian/libstdc++6@12.2.0-13", false),
            ("pkg:deb/ubuntu/libstdc++6", false),
            ("pkg:rpm/debian/libstdc++6", false),
        ] {
            assert_eq!(covers(wanted, own), expected, "{wanted}");
        }
        assert!(covers(
            "pkg:golang/golang.org/x/crypto@v0.1.0",
            "pkg:golang/golang.org/x/crypto@0.1.0"
        ));
        assert!(covers("pkg:npm/@angular/cli", "pkg:npm/%40angular/cli@1.0.0"));
        assert!(!covers("pkg:npm/%40angular/cli@2", "pkg:npm/%40angular/cli@1.0.0"));
        assert!(covers("pkg:PyPI/Zope_Interface", "pkg:pypi/zope-interface@5"));
    }

    #[test]
    fn what_is_no_package_url_is_refused() {
        for text in [
            "",
            "pkg:",
            "pkg:deb",
            "pkg:deb/",
            "cpe:2.3:a:b",
            "%",
            "pkg:deb/%zz",
            "pkg:deb/a%f",
            "pkg:deb/%ff",
            "pkg:1/a",
            "pkg:deb/a?b",
            "pkg:swift/Alamofire@5.4.3",
        ] {
            assert!(Purl::parse(text).is_err(), "{text}");
        }
        assert!(Purl::parse(&format!("pkg:deb/{}", "a".repeat(MAX_PURL_BYTES))).is_err());
    }
}
