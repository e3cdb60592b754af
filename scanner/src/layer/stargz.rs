//! eStargz layers (containerd/stargz-snapshotter, docs/estargz.md): entries in, those of the image out. The table of
//! contents and the marks for prefetching are members of the tar, but lazy pullers do not show them in a container.

use super::LayerEntry;

/// Table of contents: the last member, and the sign that a layer is of this kind.
const CONTENTS: &str = "/stargz.index.json";
/// Where the files end that are wanted first, or that none is.
const MARKS: [&str; 2] = ["/.prefetch.landmark", "/.no.prefetch.landmark"];

/// Takes out what is not the image's.
pub(super) fn drop_own_files(entries: &mut Vec<LayerEntry>) {
    let path = |entry: &LayerEntry| match entry {
        LayerEntry::File { entry, .. } | LayerEntry::HardLink { entry, .. } => entry.path.clone(),
    };
    // Behind it there is nothing, so that a file of this name elsewhere is a file.
    if entries.last().is_none_or(|last| path(last) != CONTENTS) {
        return;
    }
    entries.pop();
    entries.retain(|entry| match entry {
        LayerEntry::File { entry, .. } => !MARKS.contains(&entry.path.as_str()),
        LayerEntry::HardLink { .. } => true,
    });
}
