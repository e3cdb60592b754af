//! Names of ecosystems and packages: what feeds and images write in, one spelling out.

use plimsoll_model::{OsRelease, Package, PackageKind};

use crate::version::{self, Scheme};

/// The ecosystem of software that is known by CPE names only; its packages are called `vendor:product`.
pub(crate) const CPE: &str = "CPE";

/// Vendor, product and version of a `cpe:2.3:` name (NISTIR 7695), without their escapes; the version is empty where the
/// name leaves it open.
pub(crate) struct CpeName {
    pub(crate) part: String,
    pub(crate) package: String,
    pub(crate) version: String,
    /// Update, edition, language, software edition and what it runs on.
    pub(crate) rest: Vec<String>,
}

impl CpeName {
    /// `None` when the text is no such name, or names no product.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts: Vec<String> = vec![String::new()];
        let mut is_escaped = false;
        for c in text.strip_prefix("cpe:2.3:")?.chars() {
            match c {
                '\\' if !is_escaped => {
                    is_escaped = true;
                    continue;
                }
                ':' if !is_escaped => parts.push(String::new()),
                _ => parts.last_mut()?.push(c),
            }
            is_escaped = false;
        }
        let [part, vendor, product, version, rest @ ..] = parts.as_slice() else {
            return None;
        };
        let is_open = |text: &String| matches!(text.as_str(), "" | "*" | "-");
        (!is_open(vendor) && !is_open(product)).then(|| Self {
            part: part.clone(),
            package: format!("{vendor}:{product}").to_lowercase(),
            version: if version == "*" { String::new() } else { version.clone() },
            rest: rest.to_vec(),
        })
    }
}

/// Of which module a package was built as a part.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Module {
    /// Of none.
    None,
    /// `nodejs:18`.
    Stream(String),
    /// Of one that nobody says: the Sbom of a tool that leaves it out.
    Unknown,
}

impl Module {
    /// By RPM's label in the package URL, else by the release.
    pub(crate) fn of(package: &Package) -> Self {
        if package.kind != PackageKind::Rpm {
            return Self::None;
        }
        let label = crate::purl::qualifier(&package.purl, "rpmmod").unwrap_or_default();
        let mut parts = label.split(':');
        match (parts.next(), parts.next()) {
            (Some(name), Some(stream)) if !name.is_empty() => Self::Stream(format!("{name}:{stream}")),
            _ if crate::feed::is_of_module(&package.version) => Self::Unknown,
            _ => Self::None,
        }
    }

    /// Whether what an advisory says of these streams (apart by blanks; `None`: of the build that is of no module) is
    /// about the package. What cannot be told apart is taken to be about it.
    pub(crate) fn is_meant(&self, streams: Option<&str>) -> bool {
        match (self, streams) {
            (Self::None, streams) => streams.is_none(),
            (_, None) => false,
            (Self::Unknown, Some(_)) | (_, Some("")) => true,
            (Self::Stream(own), Some(streams)) => streams.split(' ').any(|stream| stream == own),
        }
    }
}

/// An ecosystem as the database spells it, from OSV's spelling. Distributions carry their release; channels of one
/// release (Ubuntu Pro, Red Hat's repositories) fall together.
pub(crate) fn canonical(osv: &str) -> String {
    let (name, release) = osv.split_once(':').unwrap_or((osv, ""));
    let release = match name {
        // `Red Hat:enterprise_linux:9::appstream`
        "Red Hat" => match release.strip_prefix("enterprise_linux:") {
            Some(rest) => major(rest.split(':').next().unwrap_or(rest)),
            None => release,
        },
        // `Ubuntu:Pro:18.04:LTS`
        "Ubuntu" => release
            .split(':')
            .find(|part| part.starts_with(|c: char| c.is_ascii_digit()))
            .unwrap_or(release),
        // `SUSE:Linux Enterprise Module for Basesystem 15 SP5` is a part of release 15.5.
        "SUSE" => return format!("SUSE:{}", suse_release(release)),
        "AlmaLinux" | "Rocky Linux" | "Debian" | "Oracle Linux" => major(release),
        _ => release,
    };
    if release.is_empty() {
        name.to_owned()
    } else {
        format!("{name}:{release}")
    }
}

fn suse_release(product: &str) -> String {
    let words: Vec<&str> = product.split(' ').collect();
    match words.as_slice() {
        [.., version, pack] if pack.starts_with("SP") => format!("{version}.{}", &pack[2..]),
        [.., version] => (*version).to_owned(),
        [] => String::new(),
    }
}

fn major(release: &str) -> &str {
    release.split('.').next().unwrap_or(release)
}

