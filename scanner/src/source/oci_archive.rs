//! `oci-archive:PATH[:TAG]`: a tar file with an OCI image layout in, an image out.

use super::{Found, ImageSource, Probe, SourceOptions};
use crate::{
    archive::Archive,
    error::ScanError,
    layout::{Files, LayoutImage, split_tag},
};

/// An OCI image layout in a tar file.
pub(super) struct OciArchive;

impl ImageSource for OciArchive {
    fn scheme(&self) -> &'static str {
        "oci-archive"
    }

    fn recognises(&self, probe: &Probe) -> bool {
        probe.is_file() && probe.has("index.json") && !probe.has("manifest.json")
    }

    fn open(&self, location: &str, options: &SourceOptions) -> Result<Found, ScanError> {
        let (path, tag) = split_tag(location);
        let files = Files::Archive(Archive::open(path)?);
        let image = LayoutImage::open(files, location, tag, options.platform.as_ref())?;
        Ok(Found::Image(Box::new(image)))
    }
}
