//! One 512-byte tar header in, its fields out (POSIX.1-2017 pax interchange format; GNU tar manual, "Basic Tar Format").

/// Bytes of a header and unit of padding.
pub(crate) const BLOCK: usize = 512;

/// A header block whose checksum is right.
pub(crate) struct Header<'a>(&'a [u8; BLOCK]);

impl<'a> Header<'a> {
    /// `None` when the checksum is wrong: these bytes are no header.
    pub(crate) fn parse(block: &'a [u8; BLOCK]) -> Option<Self> {
        let stated = octal(&block[148..156])?;
        let (mut unsigned, mut signed) = (0_i64, 0_i64);
        for (at, &byte) in block.iter().enumerate() {
            let byte = if (148..156).contains(&at) { b' ' } else { byte };
            unsigned += i64::from(byte);
            signed += i64::from(byte.cast_signed());
        }
        let stated = i64::try_from(stated).ok()?;
        (stated == unsigned || stated == signed).then_some(Self(block))
    }

    pub(crate) fn type_flag(&self) -> u8 {
        self.0[156]
    }

    /// Permission bits as written, file type bits included.
    pub(crate) fn mode(&self) -> Option<u64> {
        number(&self.0[100..108])
    }

    pub(crate) fn uid(&self) -> Option<u64> {
        number(&self.0[108..116])
    }

    pub(crate) fn gid(&self) -> Option<u64> {
        number(&self.0[116..124])
    }

    pub(crate) fn size(&self) -> Option<u64> {
        number(&self.0[124..136])
    }

    pub(crate) fn link_name(&self) -> &'a [u8] {
        text(&self.0[157..257])
    }

    /// Name with the ustar prefix. GNU's own magic has other things where ustar has the prefix.
    pub(crate) fn name(&self) -> Vec<u8> {
        let name = text(&self.0[..100]);
        let prefix = text(&self.0[345..500]);
        if &self.0[257..263] == b"ustar\0" && !prefix.is_empty() {
            [prefix, b"/", name].concat()
        } else {
            name.to_vec()
        }
    }

    /// Extents in an old GNU sparse header, and whether extension blocks follow.
    pub(crate) fn gnu_sparse(&self) -> Option<(Vec<(u64, u64)>, bool)> {
        Some((sparse_extents(&self.0[386..482])?, self.0[482] != 0))
    }

    /// Size of an old GNU sparse file with its holes.
    pub(crate) fn gnu_real_size(&self) -> Option<u64> {
        number(&self.0[483..495])
    }
}

/// Extents in an old GNU sparse extension block, and whether another follows.
pub(crate) fn gnu_sparse_extension(block: &[u8; BLOCK]) -> Option<(Vec<(u64, u64)>, bool)> {
    Some((sparse_extents(&block[..504])?, block[504] != 0))
}

fn sparse_extents(bytes: &[u8]) -> Option<Vec<(u64, u64)>> {
    let mut extents = Vec::new();
    for pair in bytes.chunks_exact(24) {
        if pair[0] == 0 {
            break;
        }
        extents.push((number(&pair[..12])?, number(&pair[12..])?));
    }
    Some(extents)
}

/// Bytes up to the first NUL.
fn text(field: &[u8]) -> &[u8] {
    field.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// Octal text, or base 256 when the first bit is set (GNU). Negative numbers are refused.
fn number(field: &[u8]) -> Option<u64> {
    match field[0] {
        0x80 => field[1..].iter().try_fold(0_u64, |value, &byte| {
            (value >> 56 == 0).then_some(value << 8 | u64::from(byte))
        }),
        0x81.. => None,
        _ => octal(field),
    }
}

fn octal(field: &[u8]) -> Option<u64> {
    let trimmed = text(field).trim_ascii();
    if trimmed.len() > 21 {
        return None;
    }
    trimmed.iter().try_fold(0_u64, |value, &byte| match byte {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(u64::from(byte - b'0')),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_octal_or_base_256_and_never_negative() {
        assert_eq!(number(b"0000644\0"), Some(0o644));
        assert_eq!(number(b"   644 \0"), Some(0o644));
        assert_eq!(number(b"\0\0\0\0\0\0\0\0"), Some(0));
        assert_eq!(number(&[0x80, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]), Some(1 << 24));
        assert_eq!(number(&[0xff; 12]), None);
        assert_eq!(number(&[0x80, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(number(b"0000689\0"), None);
    }
}
