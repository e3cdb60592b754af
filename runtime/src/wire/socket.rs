//! Addresses of sockets: `struct address_record` in.

use plimsoll_model::{SocketAddress, Transport};

use super::{Cursor, WireError, judged, text};
use crate::raw::RawKind;

pub(super) fn read_connect(cursor: &mut Cursor<'_>) -> Result<RawKind, WireError> {
    let (address, transport) = read_address(cursor)?;
    judged(u32::from(cursor.u16()?), RawKind::Connect { address, transport })
}

pub(super) fn read_failed_connect(cursor: &mut Cursor<'_>) -> Result<RawKind, WireError> {
    let (address, transport) = read_address(cursor)?;
    cursor.skip(2)?;
    Ok(RawKind::ConnectFailed {
        address,
        transport,
        error: cursor.i32()?,
    })
}

/// Longest name of a local socket, `UNIX_NAME_BYTES` of `bpf/record.h`.
const NAME_BYTES: usize = 108;

/// Abstract names begin with a NUL, which is written `@`, as other tools do.
pub(super) fn read_local(cursor: &mut Cursor<'_>) -> Result<RawKind, WireError> {
    let length = cursor.length()?.min(NAME_BYTES);
    cursor.skip(4)?;
    let name = cursor.bytes(length)?;
    let path = match name {
        [0, rest @ ..] => format!("@{}", String::from_utf8_lossy(rest).replace('\0', "@")),
        name => text::until_nul(name),
    };
    Ok(RawKind::ConnectLocal { path })
}

pub(super) fn read_address(cursor: &mut Cursor<'_>) -> Result<(SocketAddress, Transport), WireError> {
    let ip: [u8; 16] = cursor.array()?;
    let family = cursor.u16()?;
    let port = cursor.u16()?;
    let protocol = cursor.u16()?;
    let ip = match family {
        2 => std::net::Ipv4Addr::new(ip[0], ip[1], ip[2], ip[3]).into(),
        10 => std::net::Ipv6Addr::from(ip).to_canonical(),
        other => return Err(WireError::Family(other)),
    };
    let transport = match protocol {
        6 => Transport::Tcp,
        17 => Transport::Udp,
        _ => Transport::Other,
    };
    Ok((SocketAddress { ip, port }, transport))
}
