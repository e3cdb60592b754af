//! Files are opened, their descriptors doubled and closed, and programs map them to run what is in them.

use std::sync::Arc;

use plimsoll_model::{Call, CallObject, ExeFile, FileAccess, SystemCall};
use plimsoll_runtime::raw::RawKind;

use super::{Moment, Parameters, Translation, calls::object};
use crate::{
    cursor::{low, low_bits},
    limits::MAX_LIBRARIES,
    numbers,
    snapshot::Descriptor,
};

/// `PROT_EXEC`, here and there.
const EXECUTE: i64 = 4;
/// Upstream's numbers of `F_DUPFD` and `F_DUPFD_CLOEXEC`.
const DUPLICATE: [i64; 2] = [1, 26];
/// What creat(2) stands for.
const CREAT_FLAGS: u32 = 0o1101;

impl Translation<'_> {
    pub(super) fn open(&mut self, moment: Moment, parameters: Parameters<'_>, name: &str) -> Option<()> {
        let bits = low_bits(parameters.number("flags").unwrap_or(0));
        self.opened(moment, parameters, name, numbers::open(bits))
    }

    pub(super) fn create(&mut self, moment: Moment, parameters: Parameters<'_>) -> Option<()> {
        // Whether the file was there before, older captures do not tell.
        self.opened(moment, parameters, "name", (CREAT_FLAGS, FileAccess::Write, false))
    }

    fn opened(
        &mut self,
        moment: Moment,
        parameters: Parameters<'_>,
        name: &str,
        (flags, access, created): (u32, FileAccess, bool),
    ) -> Option<()> {
        let result = parameters.result()?;
        // An open whose beginning the capture lacks names no file: nothing can be said of it.
        let Some(asked) = parameters.text(name) else {
            return Some(());
        };
        let path = self.world.absolute(moment.tid, parameters.number("dirfd"), &asked);
        let inode = parameters.number("ino").unwrap_or(0);
        if result >= 0 {
            let file = Descriptor::File(path.as_str().into());
            self.world.set_descriptor(moment.tid, result, Some(file));
        }
        let asked = Some(asked);
        let kind = match result < 0 {
            true => RawKind::OpenFailed {
                error: low(result),
                path,
                flags,
                access,
                asked,
            },
            false => RawKind::Open {
                path,
                flags,
                access,
                created,
                inode: u64::from_le_bytes(inode.to_le_bytes()),
                asked,
            },
        };
        self.tell(moment, kind);
        Some(())
    }

    pub(super) fn close(&mut self, moment: Moment, parameters: Parameters<'_>) -> Option<()> {
        if parameters.result()? == 0
            && let Some(number) = parameters.number("fd")
        {
            self.world.set_descriptor(moment.tid, number, None);
        }
        Some(())
    }

    pub(super) fn duplicate(&mut self, moment: Moment, parameters: Parameters<'_>, call: SystemCall) -> Option<()> {
        let result = parameters.result()?;
        let Some(old) = parameters.number("oldfd").or_else(|| parameters.number("fd")) else {
            return Some(());
        };
        let descriptor = self.world.descriptor(moment.tid, old).cloned();
        if result >= 0 {
            self.world.set_descriptor(moment.tid, result, descriptor.clone());
        }
        let bits = |number: i64| u64::from_le_bytes(number.to_le_bytes());
        let arguments = [
            bits(old),
            bits(parameters.number("newfd").unwrap_or(result)),
            bits(parameters.number("flags").unwrap_or(0)),
            0,
        ];
        // Files that are doubled are nobody's concern: our sensor tells of sockets.
        let object = object(descriptor.as_ref());
        if matches!(object, CallObject::Socket { .. }) {
            self.tell(
                moment,
                RawKind::Call(Box::new(Call {
                    call,
                    result,
                    arguments,
                    texts: Vec::new(),
                    object,
                })),
            );
        }
        Some(())
    }

    pub(super) fn control(&mut self, moment: Moment, parameters: Parameters<'_>) -> Option<()> {
        let result = parameters.result()?;
        let is_copy = parameters
            .number("cmd")
            .is_some_and(|command| DUPLICATE.contains(&command));
        if let Some(old) = parameters.number("fd").filter(|_| is_copy && result >= 0) {
            let descriptor = self.world.descriptor(moment.tid, old).cloned();
            self.world.set_descriptor(moment.tid, result, descriptor);
        }
        Some(())
    }

    /// A file mapped to be executed; each once for a program.
    pub(super) fn map(&mut self, moment: Moment, parameters: Parameters<'_>) -> Option<()> {
        let (result, protection) = (parameters.result()?, parameters.number("prot").unwrap_or(0));
        // The highest page's numbers are errors; addresses of the kernel's half are nobody's.
        if protection & EXECUTE == 0 || result < 0 {
            return Some(());
        }
        let Some(Descriptor::File(path)) = parameters
            .number("fd")
            .and_then(|fd| self.world.descriptor(moment.tid, fd))
        else {
            return Some(());
        };
        let path = Arc::clone(path);
        let process = self.world.get(moment.tid)?;
        if process.libraries.len() < MAX_LIBRARIES && process.libraries.insert(Arc::clone(&path)) {
            let kind = RawKind::Load {
                path: path.as_ref().to_owned(),
                file: ExeFile::default(),
            };
            self.tell(moment, kind);
        }
        Some(())
    }
}
