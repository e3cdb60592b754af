//! Scan reports beside the image that they are about: pushed as an artifact that refers to its manifest, signed; found
//! again by the image's reference, verified. A report holds the profile and the files by which an agent judges.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read as _},
    path::Path,
};

use plimsoll_model::{Digest, Platform, ScanReport, schema};

use super::{
    Artifact, ArtifactError, NewArtifact, NewLayer, Pushed, Referrer, SigningKey, Store, parse, push::to_json,
    signature::PublicKey,
};
use crate::{
    layout::digest_of,
    limits::{MAX_INDEX_DEPTH, MAX_REPORT_BYTES, MAX_REPORTS_TRIED},
    oci::{self, Document},
};

/// What the artifact is.
pub const REPORT_ARTIFACT_TYPE: &str = "application/vnd.plimsoll.profile.v1";
/// Its one layer: the report as `plimsoll scan -o json` writes it, compressed.
const REPORT_TYPE: &str = "application/vnd.plimsoll.scan.v1+json+zstd";
/// Annotation: the config digest of the image.
const CONFIG: &str = "dev.plimsoll.image.config.digest";
/// Annotation: when it was made (image-spec, annotations.md).
const CREATED: &str = "org.opencontainers.image.created";
/// Of zstd: a report is packed once and fetched by every node.
const LEVEL: i32 = 9;

/// An image of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    /// Of its manifest.
    pub manifest_digest: Digest,
    /// Of its config.
    pub config_digest: Digest,
}

/// A report as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct PulledReport {
    /// The image that it was asked for, and is about.
    pub subject: Subject,
    /// Of the artifact's manifest.
    pub artifact: Digest,
    /// The report.
    pub report: ScanReport,
}

impl Store {
    /// The image that the reference names, on this machine's platform or another: through indexes, each by its digest.
    pub fn resolve(&self, platform: Option<&Platform>) -> Result<Subject, ArtifactError> {
        let (mut digest, mut bytes) = self.manifest()?;
        for _ in 0..MAX_INDEX_DEPTH {
            let what = format!("manifest {digest} of {}", self.image);
            let refuse = |error: crate::ScanError| ArtifactError::malformed(&what, &error.to_string());
            match oci::parse_document(&what, &bytes).map_err(refuse)? {
                Document::Manifest(manifest) => {
                    return Ok(Subject {
                        manifest_digest: digest,
                        config_digest: manifest.config.digest,
                    });
                }
                Document::Index(list) => {
                    digest = oci::select(&what, &list, platform).map_err(refuse)?.digest;
                    bytes = self.verified_manifest(&digest)?;
                }
            }
        }
        let what = format!("manifest of {}", self.image);
        Err(ArtifactError::malformed(&what, "its indexes are nested too deeply"))
    }

    /// Attaches a report to the image that it is about, which must be what the reference names. `created` is a time in
    /// RFC 3339; `folder` has room for a temporary file.
    pub fn push_report(
        &self,
        report: &ScanReport,
        created: &str,
        key: Option<SigningKey>,
        folder: &Path,
    ) -> Result<(Subject, Pushed), ArtifactError> {
        let subject = self.resolve(Some(&report.image.platform))?;
        is_about(report, &subject)?;
        let path = folder.join("report.json.zst");
        let failed = |source| ArtifactError::File {
            operation: "write",
            path: path.clone(),
            source,
        };
        let file = File::create(&path).map_err(failed)?;
        zstd::stream::copy_encode(&*to_json(report)?, file, LEVEL).map_err(failed)?;
        let annotations = BTreeMap::from([
            (CONFIG.to_owned(), subject.config_digest.to_string()),
            (CREATED.to_owned(), created.to_owned()),
        ]);
        let pushed = self.push(&NewArtifact {
            artifact_type: REPORT_ARTIFACT_TYPE.to_owned(),
            subject: Some(subject.manifest_digest),
            layers: vec![NewLayer {
                media_type: REPORT_TYPE.to_owned(),
                path,
                annotations: BTreeMap::new(),
            }],
            annotations,
            key,
        })?;
        Ok((subject, pushed))
    }

