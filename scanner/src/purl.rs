//! Name, version and qualifiers in, package URL out (purl-spec: components are percent-encoded, qualifiers sorted).

use std::fmt::Write as _;

use plimsoll_model::OsRelease;

/// A package URL of an operating system's package.
pub(crate) fn of_os_package(
    kind: &str,
    os: Option<&OsRelease>,
    default_namespace: &str,
    name: &str,
    version: &str,
    qualifiers: &[(&str, &str)],
) -> String {
    let namespace = os.map_or(default_namespace, |os| os.id.as_str());
    let mut purl = format!("pkg:{kind}/");
    encode(&namespace.to_lowercase(), &mut purl);
    purl.push('/');
    encode(&name.to_lowercase(), &mut purl);
    purl.push('@');
    encode(version, &mut purl);
    let distro = os.map(|os| match os.version_id.as_str() {
        "" => os.id.clone(),
        version => format!("{}-{version}", os.id),
    });
    let mut qualifiers: Vec<(&str, &str)> = qualifiers.to_vec();
    qualifiers.extend(distro.as_deref().map(|distro| ("distro", distro)));
    qualifiers.retain(|(_, value)| !value.is_empty());
    qualifiers.sort_unstable();
    for (index, (key, value)) in qualifiers.into_iter().enumerate() {
        purl.push(if index == 0 { '?' } else { '&' });
        purl.push_str(key);
        purl.push('=');
        encode(value, &mut purl);
    }
    purl
}

/// A package URL of a library that a programming language's package manager knows. The parts of the namespace have no slashes.
pub(crate) fn of_library(kind: &str, namespace: &[&str], name: &str, version: &str) -> String {
    let mut purl = format!("pkg:{kind}/");
    for part in namespace {
        encode(part, &mut purl);
        purl.push('/');
    }
    encode(name, &mut purl);
    purl.push('@');
    encode(version, &mut purl);
    purl
}

/// A qualifier's value, percent-encoded.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::new();
    encode(text, &mut out);
    out
}

/// Percent-encodes all but the characters that purl-spec leaves alone: letters, digits, `.`, `-`, `_`, `~`, and `:`,
/// which must not be encoded (purl-spec 1.0, "Rules for each purl component").
fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' | b':' => out.push(char::from(byte)),
            _ => write!(out, "%{byte:02X}").expect("writing to a string cannot fail"),
        }
    }
}
