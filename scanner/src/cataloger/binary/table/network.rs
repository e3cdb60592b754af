//! Programs for names, addresses, tunnels and remote shells.

use crate::cataloger::binary::classifier::{Classifier, elf};

pub(super) const ALL: &[Classifier] = &[
    elf(
        "bind",
        &["named", "libdns-*.so", "libisc-*.so"],
        &[
            r"lib(?:dns|isc|ns)-(9\.[0-9]{1,2}\.[0-9]{1,3}(?:-[PS][0-9])?)[-.][^\x00]{0,40}so",
            r"BIND (9\.[0-9]{1,2}\.[0-9]{1,3})",
        ],
        &["isc:bind"],
    ),
    elf(
        "unbound",
        &["unbound", "unbound-checkconf", "unbound-control"],
        &[r"\x00unbound {version}\x00"],
        &["nlnetlabs:unbound"],
    ),
    elf(
        "dnsmasq",
        &["dnsmasq"],
        &[r"\x00dnsmasq-([0-9]\.[0-9]{1,3})[^0-9.]"],
        &["thekelleys:dnsmasq"],
    ),
    elf(
        "knot",
        &["knotd", "knotc"],
        &[r"Knot DNS {version}[^0-9.]"],
        &["nic:knot_dns"],
    ),
    elf(
        "pdns",
        &["pdns_server"],
        &[
            r"gcc {digits}\x00 {version}\x00",
            r"\x00{version}[-+.~0-9A-Za-z]{0,40}\x00' on '",
        ],
        &["powerdns:authoritative"],
    ),
    elf(
        "pdns-recursor",
        &["pdns_recursor"],
        &[r"\x00pdns-recursor {version}\x00"],
        &["powerdns:recursor"],
    ),
    elf(
        "dropbear",
        &["dropbear", "dbclient", "dropbearmulti"],
        &[r"SSH-2\.0-dropbear_{version}[^0-9.]"],
        &["dropbear_ssh_project:dropbear_ssh"],
    ),
    elf(
        "openssh",
        &["ssh", "sshd", "ssh-keyscan", "ssh-keysign", "sshd-session"],
        &[r"OpenSSH_([0-9]{1,2}\.[0-9]{1,2}p[0-9])[^0-9a-z]"],
        &["openbsd:openssh"],
    ),
    elf(
        "openvpn",
        &["openvpn"],
        &[r"\x00OpenVPN {version} "],
        &["openvpn:openvpn"],
    ),
    elf(
        "strongswan",
        &["charon"],
        &[r"\(strongSwan {version}, "],
        &["strongswan:strongswan"],
    ),
    elf(
        "wpa_supplicant",
        &["wpa_supplicant", "wpa_cli"],
        &[r"wpa_(?:supplicant|cli) v{version}\n"],
        &["w1.fi:wpa_supplicant"],
    ),
    elf(
        "hostapd",
        &["hostapd", "hostapd_cli"],
        &[r"hostapd_cli v{version}\n", r"\x00{version}\x00IEEE 802\.1X\x00"],
        &["w1.fi:hostapd"],
    ),
    elf(
        "chrony",
        &["chronyd", "chronyc"],
        &[r"\x00--version\x00{version}\x00"],
        &["chrony_project:chrony"],
    ),
    elf(
        "nmap",
        &["nmap"],
        &[r"https://nmap\.org\x00({digits}(?:SVN)?)\x00"],
        &["nmap:nmap"],
    ),
    elf(
        "tcpdump",
        &["tcpdump"],
        &[r"%s version {version}\n"],
        &["tcpdump:tcpdump"],
    ),
    elf(
        "rsync",
        &["rsync"],
        &[r#": "%s"\x00({digits}(?:pre[0-9])?)\x00"#, r"rsync  version {version} "],
        &["samba:rsync"],
    ),
    elf(
        "wget",
        &["wget"],
        &[
            r"\x00([12]\.[0-9]{1,2}(?:\.[0-9]{1,2})?)\x00{2}",
            r"Wget/{version}[^0-9.]",
        ],
        &["gnu:wget"],
    ),
];
