//! `sbom:PATH`: a file with a software bill of materials in (CycloneDX, SPDX, Syft), the scan that it stands for out.

use std::{fs::File, io::Read as _, path::Path};

use plimsoll_model::{Digest, ImageConfig, ImageIdentity, Note, NoteKind, Platform};
use sha2::{Digest as _, Sha256};

use super::{Found, ImageSource, Probe, SourceOptions};
use crate::{
    Tree,
    error::ScanError,
    limits::{MAX_SBOM_BYTES, MAX_SBOM_XML_BYTES, SBOM_PROBE_BYTES},
    sbom::{self, Format},
    scan::Scan,
};

/// What some tool said of an image.
pub(super) struct SbomFile;

impl ImageSource for SbomFile {
    fn scheme(&self) -> &'static str {
        "sbom"
    }

    fn recognises(&self, probe: &Probe) -> bool {
        probe.is_file() && start(&probe.path).is_ok_and(|start| Format::of(&start).is_some())
    }

    fn open(&self, location: &str, _: &SourceOptions) -> Result<Found, ScanError> {
        let path = Path::new(location);
        let failed = |source| ScanError::Open {
            path: path.to_owned(),
            source,
        };
        let format = Format::of(&start(path).map_err(failed)?).ok_or_else(|| ScanError::NotAnImage {
            what: location.to_owned(),
            reason: "it is neither CycloneDX nor SPDX 2 nor Syft's JSON".to_owned(),
        })?;
        let limit = match format {
            Format::CycloneDxXml => MAX_SBOM_XML_BYTES,
            _ => MAX_SBOM_BYTES,
        };
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(failed)?;
        file.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > limit {
            return Err(ScanError::Limit {
                what: location.to_owned(),
                limit: format!("{limit} bytes"),
            });
        }
        let read = sbom::read(format, &bytes).map_err(|reason| ScanError::Read {
            what: location.to_owned(),
            source: std::io::Error::new(std::io::ErrorKind::InvalidData, reason),
        })?;
        let mut notes = read.notes;
        let detail = "read from a bill of materials: nothing is known of files, configuration and behaviour";
        notes.push(Note::new(NoteKind::Hint, location, detail));
        // Whoever looks for the image's own report must not find this one, which knows less: it goes by the document.
        let config_digest = Digest::from_bytes(Sha256::digest(&bytes).into());
        Ok(Found::Scanned(Box::new(Scan {
            image: ImageIdentity {
                reference: format!("sbom:{location}"),
                manifest_digest: None,
                config_digest,
                diff_ids: Vec::new(),
                platform: Platform {
                    os: "linux".to_owned(),
                    architecture: "unknown".to_owned(),
                    variant: None,
                },
            },
            config: ImageConfig::default(),
            layers: Vec::new(),
            tree: Tree::default(),
            sbom: read.sbom,
            findings: Vec::new(),
            notes,
        })))
    }
}

fn start(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut start = Vec::new();
    File::open(path)?.take(SBOM_PROBE_BYTES).read_to_end(&mut start)?;
    Ok(start)
}
