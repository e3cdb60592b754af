//! `oci:PATH[:TAG]`: a folder with an OCI image layout in, an image out.

use super::{Found, ImageSource, Probe, SourceOptions};
use crate::{
    error::ScanError,
    layout::{Files, LayoutImage, split_tag},
};

/// An OCI image layout in a folder.
pub(super) struct OciLayout;

impl ImageSource for OciLayout {
    fn scheme(&self) -> &'static str {
        "oci"
    }

    fn recognises(&self, probe: &Probe) -> bool {
        probe.is_folder() && probe.has("index.json") && probe.has("blobs")
    }

    fn open(&self, location: &str, options: &SourceOptions) -> Result<Found, ScanError> {
        let (path, tag) = split_tag(location);
        if !path.is_dir() {
            return Err(ScanError::Open {
                path: path.to_owned(),
                source: match path.exists() {
                    true => std::io::ErrorKind::NotADirectory.into(),
                    false => std::io::ErrorKind::NotFound.into(),
                },
            });
        }
        let files = Files::Folder(path.to_owned());
        let image = LayoutImage::open(files, location, tag, options.platform.as_ref())?;
        Ok(Found::Image(Box::new(image)))
    }
}
