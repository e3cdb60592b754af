//! A header blob in, what we read of it out (rpm, docs/manual/format_header.md: index entries and a data store, big-endian).

/// One package as RPM recorded it.
#[derive(Debug, Default)]
pub(super) struct Header {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) release: String,
    pub(super) epoch: Option<u32>,
    pub(super) architecture: Option<String>,
    pub(super) licence: Option<String>,
    pub(super) vendor: Option<String>,
    pub(super) source_rpm: Option<String>,
    /// `nodejs:18:8090020231019152822:a75119d5`: module, stream, version and context.
    pub(super) module: Option<String>,
    /// Absolute, sorted.
    pub(super) files: Vec<String>,
}

impl Header {
    /// What tells versions of packages apart.
    pub(super) fn key(&self) -> String {
        let (name, version, release) = (&self.name, &self.version, &self.release);
        format!(
            "{name}\0{version}\0{release}\0{}",
            self.architecture.as_deref().unwrap_or_default()
        )
    }
}

/// What a package states of the content of one of its files.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FileDigest {
    /// Absolute.
    pub(crate) path: String,
    /// Permission bits and kind, as stat(2) has them.
    pub(crate) mode: u16,
    pub(crate) algorithm: Algorithm,
    pub(crate) bytes: Vec<u8>,
}

/// With which digests of files were made (OpenPGP's numbers: RFC 9580, 9.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Md5,
    Sha1,
    Sha256,
}

const NAME: u32 = 1000;
const VERSION: u32 = 1001;
const RELEASE: u32 = 1002;
const EPOCH: u32 = 1003;
const VENDOR: u32 = 1011;
const LICENCE: u32 = 1014;
const ARCHITECTURE: u32 = 1022;
const FILE_STATES: u32 = 1029;
const FILE_MODES: u32 = 1030;
const FILE_DIGESTS: u32 = 1035;
const FILE_FLAGS: u32 = 1037;
const SOURCE_RPM: u32 = 1044;
const FILE_VERIFY_FLAGS: u32 = 1045;
const DIRECTORY_INDEXES: u32 = 1116;
const BASE_NAMES: u32 = 1117;
const DIRECTORY_NAMES: u32 = 1118;
const FILE_DIGEST_ALGORITHM: u32 = 5011;
const MODULE: u32 = 5096;

const CHAR: u32 = 1;
const INT16: u32 = 3;
const INT32: u32 = 4;
/// String, string array, translated string (of which the first is the untranslated one).
const STRINGS: [u32; 3] = [6, 8, 9];

/// Files that may change or be absent (rpm, rpmfiles.h, `rpmfileAttrs_e`): configuration, documentation, what may be missing, ghosts,
/// licences and read-mes.
const MAY_CHANGE: u32 = 1 | 1 << 1 | 1 << 3 | 1 << 6 | 1 << 7 | 1 << 8;
/// Whether `rpm -V` compares contents (`rpmVerifyFlags_e`).
const VERIFY_DIGEST: u32 = 1;
/// Installed, and not replaced by another package's file.
const NORMAL: u8 = 0;

/// Digests of the files that must be there as the package brought them. Empty when the header has none that can be read.
pub(super) fn digests(blob: &[u8]) -> Vec<FileDigest> {
    Tags::new(blob).and_then(|tags| stated(&tags)).unwrap_or_default()
}

fn stated(tags: &Tags<'_>) -> Option<Vec<FileDigest>> {
    let algorithm = match tags
        .numbers(FILE_DIGEST_ALGORITHM)
        .and_then(|list| list.first().copied())
    {
        // What RPM before 4.6 had.
        None | Some(1) => Algorithm::Md5,
        Some(2) => Algorithm::Sha1,
        Some(8) => Algorithm::Sha256,
        Some(_) => return None,
    };
    let (names, folders) = (tags.strings(BASE_NAMES)?, tags.strings(DIRECTORY_NAMES)?);
    let (digests, modes) = (tags.strings(FILE_DIGESTS)?, tags.shorts(FILE_MODES)?);
    let (indexes, flags) = (tags.numbers(DIRECTORY_INDEXES)?, tags.numbers(FILE_FLAGS)?);
    let (verify, states) = (tags.numbers(FILE_VERIFY_FLAGS), tags.chars(FILE_STATES));
    let mut found = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let is_compared = flags.get(at)? & MAY_CHANGE == 0
            && verify
                .as_ref()
                .is_none_or(|list| list.get(at).is_some_and(|flags| flags & VERIFY_DIGEST != 0))
            && states.is_none_or(|list| list.get(at) == Some(&NORMAL));
        // Folders, links and devices have none.
        let Some(bytes) = unhexed(digests.get(at)?).filter(|_| is_compared) else {
            continue;
        };
        let folder = folders.get(usize::try_from(*indexes.get(at)?).ok()?)?;
        found.push(FileDigest {
            path: format!("{folder}{name}"),
            mode: *modes.get(at)?,
            algorithm,
            bytes,
        });
    }
    Some(found)
}

