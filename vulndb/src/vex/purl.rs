//! Package URLs (<https://github.com/package-url/purl-spec>) in, whether one covers another out.

use std::collections::BTreeMap;

/// A package URL in its parts, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Purl {
    kind: String,
    /// Namespace and name.
    name: String,
    version: Option<String>,
    qualifiers: BTreeMap<String, String>,
}

impl Purl {
    /// `None` when the text is no package URL.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("pkg:")?.trim_start_matches('/');
        let rest = rest.split('#').next().unwrap_or(rest);
        let (rest, qualifiers) = rest.split_once('?').unwrap_or((rest, ""));
        let (kind, path) = rest.split_once('/')?;
        // A version follows the last `@`; that of a scope (`@angular/cli`) is followed by a slash.
        let (name, version) = match path.rsplit_once('@') {
            Some((name, version)) if !name.is_empty() && !version.contains('/') => (name, Some(version)),
            _ => (path, None),
        };
        let kind = kind.to_ascii_lowercase();
        let version = version.map(decode).map(|version| match kind.as_str() {
            // Go's tools write the same version with and without the letter.
            "golang" => version.trim_start_matches('v').to_owned(),
            _ => version,
        });
        let qualifiers = qualifiers.split('&').filter_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            Some((key.to_ascii_lowercase(), decode(value)))
        });
        Some(Self {
            qualifiers: qualifiers.collect(),
            name: decode(name.trim_end_matches('/')),
            version,
            kind,
        })
    }

    /// `rpm`.
    pub(crate) fn kind(&self) -> &str {
        &self.kind
    }

    /// Namespace and name: `redhat/sudo`.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// `None` where every version is meant.
    pub(crate) fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// What one of its qualifiers says.
    pub(crate) fn qualifier(&self, key: &str) -> Option<&str> {
        self.qualifiers.get(key).map(String::as_str)
    }

    /// Whether this one, of which version and qualifiers may be left open, means the other.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let is_version = self.version.is_none() || self.version == other.version;
        let has_qualifier = |(key, value): (&String, &String)| other.qualifiers.get(key) == Some(value);
        self.kind == other.kind && self.name == other.name && is_version && self.qualifiers.iter().all(has_qualifier)
    }
}

/// What a package URL says by one of its qualifiers.
pub(crate) fn qualifier(purl: &str, key: &str) -> Option<String> {
    Purl::parse(purl)?.qualifiers.remove(key)
}

/// Decodes `%2B` and its like; what is no escape stays.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while index < bytes.len() {
        let digits = text.get(index + 1..index + 3);
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if bytes[index] == b'%' => {
                decoded.push(byte);
                index += 3;
            }
            _ => {
                decoded.push(bytes[index]);
                index += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

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
        for text in ["", "pkg:", "pkg:deb", "cpe:2.3:a:b", "%", "pkg:deb/%zz%"] {
            let _ = Purl::parse(text);
        }
    }
}
