//! Files that were opened or mapped: `struct open_record`, `struct load_record` and `struct file_record` in.

use plimsoll_model::{ExeFile, FileAccess};

use super::{ASKED_BYTES, Cursor, TEXT_AT, WireError, judged, path, text};
use crate::raw::RawKind;

pub(super) fn read_open(cursor: &mut Cursor<'_>) -> Result<RawKind, WireError> {
    let inode = cursor.u64()?;
    let mode = cursor.u32()?;
    let flags = cursor.u32()?;
    let length = cursor.length()?;
    let path_flags = cursor.u32()?;
    let asked_length = cursor.length()?;
    let verdict = cursor.u32()?;
    cursor.seek(TEXT_AT)?;
    let asked = Some(asked_length)
        .filter(|&length| length > 0)
        .map(|length| cursor.bytes(length).map(|bytes| text::limited(bytes, ASKED_BYTES)))
        .transpose()?;
    let path = path::absolute(cursor.bytes(length)?, path_flags);
    let act = RawKind::Open {
        path: match &asked {
            Some(asked) if path_flags & path::FOLDER != 0 => path::joined(&path, asked),
            _ => path,
        },
        flags,
        // include/linux/fs.h: FMODE_READ 1, FMODE_WRITE 2, FMODE_CREATED 0x100000 (since 4.19).
        access: match mode & 3 {
            3 => FileAccess::ReadWrite,
            2 => FileAccess::Write,
            _ => FileAccess::Read,
        },
        created: mode & 0x10_0000 != 0,
        inode,
        asked,
    };
    judged(verdict, act)
}

pub(super) fn read_load(cursor: &mut Cursor<'_>) -> Result<RawKind, WireError> {
    let file = read_file(cursor)?;
    let length = cursor.length()?;
    let flags = cursor.u32()?;
    cursor.seek(TEXT_AT)?;
    let bytes = cursor.bytes(length)?;
    Ok(RawKind::Load {
        path: path::absolute(bytes, flags),
        file: named(file, bytes, flags),
    })
}

pub(super) fn read_file(cursor: &mut Cursor<'_>) -> Result<ExeFile, WireError> {
    Ok(ExeFile {
        device: cursor.u64()?,
        inode: cursor.u64()?,
        is_upper_layer: cursor.u32()? != 0,
        is_memfd: false,
        is_deleted: cursor.u32()? != 0,
    })
}

/// With what its path says of it: a memfd never had a name that could have been deleted.
pub(super) fn named(file: ExeFile, path: &[u8], flags: u32) -> ExeFile {
    let is_memfd = path::is_memfd(path, flags);
    ExeFile {
        is_memfd,
        is_deleted: file.is_deleted && !is_memfd,
        ..file
    }
}
