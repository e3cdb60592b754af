//! Licences as package managers state them in, SPDX licence expressions out where they can be read as such (SPDX 2.3,
//! annex D); what cannot stays as it was stated.

use std::collections::BTreeMap;

use plimsoll_model::{PackageKind, Sbom};
use spdx::Expression;

use crate::{Tree, layer::watch::Sighting};

/// Longer texts are no names.
const MAX_BYTES: usize = 2048;

/// Names of Debian, Fedora and others that are not SPDX's, in lower case. Names that stand for several licences (`BSD`,
/// `Artistic`, `GPL`) are left as they are.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("expat", "MIT"),
    ("mit/expat", "MIT"),
    ("mit license", "MIT"),
    ("the mit license", "MIT"),
    ("apache-2", "Apache-2.0"),
    ("apache 2.0", "Apache-2.0"),
    ("apache license 2.0", "Apache-2.0"),
    ("apache license, version 2.0", "Apache-2.0"),
    ("apache software license", "Apache-2.0"),
    ("asl 2.0", "Apache-2.0"),
    ("asl2.0", "Apache-2.0"),
    ("bsd-2", "BSD-2-Clause"),
    ("bsd-3", "BSD-3-Clause"),
    ("bsd-4", "BSD-4-Clause"),
    ("new bsd license", "BSD-3-Clause"),
    ("bsd 3-clause", "BSD-3-Clause"),
    ("3-clause bsd license", "BSD-3-Clause"),
    ("boost", "BSL-1.0"),
    ("cc0", "CC0-1.0"),
    ("mplv2.0", "MPL-2.0"),
    ("mpl 2.0", "MPL-2.0"),
    ("mplv1.1", "MPL-1.1"),
    ("openldap-2.8", "OLDAP-2.8"),
    ("psf", "PSF-2.0"),
    ("psf-2", "PSF-2.0"),
    ("psfl", "PSF-2.0"),
    ("ofl-1.1", "OFL-1.1"),
    ("libpng", "Libpng"),
    ("isc license", "ISC"),
    ("zlib/libpng", "Zlib"),
    ("unlicense", "Unlicense"),
    ("wtfpl-2", "WTFPL"),
    ("sleepycat", "Sleepycat"),
    ("curl", "curl"),
    ("gfdl-niv-1.2+", "GFDL-1.2-no-invariants-or-later"),
    ("gfdl-niv-1.3+", "GFDL-1.3-no-invariants-or-later"),
    ("gfdl-niv-1.3", "GFDL-1.3-no-invariants-only"),
];

/// Completes and normalises the licences of all packages.
pub(crate) fn fill(tree: &Tree, sbom: &mut Sbom) {
    let mut of_debian: BTreeMap<&str, &[String]> = BTreeMap::new();
    let all = tree.all_sightings();
    for (path, _, digest) in &all.places {
        let name = path
            .strip_prefix("/usr/share/doc/")
            .and_then(|rest| rest.strip_suffix("/copyright"));
        let Some(name) = name else { continue };
        for sighting in all.of(digest) {
            if let Sighting::Licences(names) = sighting {
                // Later layers come later, and win.
                of_debian.insert(name, names);
            }
        }
    }
    for package in &mut sbom.packages {
        if package.kind == PackageKind::Dpkg && package.licences.is_empty() {
            let names = of_debian.get(package.name.as_str()).copied().unwrap_or_default();
            package.licences = names.to_vec();
        }
        for licence in &mut package.licences {
            if let Some(expression) = normalise(licence) {
                *licence = expression;
            }
        }
        let mut seen = Vec::new();
        package.licences.retain(|licence| {
            let is_new = !seen.contains(licence);
            seen.push(licence.clone());
            is_new
        });
    }
}

