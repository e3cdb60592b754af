//! `struct exec_record` and `struct environment_record` in; a program executed, a process that runs already, and what is
//! in a new program's environment out.

use plimsoll_model::ExeFile;

use super::{Cursor, FILENAME_BYTES, TEXT_AT, WireError, file, judged, path, split_args, text};
use crate::{
    raw::{RawKind, RawTask},
    snapshot::RawProcess,
};

struct Fixed {
    file: ExeFile,
    filename_length: usize,
    exe_length: usize,
    cwd_length: usize,
    args_length: usize,
    exe_flags: u32,
    cwd_flags: u32,
    args_total: usize,
    verdict: u32,
}

impl Fixed {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, WireError> {
        Ok(Self {
            file: file::read_file(cursor)?,
            filename_length: cursor.length()?,
            exe_length: cursor.length()?,
            cwd_length: cursor.length()?,
            args_length: cursor.length()?,
            exe_flags: cursor.u32()?,
            cwd_flags: cursor.u32()?,
            args_total: cursor.length()?,
            verdict: cursor.u32()?,
        })
    }

    fn read_exe(&self, cursor: &mut Cursor<'_>) -> Result<(String, ExeFile), WireError> {
        let bytes = cursor.bytes(self.exe_length)?;
        let file = file::named(self.file, bytes, self.exe_flags);
        Ok((path::absolute(bytes, self.exe_flags), file))
    }
}

pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<RawKind, WireError> {
    let fixed = Fixed::read(cursor)?;
    let filename = text::limited(cursor.bytes(fixed.filename_length)?, FILENAME_BYTES);
    let (exe, exe_file) = fixed.read_exe(cursor)?;
    let cwd = path::absolute(cursor.bytes(fixed.cwd_length)?, fixed.cwd_flags);
    let args = split_args(cursor.bytes(fixed.args_length)?, fixed.args_length < fixed.args_total);
    let act = RawKind::Exec {
        filename,
        exe,
        args,
        cwd,
        exe_file,
    };
    judged(fixed.verdict, act)
}

pub(super) fn read_process(task: RawTask, cursor: &mut Cursor<'_>) -> Result<RawProcess, WireError> {
    let fixed = Fixed::read(cursor)?;
    let (exe, exe_file) = fixed.read_exe(cursor)?;
    let cwd = path::absolute(cursor.bytes(fixed.cwd_length)?, fixed.cwd_flags);
    Ok(RawProcess {
        task,
        exe,
        args: Vec::new(),
        cwd,
        exe_file,
    })
}

pub(super) fn read_environment(cursor: &mut Cursor<'_>) -> Result<RawKind, WireError> {
    let length = cursor.length()?;
    let total = cursor.length()?;
    cursor.seek(TEXT_AT)?;
    Ok(RawKind::Environment {
        variables: split_args(cursor.bytes(length)?, length < total),
    })
}
