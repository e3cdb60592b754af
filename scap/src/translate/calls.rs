//! Calls that are told as they are: numbers, texts, and what their descriptor is.

use std::net::{IpAddr, Ipv4Addr};

use plimsoll_model::{Call, CallObject, Credentials, SocketAddress, SystemCall};
use plimsoll_runtime::raw::RawKind;

use super::{Moment, Parameters, Translation};
use crate::{
    cursor::low_bits,
    numbers,
    snapshot::Descriptor,
    table::{Numbered, Shape, Text},
};

/// An end of a socket that is not known.
const NOWHERE: SocketAddress = SocketAddress {
    ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    port: 0,
};
/// An id that stays as it is.
const UNCHANGED: u32 = u32::MAX;

/// What a descriptor is, as calls tell it.
pub(super) fn object(descriptor: Option<&Descriptor>) -> CallObject {
    match descriptor {
        None => CallObject::Nothing,
        Some(Descriptor::File(path)) => CallObject::File {
            path: path.as_ref().to_owned(),
        },
        Some(Descriptor::Socket {
            transport,
            local,
            remote,
        }) => CallObject::Socket {
            local: local.unwrap_or(NOWHERE),
            remote: remote.unwrap_or(NOWHERE),
            transport: *transport,
        },
    }
}

impl Translation<'_> {
    pub(super) fn call(&mut self, moment: Moment, parameters: Parameters<'_>, shape: &Shape) -> Option<()> {
        let result = parameters.result()?;
        let mut arguments = [0; 4];
        for (place, numbered) in shape.arguments {
            let value = match numbered {
                Numbered::Plain(name) => parameters
                    .number(name)
                    .map(|number| u64::from_le_bytes(number.to_le_bytes())),
                Numbered::Clone(name) => {
                    let bits = parameters.number(name).map(low_bits);
                    bits.map(|bits| u64::from(numbers::clone(bits)))
                }
                Numbered::Ptrace(name) => {
                    let request = parameters.number(name).map(low_bits);
                    request.map(|request| u64::from(numbers::ptrace(request)))
                }
            };
            if let (Some(argument), Some(value)) = (arguments.get_mut(*place), value) {
                *argument = value;
            }
        }
        // A path of which the capture lacks the call's beginning: nothing can be said of it.
        let Some(texts) = self.texts(moment, parameters, shape) else {
            return Some(());
        };
        let call = Call {
            call: shape.call,
            result,
            arguments,
            texts,
            object: self.object(moment, parameters, shape),
        };
        if result == 0 {
            self.become_another(moment, &call);
        }
        self.tell(moment, RawKind::Call(Box::new(call)));
        Some(())
    }

    /// The call's descriptor, or the folder that its first relative path begins at.
    fn object(&self, moment: Moment, parameters: Parameters<'_>, shape: &Shape) -> CallObject {
        if let Some(name) = shape.object {
            let number = parameters.number(name);
            return object(number.and_then(|number| self.world.descriptor(moment.tid, number)));
        }
        let begin = shape.texts.iter().find_map(|text| match text {
            Text::Path(_, begin) => Some(*begin),
            Text::Plain(_) => None,
        });
        let folder = begin.and_then(|begin| {
            let descriptor = begin.and_then(|name| parameters.number(name));
            self.world.folder(moment.tid, descriptor)
        });
        folder.map_or(CallObject::Nothing, |folder| CallObject::File {
            path: folder.to_owned(),
        })
    }

    /// Texts as they were given. A second path that begins elsewhere is made absolute: a call names one folder.
    fn texts(&self, moment: Moment, parameters: Parameters<'_>, shape: &Shape) -> Option<Vec<String>> {
        let mut first = None;
        let texts = shape.texts.iter().map(|text| match text {
            Text::Plain(name) => Some(parameters.text(name).unwrap_or_default()),
            Text::Path(name, begin) => {
                let path = parameters.text(name)?;
                let descriptor = begin.and_then(|name| parameters.number(name));
                let folder = self.world.folder(moment.tid, descriptor);
                match *first.get_or_insert(folder) == folder {
                    true => Some(path),
                    false => Some(self.world.absolute(moment.tid, descriptor, &path)),
                }
            }
        });
        texts.collect()
    }

    /// Users and groups after a call that changes them.
    fn become_another(&mut self, moment: Moment, call: &Call) {
        let [first, second, ..] = call
            .arguments
            .map(|number| low_bits(i64::from_le_bytes(number.to_le_bytes())));
        let Some(process) = self.world.get(moment.tid) else {
            return;
        };
        let Credentials {
            uid, gid, euid, egid, ..
        } = &mut process.task.credentials;
        let set = |id: &mut u32, to: u32| {
            if to != UNCHANGED {
                *id = to;
            }
        };
        match call.call {
            SystemCall::Setuid => {
                if *euid == 0 {
                    set(uid, first);
                }
                set(euid, first);
            }
            SystemCall::Setgid => {
                if *euid == 0 {
                    set(gid, first);
                }
                set(egid, first);
            }
            SystemCall::Setreuid | SystemCall::Setresuid => {
                set(uid, first);
                set(euid, second);
            }
            SystemCall::Setregid | SystemCall::Setresgid => {
                set(gid, first);
                set(egid, second);
            }
            _ => {}
        }
    }
}
