//! Catalogers: merged tree in, operating system and packages out. One file each; [`ALL`] lists them.

mod apk;
pub(crate) mod binary;
mod claims;
mod composer;
mod conan;
mod conda;
mod dart;
mod dpkg;
mod gem;
mod go;
mod haskell;
mod hex;
mod language;
mod lockfile;
mod lua;
mod maven;
mod npm;
mod nuget;
mod opkg;
mod os_release;
mod pacman;
mod paragraphs;
mod portage;
mod python;
mod r;
pub(crate) mod rpm;
mod rust;
mod swift;
mod vcpkg;
mod wordpress;

use plimsoll_model::{Note, NoteKind, OsRelease, Package, PackageKind, Sbom};

use self::claims::Claims;
use crate::{Tree, limits::MAX_PACKAGES, merge::Versions};

/// Finds packages of one kind.
pub trait Cataloger: Sync {
    /// Stable name for documents and logs: `dpkg`.
    fn name(&self) -> &'static str;

    /// Whether [`Self::catalog`] needs the content of the file at this path; asked once per file, so it must be cheap.
    fn wants(&self, path: &str) -> Option<Want>;

    /// What the image has. `input.tree` holds the contents that [`Self::wants`] asked for.
    fn catalog(&self, input: &Input<'_>) -> Catalog;
}

/// Which content a cataloger needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Want {
    /// What the container sees, but only where the target is a folder of sources and no image.
    OfSources,
    /// What the container sees.
    Newest,
    /// Every layer's version: a package belongs to the layer whose version first had it.
    EveryVersion,
}

/// What catalogers read.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The merged tree.
    pub tree: &'a Tree,
    /// Contents asked for with [`Want::EveryVersion`], base first, with the layer's index.
    pub versions: &'a Versions,
    /// Whether the target is a folder of sources: what it declares counts, not only what is installed in it.
    pub is_source_tree: bool,
    /// What an earlier cataloger said of the operating system; `None` when there is no os-release.
    pub os: Option<&'a OsRelease>,
}

/// What a cataloger found.
#[derive(Debug, Default)]
pub struct Catalog {
    /// The operating system; `None` from all catalogers but `os_release`.
    pub os: Option<OsRelease>,
    /// Packages in any order.
    pub packages: Vec<Package>,
    /// What could not be read.
    pub notes: Vec<Note>,
}

/// All catalogers. `os_release` comes first: package URLs name the distribution.
pub const ALL: &[&dyn Cataloger] = &[
    &os_release::OsReleaseCataloger,
    &dpkg::Dpkg,
    &apk::Apk,
    &rpm::Rpm,
    &pacman::Pacman,
    &portage::Portage,
    &opkg::Opkg,
    &python::Python,
    &npm::Npm,
    &gem::Gem,
    &go::Go,
    &nuget::Nuget,
    &composer::Composer,
    &maven::Maven,
    &rust::Rust,
    &lockfile::Lockfiles,
    &conda::Conda,
    &dart::Dart,
    &hex::Hex,
    &swift::Swift,
    &haskell::Haskell,
    &r::R,
    &lua::Lua,
    &conan::Conan,
    &vcpkg::Vcpkg,
    &wordpress::Wordpress,
    &binary::Binary,
];

/// The most that any cataloger wants of a file.
pub(crate) fn wants(path: &str) -> Option<Want> {
    ALL.iter().filter_map(|cataloger| cataloger.wants(path)).max()
}

