//! Packages with the lists of their files in, all paths in one order with the package that claims each out. Nothing but one
//! path of each list is held at a time: all of them together would be the largest thing that a scan has.

use std::{
    cmp::Ordering,
    collections::{BinaryHeap, binary_heap::PeekMut},
};

use plimsoll_model::{Package, PathWalk};

/// Claims in the order of paths, then of packages. The list of every package is sorted ([`Package::files`]).
pub(super) struct Claims<'a>(BinaryHeap<Claim<'a>>);

struct Claim<'a> {
    paths: PathWalk<'a>,
    package: u32,
}

impl<'a> Claims<'a> {
    /// Of the packages from this index on.
    pub(super) fn new(packages: &'a [Package], from: usize) -> Self {
        let lists = packages.iter().enumerate().skip(from).filter_map(|(index, package)| {
            let mut paths = package.files.walk();
            let package = u32::try_from(index).expect("MAX_PACKAGES fits");
            paths.next().is_some().then_some(Claim { paths, package })
        });
        Self(lists.collect())
    }
}

impl Iterator for Claims<'_> {
    type Item = (String, u32);

    fn next(&mut self) -> Option<(String, u32)> {
        let mut first = self.0.peek_mut()?;
        let claim = (first.paths.current().to_owned(), first.package);
        if first.paths.next().is_none() {
            PeekMut::pop(first);
        }
        Some(claim)
    }
}

/// The greatest is the first in the order of paths.
impl Ord for Claim<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_path = other.paths.current().cmp(self.paths.current());
        by_path.then_with(|| other.package.cmp(&self.package))
    }
}

impl PartialOrd for Claim<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Claim<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Claim<'_> {}

#[cfg(test)]
mod tests {
    use plimsoll_model::PackageKind;

    use super::*;

    #[test]
    fn paths_of_all_packages_come_in_one_order() {
        let packages = [&["/z"][..], &["/a", "/b", "/d"], &[], &["/a", "/c"]].map(|files| Package {
            files: files.iter().collect(),
            ..Package::new(PackageKind::Dpkg, "demo", "1")
        });
        let found: Vec<(String, u32)> = Claims::new(&packages, 1).collect();
        let expected = [("/a", 1), ("/a", 3), ("/b", 1), ("/c", 3), ("/d", 1)];
        assert_eq!(found, expected.map(|(path, package)| (path.to_owned(), package)));
    }
}
