//! Peers, ports and paths.

use plimsoll_model::CallObject;

use super::*;

fn socket(text: &str) -> SocketAddress {
    let address: std::net::SocketAddr = text.parse().unwrap();
    SocketAddress {
        ip: address.ip(),
        port: address.port(),
    }
}

#[test]
fn judges_peers_by_distance_and_port() {
    let to = |scope, port: Option<u16>| {
        Action::Connect(Peer {
            scope,
            port: port.map(|port| one_port(Transport::Tcp, port)),
        })
    };
    for (allowed, address, transport, expected) in [
        (
            to(PeerScope::Private, Some(5432)),
            "10.0.0.5:5432",
            Transport::Tcp,
            "expected",
        ),
        (
            to(PeerScope::Private, Some(5432)),
            "10.0.0.5:5432",
            Transport::Udp,
            "expected",
        ),
        (
            to(PeerScope::Private, Some(5432)),
            "10.0.0.5:5433",
            Transport::Tcp,
            "unexpected-connect",
        ),
        (
            to(PeerScope::Private, Some(5432)),
            "8.8.8.8:5432",
            Transport::Tcp,
            "unexpected-connect",
        ),
        (to(PeerScope::Any, None), "8.8.8.8:5432", Transport::Tcp, "expected"),
        (to(PeerScope::Loopback, None), "[::1]:1", Transport::Tcp, "expected"),
        (to(PeerScope::Loopback, None), "10.0.0.1:0", Transport::Udp, "open"),
        (to(PeerScope::Any, Some(1)), "[::]:5432", Transport::Udp, "open"),
        (
            to(PeerScope::Any, Some(1)),
            "[::]:5432",
            Transport::Tcp,
            "unexpected-connect",
        ),
    ] {
        let profile = Profile {
            facts: vec![fact(Some(REDIS), allowed, &[])],
            facets: vec![closed(Verb::Connect, Phase::Serving)],
            ..profile()
        };
        let kind = EventKind::Connect {
            address: socket(address),
            transport,
            error: 0,
        };
        let event = event(process(REDIS, &[REDIS]), Phase::Serving, kind);
        assert_eq!(
            verdict(profile, &KnownFiles::default(), &event, Entry::Inside),
            expected,
            "{address}"
        );
    }
}

#[test]
fn judges_ports_when_they_are_served() {
    let (tcp, udp) = (Transport::Tcp, Transport::Udp);
    let bind = |address, transport| EventKind::Bind {
        address: socket(address),
        transport,
    };
    let listen = |address, transport| EventKind::Listen {
        address: socket(address),
        transport,
    };
    for (kind, expected) in [
        (listen("0.0.0.0:6379", tcp), "expected"),
        (listen("[::]:6379", tcp), "expected"),
        (listen("0.0.0.0:4444", tcp), "unexpected-listen"),
        (bind("0.0.0.0:4444", tcp), "open"),
        (bind("0.0.0.0:6379", udp), "unexpected-listen"),
        (bind("0.0.0.0:0", udp), "open"),
    ] {
        let profile = Profile {
            facts: vec![fact(Some(REDIS), Action::Listen(one_port(tcp, 6379)), &[])],
            facets: vec![closed(Verb::Listen, Phase::Serving)],
            ..profile()
        };
        let event = event(process(REDIS, &[REDIS]), Phase::Serving, kind.clone());
        assert_eq!(
            verdict(profile, &KnownFiles::default(), &event, Entry::Inside),
            expected,
            "{kind:?}"
        );
    }
}

