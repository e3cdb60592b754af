//! IP networks.

use std::{net::IpAddr, str::FromStr};

/// An address with a prefix length. An address alone is a network of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IpNet {
    bits: u128,
    mask: u128,
    is_v4: bool,
}

fn bits(ip: IpAddr) -> (u128, bool) {
    match ip {
        IpAddr::V4(ip) => (u128::from(u32::from(ip)), true),
        IpAddr::V6(ip) => (u128::from(ip), false),
    }
}

impl IpNet {
    /// Whether the address is in the network. Addresses of the other family never are.
    pub(crate) fn contains(&self, ip: IpAddr) -> bool {
        let (bits, is_v4) = bits(ip);
        is_v4 == self.is_v4 && bits & self.mask == self.bits
    }
}

impl FromStr for IpNet {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let (bits, is_v4) = bits(address.parse().map_err(|_| ())?);
        let width: u32 = if is_v4 { 32 } else { 128 };
        let length = match length {
            Some(length) => length.parse::<u32>().map_err(|_| ())?,
            None => width,
        };
        if length > width {
            return Err(());
        }
        let all = if is_v4 { u128::from(u32::MAX) } else { u128::MAX };
        let host_bits = width - length;
        let mask = if host_bits >= 128 {
            0
        } else {
            (all >> host_bits) << host_bits
        };
        Ok(Self {
            bits: bits & mask,
            mask,
            is_v4,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contains_what_its_mask_says() {
        for (net, ip, expected) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.1.2.3/8", "10.0.0.1", true),
            ("0.0.0.0/0", "1.2.3.4", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "2001:db8::1", true),
            ("fd00::/8", "fd12::1", true),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
        ] {
            let net: IpNet = net.parse().unwrap();
            assert_eq!(net.contains(ip.parse().unwrap()), expected, "{net:?} {ip}");
        }
        for text in ["10.0.0.0/33", "10.0.0/8", "x", "10.0.0.0/-1", "::/129"] {
            assert!(text.parse::<IpNet>().is_err(), "{text}");
        }
    }
}
