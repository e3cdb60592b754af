//! IP address in, how far away it is out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use plimsoll_model::PeerScope;

/// How far away an address is, from the address alone. The unspecified address means this host: the kernel connects it
/// to loopback.
pub fn scope_of(ip: IpAddr) -> PeerScope {
    match ip {
        IpAddr::V4(ip) => scope_of_v4(ip),
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(mapped) => scope_of_v4(mapped),
            None => scope_of_v6(ip),
        },
    }
}

fn scope_of_v4(ip: Ipv4Addr) -> PeerScope {
    let [a, b, ..] = ip.octets();
    // 100.64.0.0/10 is carrier-grade NAT (RFC 6598).
    let is_shared = a == 100 && b & 0b1100_0000 == 64;
    if ip.is_loopback() || ip.is_unspecified() {
        PeerScope::Loopback
    } else if ip.is_private() || ip.is_link_local() || is_shared {
        PeerScope::Private
    } else {
        PeerScope::Public
    }
}

fn scope_of_v6(ip: Ipv6Addr) -> PeerScope {
    if ip.is_loopback() || ip.is_unspecified() {
        PeerScope::Loopback
    } else if ip.is_unique_local() || ip.is_unicast_link_local() {
        PeerScope::Private
    } else {
        PeerScope::Public
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_near_from_far() {
        for (text, expected) in [
            ("127.0.0.1", PeerScope::Loopback),
            ("127.9.9.9", PeerScope::Loopback),
            ("0.0.0.0", PeerScope::Loopback),
            ("::1", PeerScope::Loopback),
            ("::ffff:127.0.0.1", PeerScope::Loopback),
            ("10.88.0.3", PeerScope::Private),
            ("172.31.0.1", PeerScope::Private),
            ("172.32.0.1", PeerScope::Public),
            ("192.168.1.1", PeerScope::Private),
            ("169.254.169.254", PeerScope::Private),
            ("100.64.0.1", PeerScope::Private),
            ("100.128.0.1", PeerScope::Public),
            ("fd00::1", PeerScope::Private),
            ("fe80::1", PeerScope::Private),
            ("::ffff:10.0.0.1", PeerScope::Private),
            ("8.8.8.8", PeerScope::Public),
            ("2001:db8::1", PeerScope::Public),
        ] {
            assert_eq!(scope_of(text.parse().unwrap()), expected, "{text}");
        }
    }
}
