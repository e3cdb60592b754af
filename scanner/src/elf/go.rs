//! A Go program that passes by once in, its build info out: the toolchain's version and the modules that it was built from
//! (Go, src/debug/buildinfo/buildinfo.go: since Go 1.18 both are written in place after a magic number).

use memchr::memmem;

use crate::limits::MAX_GO_BUILD_INFO_BYTES;

const MAGIC: &[u8] = b"\xff Go buildinf:";
/// Magic number, pointer size, flags, and room that older versions used.
const HEADER_BYTES: usize = 32;
const FLAGS_AT: usize = 15;
const IN_PLACE: u8 = 2;
/// Random bytes before and after the list of modules, by which older tools found it.
const SENTINEL_BYTES: usize = 16;

/// Magic numbers without build info after which there is none: each costs a copy of what is kept.
const MAX_MISSES: u32 = 64;

/// Looks for build info in a stream.
#[derive(Debug)]
pub(crate) struct BuildInfo {
    /// What may be part of it: the end of what passed, or all since the magic number.
    kept: Vec<u8>,
    has_magic: bool,
    /// Magic numbers that began nothing.
    misses: u32,
    found: Option<Vec<u8>>,
}

impl BuildInfo {
    pub(crate) fn new() -> Self {
        Self {
            kept: Vec::new(),
            has_magic: false,
            misses: 0,
            found: None,
        }
    }

    /// The next bytes of the file, in order.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.found.is_some() || self.misses > MAX_MISSES {
            return;
        }
        if self.has_magic {
            self.kept.extend_from_slice(bytes);
        } else if !self.search(bytes) {
            return;
        }
        loop {
            if !self.has_magic {
                let kept = std::mem::take(&mut self.kept);
                if self.misses > MAX_MISSES || !self.search(&kept) {
                    return;
                }
            }
            match read(&self.kept) {
                Some(Parsed::Whole(text)) => {
                    self.found = Some(text);
                    self.kept = Vec::new();
                    return;
                }
                Some(Parsed::More) if self.kept.len() < MAX_GO_BUILD_INFO_BYTES => return,
                // Programs that read build info have the magic number among their constants.
                _ => {
                    self.misses += 1;
                    self.kept.drain(..MAGIC.len());
                    self.has_magic = false;
                }
            }
        }
    }

    /// Looks for the magic number in the end of what passed and `bytes`; keeps what follows from it on, or the end of `bytes`
    /// that it may begin in. Nothing else is copied: almost no file has it.
    fn search(&mut self, bytes: &[u8]) -> bool {
        let most = MAGIC.len() - 1;
        let before = self.kept.len();
        // It may lie on the border of two pieces.
        self.kept.extend_from_slice(&bytes[..bytes.len().min(most)]);
        if let Some(at) = memmem::find(&self.kept, MAGIC) {
            self.kept.truncate(before);
            self.kept.drain(..at);
            self.kept.extend_from_slice(bytes);
            self.has_magic = true;
            return true;
        }
        match memmem::find(bytes, MAGIC) {
            Some(at) => {
                self.kept.clear();
                self.kept.extend_from_slice(&bytes[at..]);
                self.has_magic = true;
                true
            }
            None => {
                if bytes.len() >= most {
                    self.kept.clear();
                    self.kept.extend_from_slice(&bytes[bytes.len() - most..]);
                } else {
                    self.kept.drain(..self.kept.len().saturating_sub(most));
                }
                false
            }
        }
    }

    /// The version on the first line, then the modules as Go lists them; `None` when there is none.
    pub(crate) fn finish(self) -> Option<Vec<u8>> {
        self.found
    }
}

enum Parsed {
    Whole(Vec<u8>),
    More,
}

/// `None` when this is no build info.
fn read(bytes: &[u8]) -> Option<Parsed> {
    let Some(mut rest) = bytes.get(HEADER_BYTES..) else {
        return Some(Parsed::More);
    };
    if bytes[FLAGS_AT] & IN_PLACE == 0 {
        return None;
    }
    let mut texts = [&[][..]; 2];
    for text in &mut texts {
        let Some((length, start)) = length(rest)? else {
            return Some(Parsed::More);
        };
        if length > MAX_GO_BUILD_INFO_BYTES {
            return None;
        }
        let Some(found) = rest.get(start..start + length) else {
            return Some(Parsed::More);
        };
        *text = found;
        rest = &rest[start + length..];
    }
    let [version, modules] = texts;
    if !version.starts_with(b"go") && !version.starts_with(b"devel") {
        return None;
    }
    let modules = match modules.len().checked_sub(2 * SENTINEL_BYTES) {
        Some(_) => &modules[SENTINEL_BYTES..modules.len() - SENTINEL_BYTES],
        None => &[],
    };
    Some(Parsed::Whole([version, b"\n", modules].concat()))
}

/// An unsigned LEB128 number of at most four bytes and where it ends; `None` outside for a longer one, inside for a cut one.
fn length(bytes: &[u8]) -> Option<Option<(usize, usize)>> {
    let mut value = 0;
    for index in 0..4 {
        let Some(&byte) = bytes.get(index) else {
            return Some(None);
        };
        value |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some(Some((value, index + 1)));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(modules: &str) -> Vec<u8> {
        let mut bytes = vec![7; 5000];
        // As a constant, and then the real one.
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&[0; 100]);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&[8, IN_PLACE]);
        bytes.extend_from_slice(&[0; 16]);
        bytes.push(6);
        bytes.extend_from_slice(b"go1.22");
        let length = modules.len() + 2 * SENTINEL_BYTES;
        bytes.extend_from_slice(&[
            u8::try_from(length & 0x7f).unwrap() | 0x80,
            u8::try_from(length >> 7).unwrap(),
        ]);
        bytes.extend_from_slice(&[0x30; SENTINEL_BYTES]);
        bytes.extend_from_slice(modules.as_bytes());
        bytes.extend_from_slice(&[0x30; SENTINEL_BYTES]);
        bytes.extend_from_slice(&[9; 300]);
        bytes
    }

    #[test]
    fn is_found_however_the_file_is_cut_into_pieces() {
        let modules = "path\ta\nmod\ta\t(devel)\t\ndep\tb\tv1.2.3\th1:x=\n".repeat(4);
        let bytes = program(&modules);
        for step in [1, 7, 64, 5010, bytes.len()] {
            let mut info = BuildInfo::new();
            for piece in bytes.chunks(step) {
                info.push(piece);
            }
            let found = String::from_utf8(info.finish().unwrap()).unwrap();
            assert_eq!(found, format!("go1.22\n{modules}"), "{step}");
        }
        for cut in [0, 5005, 5150, bytes.len() - 320] {
            let mut info = BuildInfo::new();
            info.push(&bytes[..cut]);
            assert!(info.finish().is_none(), "{cut}");
        }
    }
}
