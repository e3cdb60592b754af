//! Sparse maps of GNU tar in, checked extents out.

use super::{
    header::BLOCK,
    pax::{PaxSparse, decimal},
    tar::{Input, TarError, TarReader},
};
use crate::limits::MAX_SPARSE_EXTENTS;

/// Where the stored bytes of a sparse file belong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Extents {
    /// Offset and length of each run of stored bytes.
    pub(crate) list: Vec<(u64, u64)>,
    /// Size of the file with its holes.
    pub(crate) real_size: u64,
}

impl Extents {
    /// Whether the runs are in order, apart, within the file and exactly as long as the body.
    pub(crate) fn are_sound(&self, stored_bytes: u64) -> bool {
        let mut end = 0;
        let mut sum = 0_u64;
        for &(offset, length) in &self.list {
            let Some(next) = offset.checked_add(length) else {
                return false;
            };
            if offset < end || next > self.real_size {
                return false;
            }
            (end, sum) = (next, sum + length);
        }
        sum == stored_bytes
    }
}

/// The map that pax records hold (0.0, 0.1) or announce at the start of the body (1.0); `None` for an ordinary file.
pub(crate) fn from_pax<R: Input>(sparse: &PaxSparse, tar: &mut TarReader<R>) -> Result<Option<Extents>, TarError> {
    let malformed = || TarError::Malformed("sparse map");
    let numbers = match sparse {
        PaxSparse { major: Some(1), .. } => read_map(tar)?,
        PaxSparse { map, .. } if !map.is_empty() => map.clone(),
        _ => return Ok(None),
    };
    if numbers.len() % 2 != 0 {
        return Err(malformed());
    }
    Ok(Some(Extents {
        list: numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect(),
        real_size: sparse.real_size.ok_or_else(malformed)?,
    }))
}

/// Format 1.0: lines of decimal numbers, the first one how many pairs follow, padded to a block.
fn read_map<R: Input>(tar: &mut TarReader<R>) -> Result<Vec<u64>, TarError> {
    let malformed = || TarError::Malformed("sparse map");
    let mut numbers = Vec::new();
    let mut pending: Vec<u8> = Vec::new();
    let mut wanted = 1;
    while numbers.len() < wanted {
        let mut block = [0; BLOCK];
        tar.read_body(&mut block)?;
        for &byte in &block {
            match byte {
                b'\n' if numbers.len() < wanted => {
                    numbers.push(decimal(&pending).ok_or_else(malformed)?);
                    pending.clear();
                    let pairs = usize::try_from(numbers[0]).unwrap_or(usize::MAX);
                    if pairs > MAX_SPARSE_EXTENTS {
                        return Err(malformed());
                    }
                    wanted = 1 + 2 * pairs;
                }
                _ if numbers.len() >= wanted => break,
                _ => pending.push(byte),
            }
        }
        if pending.len() > 64 {
            return Err(malformed());
        }
    }
    numbers.remove(0);
    Ok(numbers)
}