/// Runs all catalogers and writes into the tree which package owns which file.
pub(crate) fn run(tree: &mut Tree, versions: &Versions, is_source_tree: bool, notes: &mut Vec<Note>) -> Sbom {
    let mut sbom = Sbom::default();
    for cataloger in ALL {
        let catalog = cataloger.catalog(&Input {
            tree,
            versions,
            is_source_tree,
            os: sbom.os.as_ref(),
        });
        tracing::debug!(
            cataloger = cataloger.name(),
            packages = catalog.packages.len(),
            "cataloged"
        );
        sbom.os = sbom.os.or(catalog.os);
        sbom.packages.extend(catalog.packages);
        notes.extend(catalog.notes);
    }
    if sbom.packages.len() > MAX_PACKAGES {
        let detail = format!("image has more than {MAX_PACKAGES} packages");
        notes.push(Note::new(NoteKind::Limit, "packages", detail));
        sbom.packages.truncate(MAX_PACKAGES);
    }
    sbom.packages.sort_by(|a, b| sort_key(a).cmp(&sort_key(b)));
    sbom.packages.dedup_by(|a, b| sort_key(a) == sort_key(b));
    let recognised = own_recognised(tree, &mut sbom.packages);
    own_files(tree, &sbom.packages, recognised);
    own_packages(tree, &mut sbom.packages);
    if sbom.os.is_none() && sbom.packages.is_empty() {
        let detail = "neither an operating system nor a package was recognised".to_owned();
        notes.push(Note::new(NoteKind::Unrecognised, "image", detail));
    }
    sbom
}

/// The order of packages, by which equal ones are found.
pub(crate) fn sort_key(package: &Package) -> impl Ord + '_ {
    (
        package.kind,
        &package.name,
        &package.version,
        &package.evidence_path,
        &package.architecture,
    )
}

/// Package managers name paths as they unpacked them: `/bin/ls` is `/usr/bin/ls` where `/bin` is a link.
fn own_files(tree: &mut Tree, packages: &[Package], from: usize) {
    let count = packages[from..].iter().map(|package| package.files.len()).sum();
    let unknown = tree.own(Claims::new(packages, from), count);
    // In order, so that those of one folder follow one another.
    let mut last: Option<(&str, Option<String>)> = None;
    let mut real = Vec::new();
    for (path, package) in &unknown {
        let Some((folder, name)) = path.rsplit_once('/') else {
            continue;
        };
        if last.as_ref().is_none_or(|(last, _)| *last != folder) {
            last = Some((folder, tree.resolve_path(folder)));
        }
        if let Some((_, Some(found))) = &last
            && found != folder
        {
            real.push((format!("{found}/{name}"), *package));
        }
    }
    if !real.is_empty() {
        real.sort_unstable();
        let count = real.len();
        tree.own(real.into_iter(), count);
    }
}

/// Packages of package managers own their files first. What was recognised by its bytes alone and belongs to a package of the
/// system, or of Conda, is that package, and recorded already. Returns where those begin that remain.
fn own_recognised(tree: &mut Tree, packages: &mut Vec<Package>) -> usize {
    // The kind sorts last.
    let first = packages.partition_point(|package| package.kind < PackageKind::Binary);
    let recognised = packages.split_off(first);
    own_files(tree, packages, 0);
    let is_known = |path: &str| {
        let owner = tree.get(path).and_then(|entry| entry.package);
        let kind = owner
            .and_then(|owner| packages.get(owner as usize))
            .map(|owner| owner.kind);
        kind.is_some_and(|kind| kind.is_of_os() || kind == PackageKind::Conda)
    };
    let unknown = recognised.into_iter().filter_map(|mut package| {
        package.files.retain(|path| !is_known(path));
        let evidence = package.files.first()?;
        package.layer = tree.get(evidence)?.layer;
        package.evidence_path = evidence.to_owned();
        Some(package)
    });
    let unknown: Vec<Package> = unknown.collect();
    packages.extend(unknown);
    first
}

/// A package of a programming language whose own description came with a package of the operating system belongs to that
/// one: both are recorded, once each, and the latter's version says what was patched.
fn own_packages(tree: &Tree, packages: &mut [Package]) {
    for index in 0..packages.len() {
        // An archive within an archive came with the outermost one.
        let evidence = &packages[index].evidence_path;
        let file = evidence.split_once("!/").map_or(evidence.as_str(), |(file, _)| file);
        let owner = tree.get(file).and_then(|entry| entry.package);
        if let Some(owner) = owner
            && !packages[index].kind.is_of_os()
            && packages[owner as usize].kind.is_of_os()
        {
            packages[index].owner = Some(owner);
        }
    }
}
