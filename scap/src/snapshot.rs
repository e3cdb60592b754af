//! What a capture says of the moment it began: the machine, its processes, their descriptors.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use plimsoll_model::{SocketAddress, Transport};

use crate::{
    cursor::{Cursor, text},
    limits::{MAX_ARGUMENT_BYTES, MAX_ARGUMENTS},
};

/// The machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Machine {
    pub(crate) name: String,
    /// Nanoseconds since the epoch; 0 in older captures.
    pub(crate) boot_ns: u64,
}

/// A thread that ran when the capture began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) tid: i64,
    pub(crate) pid: i64,
    pub(crate) parent_tid: i64,
    pub(crate) session: i64,
    pub(crate) comm: String,
    /// First argument.
    pub(crate) called: String,
    /// Path of the executable; empty in older captures.
    pub(crate) exe: String,
    /// The other arguments.
    pub(crate) args: Vec<String>,
    pub(crate) cwd: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// In its own pid namespace; -1 when not told.
    pub(crate) inner_pid: i64,
    /// Process group in its own pid namespace; -1 when not told.
    pub(crate) inner_group: i64,
    /// `controller=path`.
    pub(crate) cgroups: Vec<String>,
    pub(crate) tty: u32,
    pub(crate) login_uid: Option<u32>,
    pub(crate) permitted: Option<u64>,
    pub(crate) effective: Option<u64>,
    pub(crate) is_upper_layer: bool,
    pub(crate) is_memfd: bool,
    pub(crate) inode: u64,
}

/// What a descriptor is, as far as events about it need that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Descriptor {
    /// A file or folder by its absolute path.
    File(Arc<str>),
    /// A socket of IPv4 or IPv6.
    Socket {
        transport: Transport,
        local: Option<SocketAddress>,
        remote: Option<SocketAddress>,
    },
}

/// Reads the machine block: processors (u32), memory (u64), highest pid (u64), name (128 bytes), start (u64).
pub(crate) fn machine(body: &[u8]) -> Option<Machine> {
    let mut cursor = Cursor(body);
    cursor.take(20)?;
    let name = text(cursor.take(128)?);
    Some(Machine {
        name,
        boot_ns: cursor.u64().unwrap_or(0),
    })
}

/// Reads a list of processes of a version; `false` when it ends within one.
pub(crate) fn processes(version: u8, body: &[u8], mut take: impl FnMut(Listed)) -> bool {
    entries(Cursor(body), version >= 9, |entry| {
        take(process(version, entry)?);
        Some(())
    })
}

/// Reads entry after entry, each with its length in front of it in newer captures; `false` when they end within one.
fn entries(mut cursor: Cursor<'_>, have_lengths: bool, mut read: impl FnMut(&mut Cursor<'_>) -> Option<()>) -> bool {
    // Less is padding.
    while cursor.0.len() >= 4 {
        let is_read = match have_lengths {
            true => with_length(&mut cursor).and_then(|mut entry| read(&mut entry)),
            false => read(&mut cursor),
        };
        if is_read.is_none() {
            return false;
        }
    }
    true
}

/// The length counts its own four bytes. What is behind the fields that we know is passed over.
fn with_length<'b>(cursor: &mut Cursor<'b>) -> Option<Cursor<'b>> {
    let length = usize::try_from(cursor.u32()?).ok()?;
    cursor.take(length.checked_sub(4)?).map(Cursor)
}

fn signed(number: u64) -> i64 {
    i64::from_le_bytes(number.to_le_bytes())
}

/// One entry. Fields came one by one with the versions; those behind the last one stand at the end, as far as the entry's
/// length goes (falcosecurity/libs `scap_savefile.c`, `scap_read_proclist`).
fn process(version: u8, cursor: &mut Cursor<'_>) -> Option<Listed> {
    let since = |first: u8| version >= first;
    let (tid, pid, parent_tid) = (signed(cursor.u64()?), signed(cursor.u64()?), signed(cursor.u64()?));
    let session = if since(6) { signed(cursor.u64()?) } else { -1 };
    let inner_group = if since(8) { signed(cursor.u64()?) } else { -1 };
    let (comm, called) = (cursor.text()?, cursor.text()?);
    let exe = if since(7) { cursor.text()? } else { String::new() };
    let (args, cwd) = (texts(cursor.counted()?), cursor.text()?);
    // Limit of descriptors, flags.
    cursor.take(8 + 4)?;
    let (uid, gid) = (cursor.u32()?, cursor.u32()?);
    if since(2) {
        // Memory and page faults.
        cursor.take(3 * 4 + 2 * 8)?;
    }
    if since(3) {
        // Environment: nobody here asks for it.
        cursor.counted()?;
    }
    let (mut inner_pid, mut cgroups) = (-1, Vec::new());
    if since(4) {
        cursor.take(8)?;
        inner_pid = signed(cursor.u64()?);
        cgroups = texts(cursor.counted()?);
    }
    if since(5) {
        // Its root.
        cursor.counted()?;
    }
    let mut listed = Listed {
        tid,
        pid,
        parent_tid,
        session,
        comm,
        called,
        exe,
        args,
        cwd,
        uid,
        gid,
        inner_pid,
        inner_group,
        cgroups,
        tty: 0,
        login_uid: None,
        permitted: None,
        effective: None,
        is_upper_layer: false,
        is_memfd: false,
        inode: 0,
    };
    if since(9) {
        // What is missing at the end stays unknown.
        let _ = late_fields(cursor, &mut listed);
    }
    Some(listed)
}

