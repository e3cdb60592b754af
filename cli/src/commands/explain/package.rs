//! A package and a report in, all that is known of the package, besides its vulnerabilities, out.

use plimsoll_model::{Package, ScanReport};

use super::{Block, is_called, package_lines, reach};
use crate::{commands::db, exit::Failure};

/// Packages of this name, package URL or source.
pub(super) fn called<'r>(name: &str, report: &'r ScanReport) -> Vec<&'r Package> {
    report
        .sbom
        .packages
        .iter()
        .filter(|package| is_called(package, name))
        .collect()
}

pub(super) fn explain(package: &Package, report: &ScanReport) -> Result<String, Failure> {
    let title = format!("{} {}", package.name, package.version);
    let mut block = Block(format!("{}\n", crate::exit::escape(&title)));
    block.line("kind", &db::word(package.kind)?);
    block.line("purl", &package.purl);
    if let Some(source) = &package.source {
        block.line("source", &format!("{} {}", source.name, source.version));
    }
    block.line("licences", &package.licences.join("; "));
    block.line("maintainer", package.maintainer.as_deref().unwrap_or_default());
    if let Some(owner) = package.owner.and_then(|index| report.sbom.packages.get(index as usize)) {
        block.line("came with", &format!("{} {}", owner.name, owner.version));
    }
    package_lines(&mut block, package, report);
    let index = report
        .sbom
        .packages
        .iter()
        .position(|other| std::ptr::eq(other, package));
    let index = index.and_then(|index| u32::try_from(index).ok());
    if let Some(reach) = index.and_then(|index| reach::of_package(index, report)) {
        block.line("ladder", &format!("{}: {}", reach.rung, reach.because));
    }
    let count = report.matches.as_ref().map(|matches| {
        let of_it = matches.iter().filter(|found| Some(found.package) == index);
        of_it.count()
    });
    block.line(
        "vulnerable",
        &match count {
            None => "not looked for".to_owned(),
            Some(0) => "no known vulnerability".to_owned(),
            Some(count) => format!("{count} known vulnerabilities"),
        },
    );
    Ok(block.0)
}
