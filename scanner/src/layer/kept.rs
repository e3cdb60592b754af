//! Contents that are kept of files: as they are, or packed where there are many that are read once.

use std::{borrow::Cow, sync::Arc};

use crate::limits::MAX_KEPT_FILE_BYTES;

/// dpkg's lists: two for every package, together several MiB, and all of them are there until the last layer is merged.
const PACKED_FOLDER: &str = "/var/lib/dpkg/info/";
/// Shorter ones do not get smaller.
const MIN_PACKED_BYTES: usize = 256;
/// Compression that costs no more than computing a digest.
const ZSTD_LEVEL: i32 = 1;

/// Content of one file.
#[derive(Debug, Clone)]
pub(crate) enum Kept {
    Plain(Arc<[u8]>),
    Packed {
        /// Bytes of the content.
        size: usize,
        /// It as a zstd frame.
        bytes: Arc<[u8]>,
    },
}

impl Kept {
    /// Content of a file at this path in a layer.
    pub(crate) fn new(path: &str, content: Vec<u8>) -> Self {
        let is_packed = content.len() >= MIN_PACKED_BYTES && path.starts_with(PACKED_FOLDER);
        let packed = is_packed.then(|| zstd::bulk::compress(&content, ZSTD_LEVEL));
        match packed {
            Some(Ok(bytes)) => Self::Packed {
                size: content.len(),
                bytes: Arc::from(bytes),
            },
            _ => Self::Plain(Arc::from(content)),
        }
    }

    /// Bytes of the content.
    pub(crate) fn size_bytes(&self) -> u64 {
        match self {
            Self::Plain(bytes) => bytes.len() as u64,
            Self::Packed { size, .. } => *size as u64,
        }
    }

    /// The content, if it is not packed.
    pub(crate) fn plain(&self) -> Option<&Arc<[u8]>> {
        match self {
            Self::Plain(bytes) => Some(bytes),
            Self::Packed { .. } => None,
        }
    }

    /// The content. `None` when its packed form is damaged, which only bytes from a cache could be.
    pub(crate) fn unpacked(&self) -> Option<Cow<'_, [u8]>> {
        match self {
            Self::Plain(bytes) => Some(Cow::Borrowed(bytes)),
            Self::Packed { size, .. } if *size as u64 > MAX_KEPT_FILE_BYTES => None,
            Self::Packed { size, bytes } => {
                let content = zstd::bulk::decompress(bytes, *size).ok()?;
                (content.len() == *size).then_some(Cow::Owned(content))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_dpkg_are_packed_and_come_back() {
        let list = "/usr/share/doc/demo/copyright\n".repeat(100).into_bytes();
        for (path, content, is_packed) in [
            ("/var/lib/dpkg/info/demo.list", list.clone(), true),
            ("/var/lib/dpkg/info/demo.list", b"/.\n".to_vec(), false),
            ("/var/lib/dpkg/status", list.clone(), false),
        ] {
            let kept = Kept::new(path, content.clone());
            assert_eq!(kept.plain().is_none(), is_packed, "{path}");
            assert_eq!(kept.size_bytes(), content.len() as u64);
            assert_eq!(kept.unpacked().as_deref(), Some(&content[..]));
            if let Kept::Packed { size, bytes } = &kept {
                assert!(bytes.len() < list.len() / 4);
                let shorter = Kept::Packed {
                    size: size - 1,
                    bytes: Arc::clone(bytes),
                };
                assert!(shorter.unpacked().is_none(), "a size that is not true");
            }
        }
    }
}
