//! A pax extended header in, the records that change a member out.

/// What pax records say about the member that follows.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Pax {
    pub(crate) path: Option<Vec<u8>>,
    pub(crate) link_path: Option<Vec<u8>>,
    pub(crate) size: Option<u64>,
    pub(crate) uid: Option<u64>,
    pub(crate) gid: Option<u64>,
    pub(crate) has_capabilities: bool,
    pub(crate) sparse: PaxSparse,
}

/// GNU's sparse records (GNU tar manual, "Storing Sparse Files").
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct PaxSparse {
    pub(crate) major: Option<u64>,
    pub(crate) name: Option<Vec<u8>>,
    pub(crate) real_size: Option<u64>,
    /// Offsets and lengths in turn, formats 0.0 and 0.1.
    pub(crate) map: Vec<u64>,
}

/// `None` when the records do not follow their format.
pub(crate) fn parse(mut bytes: &[u8]) -> Option<Pax> {
    let mut pax = Pax::default();
    while !bytes.is_empty() {
        let blank = memchr::memchr(b' ', &bytes[..bytes.len().min(21)])?;
        let length = usize::try_from(decimal(&bytes[..blank])?).ok()?;
        let record = bytes.get(blank + 1..length)?;
        let (record, newline) = record.split_at_checked(record.len().checked_sub(1)?)?;
        let equals = memchr::memchr(b'=', record)?;
        if newline != b"\n" {
            return None;
        }
        apply(&mut pax, &record[..equals], &record[equals + 1..])?;
        bytes = &bytes[length..];
    }
    Some(pax)
}

fn apply(pax: &mut Pax, key: &[u8], value: &[u8]) -> Option<()> {
    // An empty value deletes the record (POSIX): the header's own field counts again.
    let text = (!value.is_empty()).then(|| value.to_vec());
    let number = || match value {
        [] => Some(None),
        digits => decimal(digits).map(Some),
    };
    match key {
        b"path" => pax.path = text.filter(|text| !text.contains(&0)),
        b"linkpath" => pax.link_path = text.filter(|text| !text.contains(&0)),
        b"size" => pax.size = number()?,
        b"uid" => pax.uid = number()?,
        b"gid" => pax.gid = number()?,
        b"SCHILY.xattr.security.capability" | b"LIBARCHIVE.xattr.security.capability" => {
            pax.has_capabilities = !value.is_empty();
        }
        b"GNU.sparse.major" => pax.sparse.major = number()?,
        b"GNU.sparse.name" => pax.sparse.name = text,
        b"GNU.sparse.realsize" | b"GNU.sparse.size" => pax.sparse.real_size = number()?,
        b"GNU.sparse.offset" | b"GNU.sparse.numbytes" => push(&mut pax.sparse.map, decimal(value)?)?,
        b"GNU.sparse.map" => {
            for part in value.split(|&byte| byte == b',').filter(|part| !part.is_empty()) {
                push(&mut pax.sparse.map, decimal(part)?)?;
            }
        }
        _ => {}
    }
    Some(())
}

fn push(map: &mut Vec<u64>, value: u64) -> Option<()> {
    (map.len() < 2 * crate::limits::MAX_SPARSE_EXTENTS).then(|| map.push(value))
}

/// Digits only; no sign, no blanks.
pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 20 {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, &byte| match byte {
        b'0'..=b'9' => value.checked_mul(10)?.checked_add(u64::from(byte - b'0')),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_records_and_refuses_lying_lengths() {
        let pax = parse(b"12 path=abc\n11 size=12\n").unwrap();
        assert_eq!((pax.path.as_deref(), pax.size), (Some(&b"abc"[..]), Some(12)));
        for bad in [
            &b"12 path=ab\n"[..],
            b"99 path=abc\n",
            b"0 a=b\n",
            b"12 pathXabc\n",
            b"x",
            b"3 =\n",
            b"2 \n",
        ] {
            let parsed = parse(bad);
            assert!(parsed.is_none() || bad == b"3 =\n", "{bad:?} gave {parsed:?}");
        }
    }
}