    /// The newest report of an image that one of the keys has signed; no keys: whoever signed it.
    pub fn pull_report(
        &self,
        subject: Subject,
        keys: &[PublicKey],
        folder: &Path,
    ) -> Result<PulledReport, ArtifactError> {
        let mut last = None;
        for referrer in self.reports_of(&subject)? {
            match self.take_report(subject, &referrer.digest, keys, folder) {
                Ok(pulled) => return Ok(pulled),
                Err(error) => {
                    tracing::debug!(digest = %referrer.digest, %error, "attached profile is passed over");
                    last = Some(error);
                }
            }
        }
        Err(last.unwrap_or_else(|| ArtifactError::Missing(format!("a profile of {}", subject.manifest_digest))))
    }

    /// Signs the newest report of an image, after it was read: what cannot be used is not vouched for.
    pub fn sign_report(&self, subject: Subject, key: &SigningKey, folder: &Path) -> Result<Digest, ArtifactError> {
        let pulled = self.pull_report(subject, &[], folder)?;
        self.sign(&pulled.artifact, key)?;
        Ok(pulled.artifact)
    }

    /// Newest first.
    fn reports_of(&self, subject: &Subject) -> Result<Vec<Referrer>, ArtifactError> {
        let mut found = self.referrers(&subject.manifest_digest, Some(REPORT_ARTIFACT_TYPE))?;
        // The list says when each was made, or nothing; later entries are newer in either case.
        found.reverse();
        found.sort_by(|a, b| b.annotations.get(CREATED).cmp(&a.annotations.get(CREATED)));
        found.truncate(MAX_REPORTS_TRIED);
        Ok(found)
    }

    fn take_report(
        &self,
        subject: Subject,
        digest: &Digest,
        keys: &[PublicKey],
        folder: &Path,
    ) -> Result<PulledReport, ArtifactError> {
        let artifact = self.attached(digest, keys)?;
        let what = format!("profile {digest}");
        let layer = artifact
            .layers
            .iter()
            .find(|layer| layer.media_type == REPORT_TYPE)
            .ok_or_else(|| ArtifactError::malformed(&what, "it has no scan report"))?;
        let path = folder.join(format!("{}.zst", digest.encoded()));
        self.download(layer, MAX_REPORT_BYTES, &path)?;
        let read = unpack(&path);
        // It is of no more use, whatever was in it.
        let _ = fs::remove_file(&path);
        let bytes = read.map_err(|error| ArtifactError::malformed(&what, &error.to_string()))?;
        let report: ScanReport =
            serde_json::from_slice(&bytes).map_err(|error| ArtifactError::malformed(&what, &error.to_string()))?;
        if report.schema != schema::SCAN_REPORT {
            let reason = format!("its schema is not `{}`", schema::SCAN_REPORT);
            return Err(ArtifactError::malformed(&what, &reason));
        }
        is_about(&report, &subject)?;
        Ok(PulledReport {
            subject,
            artifact: *digest,
            report,
        })
    }

    /// An artifact of this repository by its digest, its signature verified.
    fn attached(&self, digest: &Digest, keys: &[PublicKey]) -> Result<Artifact, ArtifactError> {
        let bytes = self.verified_manifest(digest)?;
        if !keys.is_empty() {
            self.verify(digest, keys)?;
        }
        parse(&format!("profile {digest}"), *digest, &bytes)
    }

    fn verified_manifest(&self, digest: &Digest) -> Result<Vec<u8>, ArtifactError> {
        let bytes = self.get_manifest(&digest.to_string())?.body;
        let actual = digest_of(&bytes);
        match actual == *digest {
            true => Ok(bytes),
            false => Err(ArtifactError::Digest {
                what: format!("manifest of {}", self.image),
                expected: *digest,
                actual,
            }),
        }
    }
}

/// A signature says who made a report, not of which image: a report that was attached to another image is refused here.
fn is_about(report: &ScanReport, subject: &Subject) -> Result<(), ArtifactError> {
    if report.image.config_digest == subject.config_digest && report.profile.config_digest == subject.config_digest {
        return Ok(());
    }
    Err(ArtifactError::malformed(
        "the scan report",
        &format!(
            "it is of image {}, not of {}",
            report.image.config_digest, subject.config_digest
        ),
    ))
}

fn unpack(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let decoder = zstd::stream::read::Decoder::new(File::open(path)?)?;
    decoder.take(MAX_REPORT_BYTES + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > MAX_REPORT_BYTES {
        true => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("over {MAX_REPORT_BYTES} bytes"),
        )),
        false => Ok(bytes),
    }
}
