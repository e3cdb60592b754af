//! `fd.*`: the file or socket that it was done to.

use std::{fmt::Write, net::IpAddr};

use plimsoll_model::{CallObject, EventKind, SocketAddress, SystemCall, Transport};

use super::{
    Context, Field, FieldType, KindSet, Shape, Value, call, context::Slot, event::SOME_DESCRIPTOR, flags::O_DIRECTORY,
};

/// A socket: its peer when it connects, its own address when it serves.
struct Socket {
    /// The server's end.
    address: SocketAddress,
    /// The other end, where the kernel told it.
    client: Option<SocketAddress>,
    transport: Transport,
    is_server: bool,
}

fn socket(context: &Context<'_>) -> Option<Socket> {
    let (address, transport, is_server) = match &context.event()?.kind {
        EventKind::Connect { address, transport, .. } => (*address, *transport, false),
        EventKind::Bind { address, transport } | EventKind::Listen { address, transport } => {
            (*address, *transport, true)
        }
        EventKind::Call(call) => {
            let CallObject::Socket {
                local,
                remote,
                transport,
            } = call.object
            else {
                return None;
            };
            let is_server = matches!(call.call, SystemCall::Accept | SystemCall::Accept4);
            let (server, client) = if is_server { (local, remote) } else { (remote, local) };
            return Some(Socket {
                address: server,
                client: Some(client),
                transport,
                is_server,
            });
        }
        _ => return None,
    };
    Some(Socket {
        address,
        client: None,
        transport,
        is_server,
    })
}

fn path<'c>(context: &'c Context<'c>) -> Option<&'c str> {
    match &context.event()?.kind {
        EventKind::Open { path, .. } | EventKind::Load { path, .. } | EventKind::ConnectLocal { path } => Some(path),
        EventKind::Call(call) => call::object_path(call),
        _ => None,
    }
}

/// As the caller wrote it.
fn asked<'c>(context: &'c Context<'c>) -> Option<&'c str> {
    match &context.event()?.kind {
        EventKind::Open { asked, .. } => asked.as_deref(),
        _ => None,
    }
}

fn two_paths(context: &Context<'_>, show: &mut dyn FnMut(Value<'_>), wants_source: bool) {
    let Some(EventKind::Call(call)) = context.event().map(|event| &event.kind) else {
        return;
    };
    if let Some((source, target)) = call.source_and_target() {
        show(Value::Text(if wants_source { &source } else { &target }));
    }
}

fn name<'c>(context: &'c Context<'c>) -> Option<Value<'c>> {
    if let Some(path) = path(context) {
        return Some(Value::Text(path));
    }
    let socket = socket(context)?;
    Some(context.cached(Slot::DescriptorName, |out| {
        let SocketAddress { ip, port } = socket.address;
        let _ = if let Some(client) = socket.client {
            write!(out, "{}:{}->{ip}:{port}", client.ip, client.port)
        } else if socket.is_server {
            write!(out, "{ip}:{port}")
        } else {
            // The local end is not known before the kernel chose it.
            let any = if ip.is_ipv4() { "0.0.0.0" } else { "::" };
            write!(out, "{any}:0->{ip}:{port}")
        };
    }))
}

fn directory(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) => "/",
        Some(slash) => &path[..slash],
        None => "/",
    }
}

fn type_char(context: &Context<'_>) -> Option<&'static str> {
    if let EventKind::Open { flags, .. } = &context.event()?.kind {
        return Some(if flags & O_DIRECTORY != 0 { "d" } else { "f" });
    }
    if let EventKind::ConnectLocal { .. } = &context.event()?.kind {
        return Some("u");
    }
    if path(context).is_some() {
        return Some("f");
    }
    Some(if socket(context)?.address.ip.is_ipv4() {
        "4"
    } else {
        "6"
    })
}

fn type_name(letter: &str) -> &'static str {
    match letter {
        "d" => "directory",
        "4" => "ipv4",
        "6" => "ipv6",
        "u" => "unix",
        _ => "file",
    }
}