fn unhexed(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    let bytes: Option<Vec<u8>> = pairs
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    bytes.filter(|bytes| !bytes.is_empty())
}

/// Reads a blob.
pub(super) fn parse(blob: &[u8]) -> Result<Header, &'static str> {
    let damaged = "package header is damaged";
    let tags = Tags::new(blob).ok_or(damaged)?;
    let text = |tag| tags.strings(tag).and_then(|list| list.into_iter().next());
    let header = Header {
        name: text(NAME).ok_or("package header has no name")?,
        version: text(VERSION).ok_or("package header has no version")?,
        release: text(RELEASE).ok_or("package header has no release")?,
        epoch: tags.numbers(EPOCH).and_then(|list| list.first().copied()),
        architecture: text(ARCHITECTURE),
        licence: text(LICENCE),
        vendor: text(VENDOR),
        source_rpm: text(SOURCE_RPM),
        module: text(MODULE).filter(|label| label.contains(':')),
        files: files(&tags).ok_or(damaged)?,
    };
    Ok(header)
}

fn files(tags: &Tags<'_>) -> Option<Vec<String>> {
    let Some(names) = tags.strings(BASE_NAMES) else {
        // A package without files.
        return Some(Vec::new());
    };
    let (folders, indexes) = (tags.strings(DIRECTORY_NAMES)?, tags.numbers(DIRECTORY_INDEXES)?);
    let mut files = Vec::with_capacity(names.len());
    for (name, index) in names.iter().zip(indexes) {
        let folder = folders.get(usize::try_from(index).ok()?)?;
        files.push(format!("{folder}{name}"));
    }
    files.sort_unstable();
    Some(files)
}

struct Tags<'a> {
    index: &'a [u8],
    store: &'a [u8],
}

impl<'a> Tags<'a> {
    fn new(blob: &'a [u8]) -> Option<Self> {
        let entries = usize::try_from(number(blob, 0)?).ok()?;
        let bytes = usize::try_from(number(blob, 4)?).ok()?;
        let index_end = entries.checked_mul(16)?.checked_add(8)?;
        Some(Self {
            index: blob.get(8..index_end)?,
            store: blob.get(index_end..index_end.checked_add(bytes)?)?,
        })
    }

    /// Type, count and data from there on.
    fn find(&self, tag: u32) -> Option<(u32, usize, &'a [u8])> {
        let entry = self
            .index
            .chunks_exact(16)
            .find(|entry| number(entry, 0) == Some(tag))?;
        let offset = usize::try_from(number(entry, 8)?).ok()?;
        let count = usize::try_from(number(entry, 12)?).ok()?;
        Some((number(entry, 4)?, count, self.store.get(offset..)?))
    }

    /// `None` when the tag is not there, or has less than it claims.
    fn strings(&self, tag: u32) -> Option<Vec<String>> {
        let (kind, count, data) = self.find(tag)?;
        // Each string has an end at least.
        if !STRINGS.contains(&kind) || count > data.len() {
            return None;
        }
        let mut parts = data.split(|&byte| byte == 0);
        let mut list = Vec::with_capacity(count);
        for _ in 0..count {
            list.push(String::from_utf8_lossy(parts.next()?).into_owned());
        }
        Some(list)
    }

    fn chars(&self, tag: u32) -> Option<&'a [u8]> {
        let (kind, count, data) = self.find(tag)?;
        data.get(..count).filter(|_| kind == CHAR)
    }

    fn shorts(&self, tag: u32) -> Option<Vec<u16>> {
        let (kind, count, data) = self.find(tag)?;
        let data = data.get(..count.checked_mul(2)?)?;
        (kind == INT16).then(|| {
            data.chunks_exact(2)
                .map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
                .collect()
        })
    }

    fn numbers(&self, tag: u32) -> Option<Vec<u32>> {
        let (kind, count, data) = self.find(tag)?;
        let data = data.get(..count.checked_mul(4)?)?;
        (kind == INT32).then(|| {
            data.chunks_exact(4)
                .map(|bytes| u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
                .collect()
        })
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}
