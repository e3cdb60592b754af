//! Package URLs in (purl-spec), the packages that they name out.

use std::collections::BTreeMap;

use plimsoll_model::{Package, PackageKind, SourcePackage};

/// A package URL's parts, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Purl {
    pub(super) kind: String,
    pub(super) namespace: Vec<String>,
    pub(super) name: String,
    pub(super) version: String,
    pub(super) qualifiers: BTreeMap<String, String>,
}

impl Purl {
    /// `None` for what is no package URL.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("pkg:")?.trim_start_matches('/');
        let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        // A version has no slash that is not encoded; a scope such as `@types` comes before one.
        let (path, version) = match rest.rsplit_once('@') {
            Some((path, version)) if !version.contains('/') && !path.ends_with('/') => (path, version),
            _ => (rest, ""),
        };
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        let kind = parts.next()?.to_ascii_lowercase();
        let mut parts: Vec<String> = parts.map(decode).collect::<Option<_>>()?;
        let name = parts.pop()?;
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        Some(Self {
            kind,
            namespace: parts,
            name,
            version: decode(version)?,
            qualifiers: pairs
                .map(|(key, value)| Some((key.to_ascii_lowercase(), decode(value)?)))
                .collect::<Option<_>>()?,
        })
    }

    pub(super) fn qualifier(&self, key: &str) -> Option<&str> {
        self.qualifiers
            .get(key)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The kind of package that it names; `None` for those that we do not know.
    pub(super) fn package_kind(&self) -> Option<PackageKind> {
        Some(match self.kind.as_str() {
            "deb" => PackageKind::Dpkg,
            "apk" => PackageKind::Apk,
            "rpm" => PackageKind::Rpm,
            "alpm" => PackageKind::Pacman,
            "ebuild" | "portage" => PackageKind::Portage,
            "opkg" => PackageKind::Opkg,
            "pypi" => PackageKind::Python,
            "npm" => PackageKind::Npm,
            "gem" => PackageKind::Gem,
            "maven" => PackageKind::Maven,
            "golang" => PackageKind::Go,
            "cargo" => PackageKind::Cargo,
            "nuget" => PackageKind::Nuget,
            "composer" => PackageKind::Composer,
            "conda" => PackageKind::Conda,
            "pub" => PackageKind::Dart,
            "hex" | "otp" => PackageKind::Hex,
            "swift" | "cocoapods" => PackageKind::Swift,
            "hackage" => PackageKind::Haskell,
            "cran" | "bioconductor" => PackageKind::R,
            "luarocks" => PackageKind::Lua,
            "conan" => PackageKind::Conan,
            "vcpkg" => PackageKind::Vcpkg,
            "wordpress" | "wordpress-plugin" | "wordpress-theme" => PackageKind::Wordpress,
            "generic" | "bitnami" => PackageKind::Binary,
            _ => return None,
        })
    }

    /// The package, as its manager would name it.
    pub(super) fn package(&self, kind: PackageKind, purl: &str) -> Package {
        let version = match self.qualifier("epoch") {
            Some(epoch) if epoch != "0" && !self.version.contains(':') => format!("{epoch}:{}", self.version),
            _ => self.version.clone(),
        };
        let joined = |between: &str| {
            let parts: Vec<&str> = self
                .namespace
                .iter()
                .map(String::as_str)
                .chain([self.name.as_str()])
                .collect();
            parts.join(between)
        };
        let name = match kind {
            PackageKind::Maven => joined(":"),
            PackageKind::Npm | PackageKind::Go | PackageKind::Composer | PackageKind::Portage | PackageKind::Swift => {
                joined("/")
            }
            _ => self.name.clone(),
        };
        Package {
            source: self.source(kind, &name, &version),
            architecture: self.qualifier("arch").filter(|_| kind.is_of_os()).map(str::to_owned),
            purl: purl.to_owned(),
            ..Package::new(kind, name, version)
        }
    }

    /// The source package from the qualifiers that other tools write: `upstream=glibc@2.36-9` (Syft), a source RPM's file
    /// name, `source=glibc`. Debian's and Alpine's packages that name none are their own.
    fn source(&self, kind: PackageKind, name: &str, version: &str) -> Option<SourcePackage> {
        let of = |name: &str, version: &str| {
            Some(SourcePackage {
                name: name.to_owned(),
                version: version.to_owned(),
            })
        };
        let stated = self.qualifier("upstream").or_else(|| self.qualifier("source"));
        match (kind, stated) {
            (PackageKind::Rpm, Some(file)) => {
                let stem = file.strip_suffix(".src.rpm").unwrap_or(file);
                let (rest, release) = stem.rsplit_once('-')?;
                let (name, upstream) = rest.rsplit_once('-')?;
                of(name, &format!("{upstream}-{release}"))
            }
            (PackageKind::Dpkg | PackageKind::Apk, Some(stated)) => match stated.split_once('@') {
                Some((name, version)) => of(name, version),
                None => of(stated, self.qualifier("source_version").unwrap_or(version)),
            },
            (PackageKind::Dpkg | PackageKind::Apk, None) => of(name, version),
            _ => None,
        }
    }
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let (digits, tail) = rest.split_at_checked(2)?;
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        bytes.push(digit(digits[0])? << 4 | digit(digits[1])?);
        rest = tail;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(PackageKind, String, String, Option<String>)> {
        let purl = Purl::parse(text)?;
        let package = purl.package(purl.package_kind()?, text);
        let source = package
            .source
            .map(|source| format!("{} {}", source.name, source.version));
        Some((package.kind, package.name, package.version, source))
    }

    #[test]
    fn names_versions_and_sources() {
        for (text, kind, name, version, source) in [
            (
                "pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12&upstream=glibc",
                PackageKind::Dpkg,
                "libc6",
                "2.36-9",
                "glibc 2.36-9",
            ),
            (
                "pkg:deb/debian/libgcc-s1@12.2.0-14?upstream=gcc-12%4012.2.1-1",
                PackageKind::Dpkg,
                "libgcc-s1",
                "12.2.0-14",
                "gcc-12 12.2.1-1",
            ),
            (
                "pkg:deb/debian/zlib1g@1%3A1.2.13",
                PackageKind::Dpkg,
                "zlib1g",
                "1:1.2.13",
                "zlib1g 1:1.2.13",
            ),
            (
                "pkg:rpm/rhel/openssl-libs@3.0.7-6.el9?epoch=1&upstream=openssl-3.0.7-6.el9.src.rpm",
                PackageKind::Rpm,
                "openssl-libs",
                "1:3.0.7-6.el9",
                "openssl 3.0.7-6.el9",
            ),
            (
                "pkg:npm/%40angular/core@12.0.0",
                PackageKind::Npm,
                "@angular/core",
                "12.0.0",
                "",
            ),
            ("pkg:npm/@types/node@1.0", PackageKind::Npm, "@types/node", "1.0", ""),
            ("pkg:npm/@types/node", PackageKind::Npm, "@types/node", "", ""),
            (
                "pkg:golang/github.com/a/b@v1.2.3#sub/path",
                PackageKind::Go,
                "github.com/a/b",
                "v1.2.3",
                "",
            ),
            (
                "pkg:maven/org.apache/commons@1.0?type=jar",
                PackageKind::Maven,
                "org.apache:commons",
                "1.0",
                "",
            ),
        ] {
            let source = (!source.is_empty()).then(|| source.to_owned());
            assert_eq!(
                read(text),
                Some((kind, name.to_owned(), version.to_owned(), source)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_package_url_is_none() {
        for text in [
            "",
            "pkg:",
            "pkg:npm",
            "pkg:npm/",
            "npm/x@1",
            "pkg:npm/%zz@1",
            "pkg:npm/%4",
            "pkg:npm/%ff@1",
        ] {
            assert_eq!(Purl::parse(text), None, "{text}");
        }
        assert_eq!(read("pkg:docker/library/redis@7"), None);
    }
}
