//! Packages and the list of them: what a scan recognised in an image.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::PathList;

/// A component of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// What manages it.
    pub kind: PackageKind,
    /// Name as its package manager knows it: `libc6`.
    pub name: String,
    /// Version as its package manager writes it, epoch included: `1:7.0.15-1~deb12u5`.
    pub version: String,
    /// `amd64`, `all`, …; `None` where the ecosystem has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// The source package it was built from; `None` where source and binary are the same thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourcePackage>,
    /// Package URL (<https://github.com/package-url/purl-spec>), with qualifiers.
    pub purl: String,
    /// Index into [`crate::ScanReport::layers`] of the layer that brought this version of it.
    pub layer: u32,
    /// The file that says the package is there: `/var/lib/dpkg/status`.
    pub evidence_path: String,
    /// Absolute paths that it owns, sorted. Empty when the ecosystem does not record them.
    pub files: PathList,
    /// Licences: SPDX expressions where they can be read as such, else as stated. Several are not said to be `AND` or `OR`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub licences: Vec<String>,
    /// Who maintains it, as stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintainer: Option<String>,
    /// Index of the operating system's package that owns this one's files (a Python module from a `.deb`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<u32>,
    /// `cpe:2.3:…` names (NISTIR 7695) by which vulnerability records without package URLs know it, for software that was
    /// recognised by its bytes. Empty for packages of a package manager, whose purl says more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cpes: Vec<String>,
}

impl Package {
    /// A package of which nothing else is known: no purl, no files, brought by the first layer.
    pub fn new(kind: PackageKind, name: impl Into<String>, version: impl Into<String>) -> Self {
        Self {
            kind,
            name: name.into(),
            version: version.into(),
            architecture: None,
            source: None,
            purl: String::new(),
            layer: 0,
            evidence_path: String::new(),
            files: PathList::default(),
            licences: Vec::new(),
            maintainer: None,
            owner: None,
            cpes: Vec::new(),
        }
    }
}

/// The source package of a binary package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourcePackage {
    /// `glibc` for `libc6`.
    pub name: String,
    /// Its version, which may differ from the binary's.
    pub version: String,
}

/// Package managers and language ecosystems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PackageKind {
    /// Debian and its children.
    Dpkg,
    /// Alpine and its children.
    Apk,
    /// RPM distributions.
    Rpm,
    /// Arch Linux and its children.
    Pacman,
    /// Gentoo and its children.
    Portage,
    /// OpenWrt and other small systems.
    Opkg,
    /// PyPI.
    Python,
    /// npm.
    Npm,
    /// RubyGems.
    Gem,
    /// Maven Central.
    Maven,
    /// Go modules.
    Go,
    /// crates.io.
    Cargo,
    /// NuGet.
    Nuget,
    /// Packagist.
    Composer,
    /// Conda channels.
    Conda,
    /// pub.dev.
    Dart,
    /// Hex, of Elixir and Erlang.
    Hex,
    /// Swift packages and CocoaPods.
    Swift,
    /// Hackage.
    Haskell,
    /// CRAN and other repositories of R.
    R,
    /// LuaRocks.
    Lua,
    /// ConanCenter.
    Conan,
    /// vcpkg's ports.
    Vcpkg,
    /// WordPress, its plugins and themes.
    Wordpress,
    /// Recognised by its bytes alone, without a package manager.
    Binary,
}

impl PackageKind {
    /// Whether a distribution's package manager brought the package.
    pub const fn is_of_os(self) -> bool {
        matches!(
            self,
            Self::Dpkg | Self::Apk | Self::Rpm | Self::Pacman | Self::Portage | Self::Opkg
        )
    }

    /// Its name in documents and rules: `dpkg`, as serde writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dpkg => "dpkg",
            Self::Apk => "apk",
            Self::Rpm => "rpm",
            Self::Pacman => "pacman",
            Self::Portage => "portage",
            Self::Opkg => "opkg",
            Self::Python => "python",
            Self::Npm => "npm",
            Self::Gem => "gem",
            Self::Maven => "maven",
            Self::Go => "go",
            Self::Cargo => "cargo",
            Self::Nuget => "nuget",
            Self::Composer => "composer",
            Self::Conda => "conda",
            Self::Dart => "dart",
            Self::Hex => "hex",
            Self::Swift => "swift",
            Self::Haskell => "haskell",
            Self::R => "r",
            Self::Lua => "lua",
            Self::Conan => "conan",
            Self::Vcpkg => "vcpkg",
            Self::Wordpress => "wordpress",
            Self::Binary => "binary",
        }
    }
}

/// `/etc/os-release` (os-release(5)), as far as matching needs it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OsRelease {
    /// `ID`: `debian`.
    pub id: String,
    /// `VERSION_ID`: `12`; empty on rolling distributions.
    pub version_id: String,
    /// `VERSION_CODENAME`: `bookworm`; may be empty.
    pub version_codename: String,
    /// `ID_LIKE`, split at blanks.
    pub id_like: Vec<String>,
    /// `PRETTY_NAME`, hostile text.
    pub pretty_name: String,
}

/// Software bill of materials: what the image is made of.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sbom {
    /// `None` when the image has no os-release (scratch, distroless without base files).
    pub os: Option<OsRelease>,
    /// Sorted by kind, name, version, evidence path. Other documents refer to packages by their index here.
    pub packages: Vec<Package>,
}