fn transport(context: &Context<'_>) -> Option<&'static str> {
    Some(match socket(context)?.transport {
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
        Transport::Other => "raw",
    })
}

fn ip(context: &Context<'_>) -> Option<IpAddr> {
    Some(socket(context)?.address.ip)
}

fn port(context: &Context<'_>) -> Option<i64> {
    Some(i64::from(socket(context)?.address.port))
}

fn remote(context: &Context<'_>) -> Option<SocketAddress> {
    let socket = socket(context)?;
    if socket.is_server {
        socket.client
    } else {
        Some(socket.address)
    }
}

fn local(context: &Context<'_>) -> Option<SocketAddress> {
    let socket = socket(context)?;
    if socket.is_server {
        Some(socket.address)
    } else {
        socket.client
    }
}

const fn address(name: &'static str, kind: FieldType, doc: &'static str, get: super::table::One) -> Field {
    Field::new(name, kind, doc, super::Getter::One(get)).kinds(KindSet::NETWORK)
}

pub(super) const FIELDS: &[Field] = &[
    Field::number(
        "fd.num",
        "Number of the descriptor. Sensors do not record it: negative when the open failed, else a large number.",
        |c, _| match &c.event()?.kind {
            EventKind::Open { error, .. } if *error < 0 => Some(Value::Number(i64::from(*error))),
            EventKind::Open { .. } | EventKind::Load { .. } | EventKind::ConnectLocal { .. } => {
                Some(Value::Number(SOME_DESCRIPTOR))
            }
            EventKind::Call(call) if matches!(call.object, CallObject::Socket { .. }) => {
                Some(Value::Number(call.result))
            }
            _ => socket(c).map(|_| Value::Number(SOME_DESCRIPTOR)),
        },
    )
    .kinds(KindSet::FD),
    Field::text("fd.type", "`file`, `directory`, `ipv4`, `ipv6` or `unix`.", |c, _| {
        type_char(c).map(type_name).map(Value::Text)
    })
    .kinds(KindSet::FD),
    Field::text("fd.typechar", "`f`, `d`, `4`, `6` or `u`.", |c, _| {
        type_char(c).map(Value::Text)
    })
    .kinds(KindSet::FD),
    Field::text(
        "fd.name",
        "Full path, or `local->remote` of a connection, or the address of a server; of a local socket, the name that its server gave it.",
        |c, _| name(c),
    )
    .kinds(KindSet::FD),
    Field::text(
        "fd.nameraw",
        "Path as the caller wrote it, read from its memory when the call returned.",
        |c, _| asked(c).or_else(|| path(c)).map(Value::Text),
    )
    .kinds(KindSet::OPEN),
    Field::many(
        "fs.path.name",
        FieldType::Text,
        "Path that the event is about, absolute: of an open, of what is removed, made or changed.",
        |c, _, show| match c.event().map(|event| &event.kind) {
            Some(EventKind::Open { path, .. }) => show(Value::Text(path)),
            Some(EventKind::Call(call)) => {
                if let Some(path) = call::one_path(call) {
                    show(Value::Text(&path));
                }
            }
            _ => {}
        },
    )
    .kinds(KindSet::OPEN.with(KindSet::ONE_PATH)),
    Field::text(
        "fs.path.nameraw",
        "As `fd.nameraw`; of calls, the text as it was given.",
        |c, _| match &c.event()?.kind {
            EventKind::Call(call) => call.texts.first().map(|text| Value::Text(text)),
            _ => asked(c).or_else(|| path(c)).map(Value::Text),
        },
    )
    .kinds(KindSet::OPEN.with(KindSet::ONE_PATH)),
    Field::many(
        "fs.path.source",
        FieldType::Text,
        "What is renamed, linked to or mounted.",
        |c, _, show| two_paths(c, show, true),
    )
    .kinds(KindSet::TWO_PATHS),
    Field::many(
        "fs.path.target",
        FieldType::Text,
        "The new name, the link, the place that is mounted on.",
        |c, _, show| two_paths(c, show, false),
    )
    .kinds(KindSet::TWO_PATHS),
    Field::text("fd.directory", "Directory of the file.", |c, _| {
        path(c).map(directory).map(Value::Text)
    })
    .kinds(
        KindSet::OPEN
            .with(KindSet::FILE_CALLS)
            .with(KindSet::LOAD)
            .with(KindSet::CONNECT_LOCAL),
    ),
    Field::text("fd.filename", "Name of the file without its directory.", |c, _| {
        path(c)?.rsplit('/').next().map(Value::Text)
    })
    .kinds(
        KindSet::OPEN
            .with(KindSet::FILE_CALLS)
            .with(KindSet::LOAD)
            .with(KindSet::CONNECT_LOCAL),
    ),
    Field::number("fd.ino", "Inode number of the file.", |c, _| match &c.event()?.kind {
        EventKind::Open { inode, .. } if *inode != 0 => i64::try_from(*inode).ok().map(Value::Number),
        EventKind::Load { file, .. } => i64::try_from(file.inode).ok().map(Value::Number),
        _ => None,
    })
    .kinds(KindSet::OPEN.with(KindSet::LOAD)),
    Field::new(
        "fd.is_upper_layer",
        FieldType::Bool,
        "Whether a loaded library was written after the container started; known of these only.",
        super::Getter::One(|c, _| match &c.event()?.kind {
            EventKind::Load { file, .. } => Some(Value::Bool(file.is_upper_layer)),
            _ => None,
        }),
    )
    .kinds(KindSet::LOAD),
    address("fd.ip", FieldType::Ip, "Address of either end.", |c, _| {
        ip(c).map(Value::Ip)
    })
    .shape(Shape::EitherEnd),
    address("fd.net", FieldType::Net, "Network of either end.", |c, _| {
        ip(c).map(Value::Ip)
    })
    .shape(Shape::EitherEnd),
    address("fd.port", FieldType::Number, "Port of either end.", |c, _| {
        port(c).map(Value::Number)
    })
    .shape(Shape::EitherEnd),
    address("fd.sip", FieldType::Ip, "Address of the server.", |c, _| {
        ip(c).map(Value::Ip)
    }),
    address("fd.snet", FieldType::Net, "Network of the server.", |c, _| {
        ip(c).map(Value::Ip)
    }),
    address("fd.sport", FieldType::Number, "Port of the server.", |c, _| {
        port(c).map(Value::Number)
    }),
    address("fd.rip", FieldType::Ip, "Address of the remote end.", |c, _| {
        remote(c).map(|end| Value::Ip(end.ip))
    })
    .kinds(KindSet::CONNECT.with(KindSet::DUP).with(KindSet::ACCEPT)),
    address("fd.rnet", FieldType::Net, "Network of the remote end.", |c, _| {
        remote(c).map(|end| Value::Ip(end.ip))
    })
    .kinds(KindSet::CONNECT.with(KindSet::DUP).with(KindSet::ACCEPT)),
    address("fd.rport", FieldType::Number, "Port of the remote end.", |c, _| {
        remote(c).map(|end| Value::Number(i64::from(end.port)))
    })
    .kinds(KindSet::CONNECT.with(KindSet::DUP).with(KindSet::ACCEPT)),
    address(
        "fd.lip",
        FieldType::Ip,
        "Address of the local end, of servers.",
        |c, _| local(c).map(|end| Value::Ip(end.ip)),
    )
    .kinds(KindSet::NETWORK),
    address(
        "fd.lnet",
        FieldType::Net,
        "Network of the local end, of servers.",
        |c, _| local(c).map(|end| Value::Ip(end.ip)),
    )
    .kinds(KindSet::NETWORK),
    address(
        "fd.lport",
        FieldType::Number,
        "Port of the local end, of servers.",
        |c, _| local(c).map(|end| Value::Number(i64::from(end.port))),
    )
    .kinds(KindSet::NETWORK),
    address("fd.l4proto", FieldType::Text, "`tcp`, `udp` or `raw`.", |c, _| {
        transport(c).map(Value::Text)
    }),
    address("fd.sockfamily", FieldType::Text, "`ip`.", |c, _| {
        socket(c).map(|_| Value::Text("ip"))
    }),
    address(
        "fd.is_server",
        FieldType::Bool,
        "Whether this end is the server.",
        |c, _| socket(c).map(|socket| Value::Bool(socket.is_server)),
    ),
    address(
        "fd.connected",
        FieldType::Bool,
        "Whether the connection was made at once.",
        |c, _| match &c.event()?.kind {
            EventKind::Connect { error, .. } => Some(Value::Bool(*error == 0)),
            EventKind::Call(_) => Some(Value::Bool(remote(c).is_some_and(|end| end.port != 0))),
            _ => Some(Value::Bool(false)),
        },
    ),
    address(
        "fd.name_changed",
        FieldType::Bool,
        "Whether this event changed `fd.name`.",
        |c, _| Some(Value::Bool(matches!(&c.event()?.kind, EventKind::Connect { .. }))),
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_have_no_slash_at_the_end() {
        assert_eq!(directory("/etc/passwd"), "/etc");
        assert_eq!(directory("/passwd"), "/");
        assert_eq!(directory("passwd"), "/");
    }
}
