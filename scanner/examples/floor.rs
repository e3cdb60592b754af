//! What nobody who reads a whole image can save: each gzip layer of an OCI layout inflated, its tar walked, and the SHA-256
//! of the blob, of the uncompressed layer and of every regular file computed, with the same libraries and buffers as the
//! scanner uses. `bench/scan.sh` measures it.
//!
//! ```text
//! cargo run --release -p plimsoll-scanner --example floor -- LAYOUT
//! ```

use std::{
    error::Error,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use sha2::{Digest, Sha256};

const BUFFER_BYTES: usize = 256 << 10;
const BLOCK_BYTES: usize = 512;

fn main() -> Result<(), Box<dyn Error>> {
    let layout = std::env::args().nth(1).ok_or("usage: floor LAYOUT")?;
    let layout = Path::new(&layout);
    let document = |path: &Path| -> Result<serde_json::Value, Box<dyn Error>> {
        Ok(serde_json::from_reader(BufReader::new(File::open(path)?))?)
    };
    let blob = |value: &serde_json::Value| {
        let digest = value["digest"].as_str().unwrap_or_default();
        layout.join("blobs").join(digest.replace(':', "/"))
    };
    let manifest = document(&blob(&document(&layout.join("index.json"))?["manifests"][0]))?;
    let (mut files, mut bytes) = (0, 0);
    for layer in manifest["layers"].as_array().ok_or("not a manifest")? {
        let input = Hashing::new(File::open(blob(layer))?);
        let inflated = flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(BUFFER_BYTES / 2, input));
        let mut tar = BufReader::with_capacity(BUFFER_BYTES, Hashing::new(inflated));
        files += walk(&mut tar)?;
        io::copy(&mut tar, &mut io::sink())?;
        bytes += tar.get_ref().bytes;
    }
    println!("{files} files in {bytes} bytes");
    Ok(())
}

/// Hashes what is read through it.
struct Hashing<R> {
    input: R,
    hasher: Sha256,
    bytes: u64,
}

impl<R> Hashing<R> {
    fn new(input: R) -> Self {
        Self {
            input,
            hasher: Sha256::new(),
            bytes: 0,
        }
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        self.bytes += count as u64;
        Ok(count)
    }
}

/// Hashes every regular file; says how many there were.
fn walk(tar: &mut impl BufRead) -> io::Result<u64> {
    let mut files = 0;
    let mut header = [0; BLOCK_BYTES];
    loop {
        tar.read_exact(&mut header)?;
        if header.iter().all(|byte| *byte == 0) {
            return Ok(files);
        }
        let size = size(&header[124..136]).ok_or(io::ErrorKind::InvalidData)?;
        let is_file = matches!(header[156], 0 | b'0');
        let mut hasher = Sha256::new();
        let mut rest = size.next_multiple_of(BLOCK_BYTES as u64);
        let mut body = size;
        while rest > 0 {
            let there = tar.fill_buf()?;
            if there.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let step = there.len().min(usize::try_from(rest).unwrap_or(usize::MAX));
            let hashed = step.min(usize::try_from(body).unwrap_or(usize::MAX));
            if is_file {
                hasher.update(&there[..hashed]);
            }
            tar.consume(step);
            rest -= step as u64;
            body -= hashed as u64;
        }
        if is_file {
            std::hint::black_box(hasher.finalize());
            files += 1;
        }
    }
}

/// The size as tar has it: octal, or a number in its lower bytes when the first bit is set.
fn size(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 != 0 {
        return field[4..].try_into().ok().map(u64::from_be_bytes);
    }
    let text = str::from_utf8(field).ok()?;
    u64::from_str_radix(text.trim_matches(['\0', ' ']), 8).ok()
}
