//! The service manager's protocol (sd_notify(3)): states in, datagrams to the socket that `NOTIFY_SOCKET` names out. Without
//! it nothing is sent.

use std::{
    env,
    ffi::OsStr,
    os::{
        linux::net::SocketAddrExt as _,
        unix::ffi::OsStrExt as _,
        unix::net::{SocketAddr, UnixDatagram},
    },
};

/// The socket of the service manager, if there is one.
#[derive(Debug, Default)]
pub(super) struct Manager(Option<(UnixDatagram, SocketAddr)>);

impl Manager {
    /// As the environment says.
    pub(super) fn find() -> Self {
        Self(env::var_os("NOTIFY_SOCKET").and_then(|name| connect(&name)))
    }

    /// Says `READY=1`, `STOPPING=1`, `WATCHDOG=1`. A manager that does not listen is no reason to stop watching.
    pub(super) fn tell(&self, state: &str) {
        if let Some((socket, address)) = &self.0
            && let Err(error) = socket.send_to_addr(state.as_bytes(), address)
        {
            tracing::debug!(%error, state, "service manager not told");
        }
    }
}

fn connect(name: &OsStr) -> Option<(UnixDatagram, SocketAddr)> {
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(name),
    };
    let socket = UnixDatagram::unbound().ok()?;
    // The manager's queue may be full: then this state is not told, and the next one is.
    socket.set_nonblocking(true).ok()?;
    Some((socket, address.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_reach_a_socket_by_path_and_by_abstract_name() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join("notify");
        let name = format!("plimsoll-test-{}", std::process::id());
        let abstract_address = SocketAddr::from_abstract_name(&name).expect("a short name");
        let listeners = [
            (path.clone().into_os_string(), UnixDatagram::bind(&path)),
            (
                std::ffi::OsString::from(format!("@{name}")),
                UnixDatagram::bind_addr(&abstract_address),
            ),
        ];
        for (name, listener) in listeners {
            let listener = listener.expect("the address is free");
            Manager(connect(&name)).tell("READY=1");
            let mut buffer = [0; 32];
            let length = listener.recv(&mut buffer).expect("a datagram has come");
            assert_eq!(&buffer[..length], b"READY=1");
        }
        Manager(connect(OsStr::new("/nonexistent/socket"))).tell("READY=1");
        Manager::default().tell("READY=1");
    }
}
