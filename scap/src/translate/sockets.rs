//! Sockets are made, bound, connected; connections come in.

use plimsoll_model::{Call, CallObject, SocketAddress, SystemCall, Transport};
use plimsoll_runtime::raw::RawKind;

use super::{Moment, Parameters, Translation, calls::object};
use crate::{
    cursor::{Cursor, low},
    snapshot::{Descriptor, address, ip},
};

const IPV4: i64 = 2;
const IPV6: i64 = 10;
const STREAM: i64 = 1;
const DATAGRAM: i64 = 2;
/// `type` without `SOCK_CLOEXEC` and `SOCK_NONBLOCK`.
const TYPE: i64 = 0xf;
/// The connection is being made: no failure.
const IN_PROGRESS: i64 = -115;

/// An address: family (u8), then for IP the address in network order and the port in the writer's (falcosecurity/libs
/// `driver/ppm_fillers.c`). `None` for other families.
fn socket_address(bytes: &[u8]) -> Option<SocketAddress> {
    let mut cursor = Cursor(bytes);
    let is_v6 = is_v6(cursor.u8()?)?;
    let own = ip(&mut cursor, is_v6)?;
    Some(address(own, cursor.u16()?))
}

/// Source and target, laid out alike.
fn pair(bytes: &[u8]) -> Option<(SocketAddress, SocketAddress)> {
    let mut cursor = Cursor(bytes);
    let is_v6 = is_v6(cursor.u8()?)?;
    let source = (ip(&mut cursor, is_v6)?, cursor.u16()?);
    let target = (ip(&mut cursor, is_v6)?, cursor.u16()?);
    Some((address(source.0, source.1), address(target.0, target.1)))
}

fn is_v6(family: u8) -> Option<bool> {
    match i64::from(family) {
        IPV4 => Some(false),
        IPV6 => Some(true),
        _ => None,
    }
}

impl Translation<'_> {
    pub(super) fn socket(&mut self, moment: Moment, parameters: Parameters<'_>) -> Option<()> {
        let result = parameters.result()?;
        let number = |name: &str| parameters.number(name).unwrap_or(0);
        let (domain, kind, protocol) = (number("domain"), number("type"), number("proto"));
        if result >= 0 {
            let transport = match kind & TYPE {
                STREAM => Transport::Tcp,
                DATAGRAM => Transport::Udp,
                _ => Transport::Other,
            };
            let descriptor = (domain == IPV4 || domain == IPV6).then_some(Descriptor::Socket {
                transport,
                local: None,
                remote: None,
            });
            self.world.set_descriptor(moment.tid, result, descriptor);
        }
        let bits = |number: i64| u64::from_le_bytes(number.to_le_bytes());
        let call = Call {
            call: SystemCall::Socket,
            result,
            arguments: [bits(domain), bits(kind), bits(protocol), 0],
            texts: Vec::new(),
            object: CallObject::Nothing,
        };
        self.tell(moment, RawKind::Call(Box::new(call)));
        Some(())
    }

    pub(super) fn bind(&mut self, moment: Moment, parameters: Parameters<'_>) -> Option<()> {
        if parameters.result()? != 0 {
            return Some(());
        }
        let Some(own) = parameters.bytes("addr").and_then(socket_address) else {
            return Some(());
        };
        let mut transport = Transport::Other;
        if let Some(number) = parameters.number("fd") {
            let known = self.world.descriptor(moment.tid, number).cloned();
            if let Some(Descriptor::Socket {
                transport: known,
                remote,
                ..
            }) = known
            {
                transport = known;
                let bound = Descriptor::Socket {
                    transport,
                    local: Some(own),
                    remote,
                };
                self.world.set_descriptor(moment.tid, number, Some(bound));
            }
        }
        self.tell(
            moment,
            RawKind::Bind {
                address: own,
                transport,
            },
        );
        Some(())
    }

    pub(super) fn listen(&mut self, moment: Moment, parameters: Parameters<'_>) -> Option<()> {
        if parameters.result()? != 0 {
            return Some(());
        }
        let descriptor = parameters
            .number("fd")
            .and_then(|number| self.world.descriptor(moment.tid, number));
        if let Some(Descriptor::Socket {
            transport,
            local: Some(own),
            ..
        }) = descriptor
        {
            let (address, transport) = (*own, *transport);
            self.tell(moment, RawKind::Listen { address, transport });
        }
        Some(())
    }

    pub(super) fn connect(&mut self, moment: Moment, parameters: Parameters<'_>) -> Option<()> {
        let result = match parameters.result()? {
            IN_PROGRESS => 0,
            result => result,
        };
        let ends = parameters.bytes("tuple").and_then(pair);
        let target = ends.map(|(_, target)| target);
        let Some(peer) = target.or_else(|| parameters.bytes("addr").and_then(socket_address)) else {
            return Some(());
        };
        let own = ends.map(|(source, _)| source);
        let transport = self.join(moment, parameters, own, peer);
        let address = peer;
        let kind = match result < 0 {
            true => RawKind::ConnectFailed {
                address,
                transport,
                error: low(result),
            },
            false => RawKind::Connect { address, transport },
        };
        self.tell(moment, kind);
        Some(())
    }

    /// A datagram to a peer that this socket had not sent to is a connection, as with our sensors.
    pub(super) fn send(&mut self, moment: Moment, parameters: Parameters<'_>) -> Option<()> {
        if parameters.result()? < 0 {
            return Some(());
        }
        let Some((own, peer)) = parameters.bytes("tuple").and_then(pair) else {
            return Some(());
        };
        let Some(number) = parameters.number("fd") else {
            return Some(());
        };
        let is_new = match self.world.descriptor(moment.tid, number) {
            Some(Descriptor::Socket { transport, remote, .. }) => *transport != Transport::Tcp && *remote != Some(peer),
            _ => false,
        };
        if is_new && peer.port != 0 {
            let transport = self.join(moment, parameters, Some(own), peer);
            let act = RawKind::Connect {
                address: peer,
                transport,
            };
            self.tell(moment, act);
        }
        Some(())
    }

    /// Remembers both ends; the socket's protocol.
    fn join(
        &mut self,
        moment: Moment,
        parameters: Parameters<'_>,
        own: Option<SocketAddress>,
        peer: SocketAddress,
    ) -> Transport {
        let Some(number) = parameters.number("fd") else {
            return Transport::Other;
        };
        let Some(Descriptor::Socket { transport, local, .. }) = self.world.descriptor(moment.tid, number) else {
            return Transport::Other;
        };
        let (transport, local) = (*transport, own.or(*local));
        let joined = Descriptor::Socket {
            transport,
            local,
            remote: Some(peer),
        };
        self.world.set_descriptor(moment.tid, number, Some(joined));
        transport
    }

    pub(super) fn accept(&mut self, moment: Moment, parameters: Parameters<'_>, call: SystemCall) -> Option<()> {
        let result = parameters.result()?;
        let accepted = parameters
            .bytes("tuple")
            .and_then(pair)
            .map(|(client, server)| Descriptor::Socket {
                transport: Transport::Tcp,
                local: Some(server),
                remote: Some(client),
            });
        let object = object(accepted.as_ref());
        if result >= 0 {
            self.world.set_descriptor(moment.tid, result, accepted);
        }
        // Connections of other families are not told, as with our sensor.
        if object != CallObject::Nothing {
            let call = Call {
                call,
                result,
                arguments: [0; 4],
                texts: Vec::new(),
                object,
            };
            self.tell(moment, RawKind::Call(Box::new(call)));
        }
        Some(())
    }
}
