//! Web servers, proxies and mail.

use crate::cataloger::binary::classifier::{Classifier, Look, elf, row};

pub(super) const ALL: &[Classifier] = &[
    elf(
        "nginx",
        &["nginx", "nginx-debug"],
        &[r"nginx version: nginx/{version}[^0-9.]", r"\x00nginx/{version}\x00"],
        &["f5:nginx", "nginx:nginx"],
    ),
    elf(
        "openresty",
        &["nginx", "openresty"],
        &[r"\x00?openresty/{version}[^0-9.]"],
        &["openresty:openresty"],
    ),
    elf(
        "tengine",
        &["nginx", "tengine"],
        &[r"Tengine/{version}[^0-9.]"],
        &["alibaba:tengine"],
    ),
    elf("angie", &["angie"], &[r"Angie/{version}[^0-9.]"], &[]),
    elf(
        "freenginx",
        &["nginx", "freenginx"],
        &[r"freenginx/{version}[^0-9.]"],
        &["freenginx:freenginx"],
    ),
    elf(
        "unit",
        &["unitd"],
        &[r"[Uu]nit/{version}[^0-9.]"],
        &["f5:nginx_unit", "nginx:unit"],
    ),
    elf(
        "httpd",
        &["httpd", "apache2"],
        &[r"\x00Apache/{version}[ \x00]"],
        &["apache:http_server"],
    ),
    elf(
        "haproxy",
        &["haproxy"],
        &[
            r" version ({digits}(?:-dev[0-9]{1,2})?)[-+.~0-9a-z]{0,40}, released",
            r"\x00({digits}(?:-dev[0-9]{1,2})?)[-+.~0-9a-z]{0,40}\x00(?:hapro|20[0-9]{2}/)",
        ],
        &["haproxy:haproxy"],
    ),
    elf(
        "lighttpd",
        &["lighttpd"],
        &[r"lighttpd/{version}[^0-9.]"],
        &["lighttpd:lighttpd"],
    ),
    elf(
        "varnish",
        &["varnishd"],
        &[r"varnish-{version} revision", r"Varnish {version} [0-9a-f]{40}"],
        &["varnish-cache:varnish"],
    ),
    elf(
        "squid",
        &["squid"],
        &[r"[^a-z]squid/{version}\x00"],
        &["squid-cache:squid"],
    ),
    elf(
        "privoxy",
        &["privoxy"],
        &[r"Privoxy version {version}[^0-9.]"],
        &["privoxy:privoxy"],
    ),
    elf(
        "stunnel",
        &["stunnel", "stunnel4"],
        &[r"stunnel {version} on "],
        &["stunnel:stunnel"],
    ),
    elf(
        "envoy",
        &["envoy"],
        // `VERSION/Clean/RELEASE/…` is only put together when it runs; what else has this shape is 1.0.0.
        &[r"\x00(1\.[1-9][0-9]\.[0-9]{1,2})(?:-dev)?\x00"],
        &["envoyproxy:envoy"],
    ),
    elf("traefik", &["traefik"], &["{go}"], &["traefik:traefik"]).of_go("github.com/traefik/traefik/v3"),
    elf("caddy", &["caddy"], &["{go}"], &["caddyserver:caddy"]).of_go("github.com/caddyserver/caddy/v2"),
    elf(
        "exim",
        &["exim", "exim4"],
        &[r"<<eximcnumber>>\x00{version}\x00", r"Exim version {version}"],
        &["exim:exim"],
    ),
    elf(
        "postfix",
        &["postconf", "smtpd", "smtp", "master"],
        &[r"mail_version=({digits})[-0-9A-Za-z]{0,20}\x00"],
        &["postfix:postfix"],
    ),
    elf(
        "dovecot",
        &["doveadm", "doveconf", "dovecot"],
        &[r"[0-9.]{1,8}ABIv[0-9]{1,4}\({version}\)"],
        &["dovecot:dovecot"],
    ),
    elf(
        "proftpd",
        &["proftpd"],
        &[r"ProFTPD Version ({digits}(?:rc[0-9]{1,2}|[a-z])?)\x00"],
        &["proftpd:proftpd"],
    ),
    elf(
        "vsftpd",
        &["vsftpd"],
        &[r"vsftpd: version {version}\n"],
        &["vsftpd_project:vsftpd"],
    ),
    elf(
        "samba",
        &["smbd", "nmbd", "winbindd", "smbstatus"],
        &[r"SAMBA_({digits})(?:_|\x00)"],
        &["samba:samba"],
    ),
    elf(
        "cups",
        &["cupsd"],
        &[r"CUPS/{version} IPP/"],
        &["openprinting:cups", "apple:cups"],
    ),
    elf(
        "inspircd",
        &["inspircd"],
        &[r"InspIRCd-{version}[-\x00 ]"],
        &["inspircd:inspircd"],
    ),
    elf(
        "tor",
        &["tor"],
        &[r"on Tor ({digits}(?:-(?:alpha|rc))?) "],
        &["torproject:tor"],
    ),
    elf(
        "zabbix",
        &[
            "zabbix_server",
            "zabbix_proxy",
            "zabbix_agentd",
            "zabbix_agent2",
            "zabbix_js",
        ],
        &[r"\x00Zabbix {version}\x00"],
        &["zabbix:zabbix"],
    ),
    elf(
        "icinga2",
        &["icinga2"],
        &[r"[^0-9A-Za-z]r{version}-[0-9]{1,3}\x00"],
        &["icinga:icinga"],
    ),
    elf("monit", &["monit"], &[r"'>monit {version}</a>"], &["mmonit:monit"]),
    elf(
        "rsyslog",
        &["rsyslogd"],
        &[r"This is rsyslog version {version}\n", r"swVersion=.?{version}[^0-9.]"],
        &["rsyslog:rsyslog"],
    ),
    elf(
        "fluent-bit",
        &["fluent-bit"],
        &[
            r"\x00v?{version}\x00\x1b\[1mFluent Bit",
            r"Fluent Bit v{version}[^0-9.]",
        ],
        &["treasuredata:fluent_bit"],
    ),
    elf(
        "collectd",
        &["collectd", "collectdmon"],
        &[r"\ncollectd {version}(?:\.git)?, http"],
        &["collectd:collectd"],
    ),
    row(
        Look::Text,
        "kibana",
        &["kibana/package.json"],
        &[
            r#""name": {0,4}"kibana".{0,2000}"version": {0,4}"{version}""#,
            r#""version": {0,4}"{version}".{0,2000}"name": {0,4}"kibana""#,
        ],
        &["elastic:kibana"],
    ),
];
