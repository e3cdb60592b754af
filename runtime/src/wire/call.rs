//! The part of a system call's record behind its head in, a [`Call`] out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use plimsoll_model::{Call, CallObject, SocketAddress, SystemCall, Transport};

use super::{ASKED_BYTES, Cursor, TEXT_AT, WireError, path, text};

/// Flag of `bpf/record.h`: the object is no path but a `struct socket_object`.
const SOCKET: u32 = 8;

pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Call, WireError> {
    let number = cursor.u32()?;
    let call = SystemCall::from_number(number).ok_or(WireError::Call(number))?;
    let object_flags = cursor.u32()?;
    let result = i64::from_ne_bytes(cursor.array()?);
    let arguments = [cursor.u64()?, cursor.u64()?, cursor.u64()?, cursor.u64()?];
    let object_length = usize::from(cursor.u16()?);
    let text_lengths = [cursor.u16()?, cursor.u16()?, cursor.u16()?];
    cursor.seek(TEXT_AT)?;
    let object = cursor.bytes(object_length)?;
    let object = match object_flags {
        SOCKET => read_socket(&mut Cursor::new(object))?,
        _ if object.is_empty() && object_flags == 0 => CallObject::Nothing,
        flags => CallObject::File {
            path: path::absolute(object, flags),
        },
    };
    let mut texts = Vec::new();
    for length in text_lengths {
        if length > 0 {
            texts.push(text::limited(cursor.bytes(usize::from(length))?, ASKED_BYTES));
        }
    }
    Ok(Call {
        call,
        result,
        arguments,
        texts,
        object,
    })
}

fn read_socket(cursor: &mut Cursor<'_>) -> Result<CallObject, WireError> {
    let family = cursor.u16()?;
    let protocol = cursor.u16()?;
    let ports = [cursor.u16()?, cursor.u16()?];
    let ips: [[u8; 16]; 2] = [cursor.array()?, cursor.array()?];
    let end = |index: usize| -> Result<SocketAddress, WireError> {
        Ok(SocketAddress {
            ip: ip(family, ips[index])?,
            port: ports[index],
        })
    };
    Ok(CallObject::Socket {
        local: end(0)?,
        remote: end(1)?,
        transport: match protocol {
            6 => Transport::Tcp,
            17 => Transport::Udp,
            _ => Transport::Other,
        },
    })
}

/// Mapped addresses stay IPv6 here: which kind of socket it is, is what rules ask.
fn ip(family: u16, bytes: [u8; 16]) -> Result<IpAddr, WireError> {
    match family {
        2 => Ok(Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]).into()),
        10 => Ok(Ipv6Addr::from(bytes).into()),
        other => Err(WireError::Family(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What follows a record's head.
    fn record(flags: u32, object: &[u8], texts: &[&str]) -> Vec<u8> {
        let mut bytes = vec![0; super::super::HEAD_BYTES];
        let number = SystemCall::ALL
            .iter()
            .position(|call| *call == SystemCall::Symlinkat)
            .unwrap();
        bytes.extend(u32::try_from(number).unwrap().to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend((-17i64).to_ne_bytes());
        (1..=4u64).for_each(|number| bytes.extend(number.to_ne_bytes()));
        let mut lengths = [0u16; 4];
        lengths[0] = u16::try_from(object.len()).unwrap();
        for (length, text) in lengths[1..].iter_mut().zip(texts) {
            *length = u16::try_from(text.len()).unwrap();
        }
        lengths.iter().for_each(|length| bytes.extend(length.to_ne_bytes()));
        bytes.resize(TEXT_AT, 0);
        bytes.extend(object);
        texts.iter().for_each(|text| bytes.extend(text.as_bytes()));
        bytes
    }

    fn decoded(bytes: &[u8]) -> Result<Call, WireError> {
        let mut cursor = Cursor::new(bytes);
        cursor.skip(super::super::HEAD_BYTES)?;
        read(&mut cursor)
    }

    #[test]
    fn reads_folder_and_texts() {
        let bytes = record(1, b"sub\0tmp\0", &["/etc/shadow\0", "link\0"]);
        let call = decoded(&bytes).unwrap();
        assert_eq!((call.call, call.result), (SystemCall::Symlinkat, -17));
        assert_eq!(call.arguments, [1, 2, 3, 4]);
        assert_eq!(call.texts, ["/etc/shadow", "link"]);
        let path = "/tmp/sub".to_owned();
        assert_eq!(call.object, CallObject::File { path });
        for length in 0..bytes.len() {
            assert_eq!(decoded(&bytes[..length]), Err(WireError::Short), "cut to {length}");
        }
    }

    #[test]
    fn reads_both_ends_of_a_socket() {
        let mut object = vec![2, 0, 6, 0, 80, 0, 90, 0];
        object.extend([[127, 0, 0, 1].as_slice(), &[0; 12], &[10, 0, 0, 9], &[0; 12]].concat());
        let call = decoded(&record(SOCKET, &object, &[])).unwrap();
        let address = |ip: &str, port| SocketAddress {
            ip: ip.parse().unwrap(),
            port,
        };
        let expected = CallObject::Socket {
            local: address("127.0.0.1", 80),
            remote: address("10.0.0.9", 90),
            transport: Transport::Tcp,
        };
        assert_eq!(call.object, expected);
        assert!(call.texts.is_empty());
    }

    #[test]
    fn a_call_without_object_has_none() {
        assert_eq!(decoded(&record(0, b"", &[])).unwrap().object, CallObject::Nothing);
    }
}
