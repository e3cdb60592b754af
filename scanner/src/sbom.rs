//! A software bill of materials that some tool wrote in, packages and operating system out. What cannot be mapped is a
//! note: a match that is missing for that reason must not look like a clean image.

mod cyclonedx;
mod entry;
mod purl;
mod spdx;
mod syft;
mod tag_value;
mod xml;

use plimsoll_model::{Note, NoteKind, Sbom};
use serde::de::DeserializeOwned;

use self::entry::Entries;

/// What a document says.
#[derive(Debug)]
pub(crate) struct Read {
    /// The packages in the order of a scan.
    pub(crate) sbom: Sbom,
    /// What it does not say, or what we do not understand.
    pub(crate) notes: Vec<Note>,
}

/// The formats that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// CycloneDX 1.2 to 1.6, JSON.
    CycloneDxJson,
    /// CycloneDX 1.2 to 1.6, XML.
    CycloneDxXml,
    /// SPDX 2.2 and 2.3, JSON.
    SpdxJson,
    /// SPDX 2.2 and 2.3, tag-value.
    SpdxTagValue,
    /// Syft's own JSON.
    SyftJson,
}

impl Format {
    /// By the first bytes of a document; `None` for anything else.
    pub(crate) fn of(start: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(start);
        let text = text.trim_start_matches('\u{feff}').trim_start();
        let has = |word: &str| text.contains(word);
        if text.starts_with('{') {
            let formats = [
                ("\"bomFormat\"", Self::CycloneDxJson),
                ("\"spdxVersion\"", Self::SpdxJson),
                ("\"SPDXID\"", Self::SpdxJson),
                ("\"artifacts\"", Self::SyftJson),
            ];
            return formats.into_iter().find(|(key, _)| has(key)).map(|(_, format)| format);
        }
        if text.starts_with('<') {
            return has("cyclonedx.org/schema/bom").then_some(Self::CycloneDxXml);
        }
        has("SPDXVersion:").then_some(Self::SpdxTagValue)
    }
}

/// Reads a document; the error says why it is none.
pub(crate) fn read(format: Format, bytes: &[u8]) -> Result<Read, String> {
    let mut entries = Entries::default();
    match format {
        Format::CycloneDxJson => cyclonedx::collect(json(bytes)?, &mut entries)?,
        Format::CycloneDxXml => cyclonedx::collect(cyclonedx::of_xml(&xml::parse(text(bytes)?)?), &mut entries)?,
        Format::SpdxJson => spdx::collect(json(bytes)?, &mut entries)?,
        Format::SpdxTagValue => spdx::collect(tag_value::parse(text(bytes)?)?, &mut entries)?,
        Format::SyftJson => syft::collect(json(bytes)?, &mut entries),
    }
    let (sbom, mut notes) = entries.finish();
    if sbom.os.is_none() && sbom.packages.is_empty() {
        let detail = "it names neither an operating system nor a package that we know";
        notes.push(Note::new(NoteKind::Unrecognised, "SBOM", detail));
    }
    Ok(Read { sbom, notes })
}

fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}

fn text(bytes: &[u8]) -> Result<&str, String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| error.to_string())
}

/// Whether a stated version of a format is one that we know; a newer one may say things in ways that we would not notice.
fn check_version(format: &str, stated: &str, known: &[&str], entries: &mut Entries) {
    if !known.contains(&stated) {
        let detail = format!("{format} {stated} is not known: read as {}", known[known.len() - 1]);
        entries.notes.push(Note::new(NoteKind::Unsupported, "SBOM", detail));
    }
}