/// The ecosystem of an image's operating system; `None` for one whose advisories we know no name for.
pub(crate) fn of_os(os: &OsRelease) -> Option<String> {
    let version = os.version_id.as_str();
    Some(match os.id.as_str() {
        "debian" | "raspbian" => format!("Debian:{}", debian_release(os)?),
        "ubuntu" => format!("Ubuntu:{version}"),
        "alpine" => {
            let mut parts = version.splitn(3, '.');
            // `edge` images have a version such as `3.22_alpha20250108`.
            match (parts.next(), parts.next()) {
                (Some(first), Some(second)) if !second.contains('_') => format!("Alpine:v{first}.{second}"),
                _ => "Alpine:edge".to_owned(),
            }
        }
        "wolfi" => "Wolfi".to_owned(),
        "chainguard" => "Chainguard".to_owned(),
        "rhel" | "centos" => format!("Red Hat:{}", major(version)),
        "almalinux" => format!("AlmaLinux:{}", major(version)),
        "rocky" => format!("Rocky Linux:{}", major(version)),
        "ol" => format!("Oracle Linux:{}", major(version)),
        // The first Amazon Linux counts by years: 2018.03.
        "amzn" if version.contains('.') && version.starts_with("201") => "Amazon Linux:1".to_owned(),
        "amzn" => format!("Amazon Linux:{}", major(version)),
        "opensuse-leap" => format!("openSUSE:Leap {version}"),
        "sles" => format!("SUSE:{version}"),
        "arch" => "Arch Linux".to_owned(),
        _ => return None,
    })
}

/// Whether a system's own packages are of this kind. Package managers of others can be on any system (Entware's opkg, a
/// Gentoo prefix): advisories of the system do not speak of what those brought.
pub(crate) fn manages(os: Option<&OsRelease>, kind: PackageKind) -> bool {
    let is_arch = os.is_some_and(|os| os.id == "arch");
    match kind {
        PackageKind::Pacman => is_arch,
        PackageKind::Portage | PackageKind::Opkg => false,
        _ => !is_arch,
    }
}

/// Debian's release number. testing and unstable have a code name only.
fn debian_release(os: &OsRelease) -> Option<&str> {
    if !os.version_id.is_empty() {
        return Some(major(&os.version_id));
    }
    let codename = match os.version_codename.as_str() {
        // `PRETTY_NAME="Debian GNU/Linux forky/sid"` without a code name is unstable.
        "" => os.pretty_name.rsplit(' ').next()?.split('/').next()?,
        codename => codename,
    };
    debian_number(codename)
}

/// The number of a Debian release, from its code name.
pub(crate) fn debian_number(codename: &str) -> Option<&'static str> {
    Some(match codename {
        "stretch" => "9",
        "buster" => "10",
        "bullseye" => "11",
        "bookworm" => "12",
        "trixie" => "13",
        "forky" => "14",
        "duke" => "15",
        _ => return None,
    })
}

/// The ecosystem of packages that no distribution manages; `None` for the distributions' own kinds and for files that
/// were recognised by their bytes.
pub(crate) fn of_kind(kind: PackageKind) -> Option<&'static str> {
    Some(match kind {
        PackageKind::Python => "PyPI",
        PackageKind::Npm => "npm",
        PackageKind::Gem => "RubyGems",
        PackageKind::Maven => "Maven",
        PackageKind::Go => "Go",
        PackageKind::Cargo => "crates.io",
        PackageKind::Nuget => "NuGet",
        PackageKind::Composer => "Packagist",
        PackageKind::Dart => "Pub",
        PackageKind::Hex => "Hex",
        PackageKind::Swift => "SwiftURL",
        PackageKind::Haskell => "Hackage",
        PackageKind::R => "CRAN",
        PackageKind::Conan => "ConanCenter",
        _ => return None,
    })
}

/// A package's name as the database spells it.
pub(crate) fn package_name(ecosystem: &str, name: &str) -> String {
    match ecosystem {
        // PEP 503: runs of `-`, `_` and `.` are one `-`.
        "PyPI" => {
            let mut normal = String::with_capacity(name.len());
            for c in name.chars() {
                match c {
                    '-' | '_' | '.' if normal.ends_with('-') => {}
                    '-' | '_' | '.' => normal.push('-'),
                    _ => normal.extend(c.to_lowercase()),
                }
            }
            normal
        }
        "NuGet" | "Packagist" => name.to_lowercase(),
        _ => name.to_owned(),
    }
}

/// The order of an ecosystem's versions.
pub(crate) fn scheme(ecosystem: &str) -> &'static dyn Scheme {
    match ecosystem.split(':').next().unwrap_or(ecosystem) {
        "Debian" | "Ubuntu" => &version::Dpkg,
        "Alpine" | "Alpaquita" | "Chainguard" | "Wolfi" | "MinimOS" => &version::Apk,
        "Red Hat" | "AlmaLinux" | "Rocky Linux" | "Amazon Linux" | "Oracle Linux" | "SUSE" | "openSUSE"
        | "openEuler" | "Mageia" | "Azure Linux" | "Photon OS" => &version::Rpm,
        "Arch Linux" => &version::Pacman,
        "PyPI" => &version::Pep440,
        "npm" => &version::Npm,
        "RubyGems" => &version::Gem,
        "Maven" => &version::Maven,
        "Go" => &version::Go,
        "NuGet" => &version::Nuget,
        "Packagist" => &version::Composer,
        "Hex" => &version::Hex,
        CPE => &version::Cpe,
        "crates.io" | "Pub" | "SwiftURL" | "Bitnami" | "GitHub Actions" | "Julia" => &version::Semver,
        _ => &version::Generic,
    }
}

