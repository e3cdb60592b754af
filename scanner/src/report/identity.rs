//! A report in, names and times for documents that must have their own out: made from the content, so that equal input
//! gives equal bytes.

use jiff::Timestamp;
use plimsoll_model::{Digest, ScanReport};
use sha2::{Digest as _, Sha256};

/// A UUID made from the content (RFC 9562, version 8), so that the same image gives the same document.
pub(super) fn uuid(report: &ScanReport) -> String {
    let mut hasher = Sha256::new();
    hasher.update(report.image.config_digest.as_bytes());
    for package in &report.sbom.packages {
        hasher.update(package.purl.as_bytes());
        hasher.update([0]);
    }
    for found in report.matches.iter().flatten() {
        hasher.update(found.vulnerability.id.as_bytes());
        hasher.update([0]);
    }
    let mut bytes: [u8; 32] = hasher.finalize().into();
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = Digest::from_bytes(bytes).encoded();
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..32]
    )
}

/// When the image was built, in UTC to the second; the epoch when it does not say. The time of the scan is in no report.
pub(super) fn built(report: &ScanReport) -> Timestamp {
    let created = report.config.created.as_deref();
    let time = created.and_then(|text| text.parse::<Timestamp>().ok());
    time.unwrap_or(Timestamp::UNIX_EPOCH)
}