#[test]
fn judges_writes_by_path_and_guards_programs() {
    use Phase::{Entrypoint, Serving};
    let known = files(&[REDIS, "/opt/app/run"]);
    for (path, access, facet, phase, expected) in [
        ("/data/dump.rdb", FileAccess::Write, true, Serving, "expected"),
        ("/etc/cron.d/x", FileAccess::Write, true, Serving, "unexpected-write"),
        (
            "/etc/cron.d/x",
            FileAccess::ReadWrite,
            true,
            Serving,
            "unexpected-write",
        ),
        ("/etc/cron.d/x", FileAccess::Read, true, Serving, "open"),
        ("/etc/cron.d/x", FileAccess::Write, false, Serving, "open"),
        (
            "/usr/bin/evil",
            FileAccess::Write,
            false,
            Serving,
            "write-to-executable-path",
        ),
        (
            "/usr/bin/redis-server",
            FileAccess::Write,
            false,
            Serving,
            "write-to-executable-path",
        ),
        (
            "/opt/app/run",
            FileAccess::Write,
            false,
            Serving,
            "write-to-executable-path",
        ),
        ("/opt/app/data", FileAccess::Write, false, Serving, "open"),
        ("/usr/bin/made", FileAccess::Write, false, Entrypoint, "open"),
        ("/dev/null", FileAccess::Write, true, Serving, "open"),
        ("pipe:[123]", FileAccess::Write, true, Serving, "open"),
    ] {
        let profile = Profile {
            facts: vec![fact(Some(REDIS), Action::Write("/data/**".into()), &[])],
            facets: facet.then(|| closed(Verb::Write, Serving)).into_iter().collect(),
            ..profile()
        };
        let kind = EventKind::Open {
            path: path.to_owned(),
            flags: 0,
            access,
            created: false,
            inode: 0,
            asked: None,
            error: 0,
        };
        let event = event(process(REDIS, &[REDIS]), phase, kind);
        assert_eq!(verdict(profile, &known, &event, Entry::Inside), expected, "{path}");
    }
}

/// What a server that may write to /data, /run and /tmp is told of a call in a folder: its name and its two paths.
fn placed(words: &str, folder: &str, result: i64, phase: Phase) -> &'static str {
    let words: Vec<&str> = words.split(' ').collect();
    let profile = Profile {
        facts: ["/data/**", "/run/**", "/tmp/**"]
            .map(|path| fact(Some(REDIS), Action::Write(path.into()), &[]))
            .to_vec(),
        facets: vec![
            closed(Verb::Write, Phase::Serving),
            closed(Verb::Write, Phase::Entrypoint),
        ],
        ..profile()
    };
    let act = EventKind::Call(Box::new(Call {
        call: *SystemCall::ALL.iter().find(|call| call.as_str() == words[0]).unwrap(),
        result,
        // Two folders, of which the second one is told.
        arguments: [3, 0, 4, 0],
        texts: words[1..].iter().map(|text| (*text).to_owned()).collect(),
        object: CallObject::File {
            path: folder.to_owned(),
        },
    }));
    let event = event(process(REDIS, &["redis-server"]), phase, act);
    verdict(profile, &files(&[]), &event, Entry::Inside)
}

#[test]
fn a_file_that_gets_its_name_in_another_folder_is_written_there() {
    for (words, folder, expected) in [
        ("rename /tmp/x /srv/www/shell.php", "/data", "unexpected-write"),
        ("rename /tmp/x /tmp/../srv/www/shell.php", "/data", "unexpected-write"),
        ("renameat2 /tmp/x www/shell.php", "/srv", "unexpected-write"),
        ("renameat x shell.php", "/srv/www", "unexpected-write"),
        ("link /data/a.jpg /srv/www/a.php", "/data", "unexpected-write"),
        ("symlink /tmp/x /srv/www/shell.php", "/data", "unexpected-write"),
        ("symlink ../tmp/x /srv/shell.php", "/data", "unexpected-write"),
        // Expected where it comes to be, by whichever name.
        ("rename /tmp/x /data/dump.rdb", "/data", "expected"),
        ("rename /tmp/x dump.rdb", "/data", "expected"),
        ("rename /tmp/x /var/run/redis.pid", "/data", "expected"),
        // Written under another name and renamed when it is whole; a link to what is beside it.
        ("rename /srv/conf.new /srv/conf", "/data", "open"),
        ("symlink v2 /srv/current", "/data", "open"),
        ("unlink /srv/www/shell.php", "/data", "open"),
    ] {
        assert_eq!(
            placed(words, folder, 0, Phase::Serving),
            expected,
            "{words} in {folder}"
        );
    }
}

#[test]
fn a_name_that_was_refused_or_given_by_an_entry_script_is_no_deviation() {
    let words = "rename /tmp/x /srv/www/shell.php";
    assert_eq!(placed(words, "/data", -13, Phase::Serving), "open");
    assert_eq!(
        placed("symlink /dev/stdout /srv/log", "/data", 0, Phase::Entrypoint),
        "open"
    );
}