/// Login user, whether the executable can be written, and capabilities: all that there was at the end before two fields
/// were put in front of them.
const END_BEFORE_TTY: usize = 4 + 1 + 3 * 8;

fn late_fields(cursor: &mut Cursor<'_>, listed: &mut Listed) -> Option<()> {
    if cursor.0.len() > END_BEFORE_TTY {
        // When its pid namespace began.
        cursor.u64()?;
        listed.tty = cursor.u32()?;
    }
    listed.login_uid = Some(cursor.u32()?).filter(|uid| *uid != u32::MAX);
    cursor.u8()?;
    cursor.u64()?;
    listed.permitted = Some(cursor.u64()?);
    listed.effective = Some(cursor.u64()?);
    listed.is_upper_layer = cursor.u8()? != 0;
    listed.inode = cursor.u64()?;
    // When that changed and was written.
    cursor.take(16)?;
    listed.is_memfd = cursor.u8()? != 0;
    Some(())
}

/// Texts that end in a zero byte each.
pub(crate) fn texts(bytes: &[u8]) -> Vec<String> {
    let bytes = bytes.strip_suffix(&[0]).unwrap_or(bytes);
    if bytes.is_empty() {
        return Vec::new();
    }
    let bytes = &bytes[..bytes.len().min(MAX_ARGUMENT_BYTES)];
    bytes.split(|byte| *byte == 0).take(MAX_ARGUMENTS).map(text).collect()
}

/// Reads the descriptors of one thread; `false` when they end within one.
pub(crate) fn descriptors(have_lengths: bool, body: &[u8], mut take: impl FnMut(i64, i64, Option<Descriptor>)) -> bool {
    let mut cursor = Cursor(body);
    let Some(tid) = cursor.u64().map(signed) else {
        return false;
    };
    entries(cursor, have_lengths, |entry| {
        let (number, descriptor) = descriptor(entry)?;
        take(tid, signed(number), descriptor);
        Some(())
    })
}

/// One descriptor: number, inode, type, and what the type says (falcosecurity/libs `scap_const.h`, `scap_fd_type`).
fn descriptor(cursor: &mut Cursor<'_>) -> Option<(u64, Option<Descriptor>)> {
    let (number, _inode) = (cursor.u64()?, cursor.u64()?);
    let kind = cursor.u8()?;
    let file = |path: String| path.starts_with('/').then(|| Descriptor::File(path.into()));
    let descriptor = match kind {
        3 | 4 => {
            let is_v6 = kind == 4;
            let (source, target) = (ip(cursor, is_v6)?, ip(cursor, is_v6)?);
            let (source_port, target_port) = (cursor.u16()?, cursor.u16()?);
            Some(Descriptor::Socket {
                transport: transport(cursor.u8()?),
                local: Some(address(source, source_port)),
                remote: Some(address(target, target_port)),
            })
        }
        5 | 6 => {
            let own = ip(cursor, kind == 6)?;
            let port = cursor.u16()?;
            Some(Descriptor::Socket {
                transport: transport(cursor.u8()?),
                local: Some(address(own, port)),
                remote: None,
            })
        }
        8 => {
            cursor.take(16)?;
            cursor.counted()?;
            None
        }
        16 => {
            // Flags of its open.
            cursor.u32()?;
            file(cursor.text()?)
        }
        1 | 2 => file(cursor.text()?),
        7 | 9..=15 | 17..=21 => {
            cursor.counted()?;
            None
        }
        _ => None,
    };
    Some((number, descriptor))
}

/// An address in network byte order.
pub(crate) fn ip(cursor: &mut Cursor<'_>, is_v6: bool) -> Option<IpAddr> {
    if is_v6 {
        let bytes: [u8; 16] = cursor.take(16)?.try_into().ok()?;
        return Some(IpAddr::from(Ipv6Addr::from(bytes)).to_canonical());
    }
    let bytes: [u8; 4] = cursor.take(4)?.try_into().ok()?;
    Some(Ipv4Addr::from(bytes).into())
}

pub(crate) fn address(ip: IpAddr, port: u16) -> SocketAddress {
    SocketAddress { ip, port }
}

fn transport(number: u8) -> Transport {
    match number {
        2 => Transport::Tcp,
        3 => Transport::Udp,
        _ => Transport::Other,
    }
}
