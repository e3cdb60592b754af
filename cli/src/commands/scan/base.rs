//! `--base` in, the image that another one was built on out.

use plimsoll_model::{BaseImage, ScanReport};
use plimsoll_scanner::{Target, base, source::SourceOptions};

use super::failure;
use crate::exit::Failure;

/// What `--base` means when it is no image.
const AUTO: &str = "auto";

/// Of the images given, the one that shares most layers; with `auto`, when none does, what the image itself tells.
/// `None` when nothing fits: that is said, and no error.
pub(super) fn find(
    asked: &[String],
    report: &ScanReport,
    options: &SourceOptions,
) -> Result<Option<BaseImage>, Failure> {
    let mut candidates = Vec::new();
    for reference in asked.iter().filter(|reference| *reference != AUTO) {
        let target = Target::parse(reference).map_err(failure)?;
        candidates.push((reference.clone(), base::diff_ids(&target, options).map_err(failure)?));
    }
    let found = base::by_layers(&report.image.diff_ids, &candidates).or_else(|| {
        let is_auto = asked.iter().any(|reference| reference == AUTO);
        is_auto
            .then(|| base::guess(&report.config, report.layers.len()))
            .flatten()
    });
    if found.is_none() && !asked.is_empty() {
        eprintln!(
            "no base image: the image shares no layer with {}",
            crate::exit::escape(&asked.join(", "))
        );
    }
    Ok(found)
}
