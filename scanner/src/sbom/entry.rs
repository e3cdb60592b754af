//! Components of any format in, packages in a scan's order out, with what could not be mapped.

use std::collections::HashMap;

use plimsoll_model::{Note, NoteKind, OsRelease, Package, PackageKind, Sbom, SourcePackage};
use serde::Deserialize;

use super::purl::Purl;
use crate::{cataloger, limits::MAX_PACKAGES};

/// One component as a document states it.
#[derive(Debug, Default)]
pub(super) struct Component {
    /// How the document refers to it.
    pub(super) id: String,
    pub(super) name: String,
    pub(super) version: String,
    pub(super) purl: String,
    pub(super) cpes: Vec<String>,
    pub(super) licences: Vec<String>,
    pub(super) maintainer: Option<String>,
    pub(super) files: Vec<String>,
    /// The component that it came with.
    pub(super) owner: Option<String>,
    /// What we wrote ourselves.
    pub(super) ours: Ours,
}

/// What our own documents say of a package besides its package URL.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Ours {
    pub(super) kind: Option<PackageKind>,
    pub(super) evidence: String,
    pub(super) source: Option<SourcePackage>,
}

/// All components of a document.
#[derive(Debug, Default)]
pub(super) struct Entries {
    pub(super) os: Option<OsRelease>,
    pub(super) notes: Vec<Note>,
    packages: Vec<(String, Option<String>, Package)>,
    /// From the package URLs of the operating system's packages: `debian-12`.
    distro: Option<String>,
}

impl Entries {
    /// Takes a component; one that is no package that we know leaves a note.
    pub(super) fn add(&mut self, component: Component) {
        if self.packages.len() >= MAX_PACKAGES {
            let detail = format!("it names more than {MAX_PACKAGES} packages");
            self.notes.push(Note::new(NoteKind::Limit, "SBOM", detail));
            return;
        }
        let purl = Purl::parse(&component.purl);
        let kind = component
            .ours
            .kind
            .or_else(|| purl.as_ref()?.package_kind())
            // What has a CPE name only was recognised by its bytes.
            .or((component.purl.is_empty() && !component.cpes.is_empty()).then_some(PackageKind::Binary));
        let Some(kind) = kind else {
            let detail = match component.purl.as_str() {
                "" => "it has neither a package URL nor a CPE name: not looked up".to_owned(),
                purl => format!("no kind of package that is known: {purl}"),
            };
            let subject = format!("{} {}", component.name, component.version);
            self.notes
                .push(Note::new(NoteKind::Unsupported, subject.trim_end(), detail));
            return;
        };
        let mut package = match &purl {
            Some(purl) => purl.package(kind, &component.purl),
            None => nameless(kind, &component.purl),
        };
        if component.ours.kind.is_some() || purl.is_none() {
            (package.name, package.version) = (component.name, component.version);
            package.source = component.ours.source;
            package.evidence_path = component.ours.evidence;
        }
        if package.version.is_empty() {
            let detail = "it has no version: not looked up";
            self.notes
                .push(Note::new(NoteKind::Unsupported, package.name.as_str(), detail));
        }
        if kind.is_of_os() && self.distro.is_none() {
            self.distro = purl.as_ref().and_then(distro);
        }
        package.licences = component.licences;
        package.maintainer = component.maintainer;
        let mut files = component.files;
        files.sort();
        package.files = files.into();
        if kind == PackageKind::Binary {
            package.cpes = component.cpes;
        }
        self.packages.push((component.id, component.owner, package));
    }

    /// Everything in the order that a scan has.
    pub(super) fn finish(mut self) -> (Sbom, Vec<Note>) {
        self.packages
            .sort_by(|(_, _, a), (_, _, b)| cataloger::sort_key(a).cmp(&cataloger::sort_key(b)));
        self.packages
            .dedup_by(|(_, _, a), (_, _, b)| cataloger::sort_key(a) == cataloger::sort_key(b));
        let ids: HashMap<&str, u32> = (0..)
            .zip(&self.packages)
            .map(|(index, (id, _, _))| (id.as_str(), index))
            .collect();
        let owners: Vec<Option<u32>> = self
            .packages
            .iter()
            .map(|(_, owner, _)| ids.get(owner.as_deref()?).copied())
            .collect();
        let mut packages: Vec<Package> = self.packages.into_iter().map(|(_, _, package)| package).collect();
        for (index, owner) in owners.into_iter().enumerate() {
            packages[index].owner = owner.filter(|owner| packages[*owner as usize].kind.is_of_os());
        }
        let os = self.os.or_else(|| {
            let distro = self.distro?;
            let (id, version) = distro.rsplit_once('-').unwrap_or((&distro, ""));
            Some(OsRelease {
                id: id.to_owned(),
                version_id: version.to_owned(),
                ..OsRelease::default()
            })
        });
        (Sbom { os, packages }, self.notes)
    }
}

/// `debian-12`, or the namespace alone.
fn distro(purl: &Purl) -> Option<String> {
    let stated = purl.qualifier("distro").map(str::to_owned);
    stated.or_else(|| purl.namespace.first().cloned())
}

fn nameless(kind: PackageKind, purl: &str) -> Package {
    Package {
        purl: purl.to_owned(),
        ..Package::new(kind, "", "")
    }
}