/// The packages and versions that a distribution's advisories speak of: Debian's and Alpine's of the source package;
/// those of RPM distributions of binary packages or of the source package.
pub(crate) fn compared(package: &Package) -> Vec<(String, String)> {
    let own = || (package.name.clone(), package.version.clone());
    let Some(source) = &package.source else {
        return vec![own()];
    };
    match package.kind {
        PackageKind::Dpkg => vec![renamed_source(&source.name, &source.version, &package.version)],
        PackageKind::Rpm if source.name != package.name => {
            vec![own(), (source.name.clone(), source.version.clone())]
        }
        PackageKind::Rpm => vec![own()],
        // Arch Linux speaks of binary packages.
        PackageKind::Pacman => vec![own()],
        _ => vec![(source.name.clone(), source.version.clone())],
    }
}

/// Signed copies are built from a source package of their own; advisories speak of the unsigned one.
fn renamed_source(name: &str, version: &str, binary_version: &str) -> (String, String) {
    // linux-signed-amd64 6.1.76+1 is made from linux 6.1.76-1; its binaries carry the latter.
    if name == "linux-signed" || name.starts_with("linux-signed-") {
        return ("linux".to_owned(), binary_version.to_owned());
    }
    // grub-efi-amd64-signed 1+2.06-13+deb12u1 is made from grub2 2.06-13+deb12u1.
    if name.starts_with("grub-efi-") && name.ends_with("-signed") {
        let unsigned = version.split_once('+').map_or(version, |(_, rest)| rest);
        return ("grub2".to_owned(), unsigned.to_owned());
    }
    (name.to_owned(), version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spells_ecosystems_one_way() {
        for (osv, expected) in [
            ("Debian:12", "Debian:12"),
            ("Debian:12.4", "Debian:12"),
            ("Ubuntu:22.04:LTS", "Ubuntu:22.04"),
            ("Ubuntu:Pro:18.04:LTS", "Ubuntu:18.04"),
            ("Red Hat:enterprise_linux:9::appstream", "Red Hat:9"),
            ("Rocky Linux:8", "Rocky Linux:8"),
            ("Alpine:v3.19", "Alpine:v3.19"),
            ("PyPI", "PyPI"),
            ("SUSE:Linux Enterprise Module for Basesystem 15 SP5", "SUSE:15.5"),
            ("SUSE:Linux Enterprise Server 12", "SUSE:12"),
            ("openSUSE:Leap 15.5", "openSUSE:Leap 15.5"),
        ] {
            assert_eq!(canonical(osv), expected, "{osv}");
        }
    }

    #[test]
    fn finds_the_release_of_an_image() {
        let os = |id: &str, version: &str, codename: &str, pretty: &str| OsRelease {
            id: id.to_owned(),
            version_id: version.to_owned(),
            version_codename: codename.to_owned(),
            pretty_name: pretty.to_owned(),
            id_like: Vec::new(),
        };
        for (release, expected) in [
            (os("debian", "12", "bookworm", ""), Some("Debian:12")),
            (os("debian", "", "trixie", ""), Some("Debian:13")),
            (os("debian", "", "", "Debian GNU/Linux forky/sid"), Some("Debian:14")),
            (os("alpine", "3.19.1", "", ""), Some("Alpine:v3.19")),
            (os("alpine", "3.22_alpha20250108", "", ""), Some("Alpine:edge")),
            (os("ubuntu", "22.04", "jammy", ""), Some("Ubuntu:22.04")),
            (os("rhel", "9.3", "", ""), Some("Red Hat:9")),
            (os("plan9", "4", "", ""), None),
        ] {
            assert_eq!(of_os(&release).as_deref(), expected, "{release:?}");
        }
    }

    #[test]
    fn signed_copies_are_judged_as_what_they_are_made_from() {
        for (name, version, binary, expected) in [
            ("linux-signed-amd64", "6.1.76+1", "6.1.76-1", ("linux", "6.1.76-1")),
            (
                "grub-efi-amd64-signed",
                "1+2.06-13+deb12u1",
                "1+2.06-13+deb12u1",
                ("grub2", "2.06-13+deb12u1"),
            ),
            ("openssl", "3.0.11-1", "3.0.11-1", ("openssl", "3.0.11-1")),
        ] {
            let (source, compared) = renamed_source(name, version, binary);
            assert_eq!((source.as_str(), compared.as_str()), expected);
        }
    }

    #[test]
    fn python_names_are_normalised() {
        assert_eq!(package_name("PyPI", "Zope.Interface__x"), "zope-interface-x");
        assert_eq!(package_name("npm", "JSONStream"), "JSONStream");
    }
}
