//! `rootfs:PATH`: the root of a system in, as an image of one layer out; other file systems mounted in it are left out.

use std::path::Path;

use super::{Found, ImageSource, Probe, SourceOptions, folder::FolderImage};
use crate::{error::ScanError, folder::Mounts};

/// A folder with a system in it.
pub(super) struct RootFs;

/// What only the root of a system has.
const SIGNS: &[&str] = &[
    "etc/os-release",
    "usr/lib/os-release",
    "var/lib/dpkg/status",
    "lib/apk/db/installed",
];

impl ImageSource for RootFs {
    fn scheme(&self) -> &'static str {
        "rootfs"
    }

    fn recognises(&self, probe: &Probe) -> bool {
        probe.is_folder() && SIGNS.iter().any(|sign| probe.has(sign))
    }

    fn open(&self, location: &str, _options: &SourceOptions) -> Result<Found, ScanError> {
        let image = FolderImage::open(Path::new(location), Mounts::Skip, false)?;
        Ok(Found::Image(Box::new(image)))
    }
}