/// An SPDX expression of the same meaning; `None` when there is none, or none that is certain.
fn normalise(stated: &str) -> Option<String> {
    if stated.len() > MAX_BYTES {
        return None;
    }
    let text = stated.trim();
    if let Some(id) = id(text) {
        return Some(id);
    }
    // Commas bind weaker than `and` in Debian's form, and stand for `or` elsewhere.
    if text.contains(',') || text.contains('/') {
        return None;
    }
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    let mut words = Vec::new();
    let mut is_exception = false;
    for word in spaced.split_whitespace() {
        let shown = match word.to_ascii_lowercase().as_str() {
            "and" | "&" => "AND".to_owned(),
            "or" | "|" => "OR".to_owned(),
            "with" => "WITH".to_owned(),
            "(" | ")" => word.to_owned(),
            _ if is_exception => word.to_owned(),
            _ => id(word)?,
        };
        is_exception = shown == "WITH";
        words.push(shown);
    }
    let text = words.join(" ").replace("( ", "(").replace(" )", ")");
    Expression::parse(&text).is_ok().then_some(text)
}

/// SPDX's identifier of one licence.
fn id(name: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    if let Some((_, id)) = OTHER_NAMES.iter().find(|(other, _)| *other == lower) {
        return Some((*id).to_owned());
    }
    if let Some(id) = gnu(&lower) {
        return Some(id);
    }
    let exact = spdx::license_id(name).or_else(|| {
        let known = spdx::identifiers::LICENSES
            .iter()
            .find(|known| known.name.eq_ignore_ascii_case(name));
        known.and_then(|known| spdx::license_id(known.name))
    });
    exact.map(|id| id.name.to_owned())
}

/// `GPL-2`, `GPLv2+`, `LGPL-2.1+`, `gpl-3.0-or-later`: SPDX wants to know whether later versions are allowed too.
fn gnu(lower: &str) -> Option<String> {
    let (family, rest) = ["agpl", "lgpl", "gpl", "gfdl"]
        .iter()
        .find_map(|family| Some((*family, lower.strip_prefix(family)?)))?;
    let rest = rest.strip_prefix('-').unwrap_or(rest);
    let rest = rest.strip_prefix('v').unwrap_or(rest);
    let end = rest
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(rest.len());
    let (version, tail) = rest.split_at(end);
    let ending = match tail {
        "" | "-only" => "only",
        "+" | "-or-later" => "or-later",
        _ => return None,
    };
    let version = match version.contains('.') {
        true => version.to_owned(),
        false => format!("{version}.0"),
    };
    let id = format!("{}-{version}-{ending}", family.to_ascii_uppercase());
    spdx::license_id(&id).map(|id| id.name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_distributions_state() {
        for (stated, expected) in [
            ("MIT", Some("MIT")),
            ("Expat", Some("MIT")),
            ("GPL-2+", Some("GPL-2.0-or-later")),
            ("GPLv2", Some("GPL-2.0-only")),
            ("LGPLv2.1+", Some("LGPL-2.1-or-later")),
            ("GPL-2.0-only", Some("GPL-2.0-only")),
            ("GPL-2.0+", Some("GPL-2.0-or-later")),
            ("BSD-3-clause", Some("BSD-3-Clause")),
            ("zlib", Some("Zlib")),
            ("LGPL-3+ or GPL-2+", Some("LGPL-3.0-or-later OR GPL-2.0-or-later")),
            ("(MIT and Expat) or Apache-2", Some("(MIT AND MIT) OR Apache-2.0")),
            (
                "GPL-2.0-or-later WITH Classpath-exception-2.0",
                Some("GPL-2.0-or-later WITH Classpath-exception-2.0"),
            ),
            ("MIT AND BSD-3-Clause", Some("MIT AND BSD-3-Clause")),
            ("BSD", None),
            ("GPL", None),
            ("public-domain", None),
            ("GPL-2+ with OpenSSL exception", None),
            ("MIT/X11 (BSD like)", None),
            ("", None),
        ] {
            assert_eq!(normalise(stated).as_deref(), expected, "{stated}");
        }
    }
}
