//! eStargz layers (containerd/stargz-snapshotter, docs/estargz.md): entries in, those of the image out. The table of
//! contents and the marks for prefetching are members of the tar, but lazy pullers do not show them in a container.

use super::{Entries, LayerEntry};

/// Table of contents: the last member, and the sign that a layer is of this kind.
const CONTENTS: &str = "/stargz.index.json";
/// Where the files end that are wanted first, or that none is.
const MARKS: [&str; 2] = ["/.prefetch.landmark", "/.no.prefetch.landmark"];

/// Takes out what is not the image's.
pub(super) fn drop_own_files(entries: &mut Entries) {
    // Behind it there is nothing, so that a file of this name elsewhere is a file.
    if entries.last_path() != CONTENTS {
        return;
    }
    let last = entries.len() - 1;
    entries.retain(|index, entry| match entry {
        _ if index == last => false,
        LayerEntry::File { entry, .. } => !MARKS.contains(&entry.path.as_str()),
        LayerEntry::HardLink { .. } => true,
    });
}
