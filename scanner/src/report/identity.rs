//! A report in, names and times for documents that must have their own out: made from the content, so that equal input
//! gives equal bytes.

use jiff::Timestamp;
use plimsoll_model::{Digest, ImageIdentity, ScanReport};
use plimsoll_vulndb::{VexClaim, VexHeader, vex_claims};
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

/// How documents may call an image: by its `pkg:oci` URL, as OpenVEX asks for, by its reference, or by the digest of its
/// configuration; the first is the one to be used.
pub fn image_names(image: &ImageIdentity) -> Vec<String> {
    let reference = &image.reference;
    let bare = reference.split('@').next().unwrap_or(reference);
    let last = bare.rsplit('/').next().unwrap_or(bare);
    let name = last.split(':').next().unwrap_or(last).to_lowercase();
    let mut names = Vec::new();
    if let Some(digest) = &image.manifest_digest {
        let digest = digest.to_string().replace(':', "%3A");
        names.push(format!("pkg:oci/{name}@{digest}"));
    }
    names.push(reference.clone());
    names.push(image.config_digest.to_string());
    names
}

/// Hands over what is said of each match and of those that statements took away, with the document's own names. Its time is
/// that of the newest statement, else that of the build: equal input gives equal bytes.
pub(super) fn with_claims<T>(
    document: &super::Document<'_>,
    write: impl FnOnce(&[VexClaim<'_>], &VexHeader<'_>) -> T,
) -> T {
    let report = document.report;
    let claims = vex_claims(report.matches.as_deref().unwrap_or_default(), document.suppressed);
    let times = claims
        .iter()
        .filter_map(|claim| claim.timestamp.parse::<Timestamp>().ok());
    let watched = report
        .usage
        .and_then(|window| Timestamp::from_nanosecond(i128::from(window.to_ns)).ok());
    let now = times
        .chain(watched)
        .fold(built(report), Timestamp::max)
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string();
    let names = image_names(&report.image);
    let header = VexHeader {
        // Formats ask for an IRI; the digest of the configuration always is one.
        product: names.iter().find(|name| is_iri(name)).map_or("", String::as_str),
        author: "plimsoll",
        id: &format!("urn:uuid:{}", uuid(report)),
        now: &now,
    };
    write(&claims, &header)
}

fn is_iri(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"<>\"{}|\\^`".contains(&byte);
    let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
    let is_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.bytes().all(is_scheme) && text.bytes().all(is_plain)
}

/// When the image was built, in UTC to the second; the epoch when it does not say. The time of the scan is in no report.
pub(super) fn built(report: &ScanReport) -> Timestamp {
    let created = report.config.created.as_deref();
    let time = created.and_then(|text| text.parse::<Timestamp>().ok());
    time.unwrap_or(Timestamp::UNIX_EPOCH)
}
