//! Captures made by hand and upstream's own: what is read of them, and what of damaged ones.

use std::{fs, io::Write, path::Path};

use flate2::{Compression, write::GzEncoder};
use plimsoll_model::{CallObject, EventKind, NoteKind};
use plimsoll_runtime::{
    agent::place,
    raw::{RawEvent, RawKind},
};

use super::*;
use crate::made::{Process, block, connection, descriptors, event, file, machine, old_event, processes, section};

mod told;

const ID: &str = "3f4a5b6c7d8e9f00112233445566778899aabbccddeeff001122334455667788";

fn items(bytes: &[u8]) -> (Vec<Item>, Vec<Note>) {
    let mut items = Vec::new();
    let notes = read(bytes, &mut |item| items.push(item)).unwrap();
    (items, notes)
}

fn events(bytes: &[u8]) -> Vec<RawEvent> {
    let (items, notes) = items(bytes);
    assert!(notes.iter().all(|note| !note.makes_incomplete()), "{notes:?}");
    items
        .into_iter()
        .filter_map(|item| match item {
            Item::Event(event) => Some(event),
            _ => None,
        })
        .collect()
}

fn server() -> Process {
    Process {
        pid: 40,
        parent: 1,
        comm: "server",
        exe: "/usr/bin/server",
        args: b"--port\x0080\0",
        cgroups: format!("cpu=/docker/{ID}\0memory=/docker/{ID}\0"),
    }
}

fn init() -> Process {
    Process {
        pid: 1,
        parent: 0,
        comm: "init",
        exe: "/sbin/init",
        args: b"",
        cgroups: "cpu=/\0".to_owned(),
    }
}

fn start(version: u8) -> Vec<u8> {
    [section(1), machine("box"), processes(version, &[server(), init()])].concat()
}

fn with(more: &[Vec<u8>]) -> Vec<u8> {
    [start(9), more.concat()].concat()
}

const fn long(number: i64) -> [u8; 8] {
    number.to_le_bytes()
}

#[test]
fn processes_of_every_version_are_read_and_parents_come_first() {
    for version in 1..=9 {
        let (items, notes) = items(&start(version));
        assert_eq!(notes, [], "version {version}");
        let Item::Start { node, .. } = &items[0] else {
            panic!("{items:?}")
        };
        assert_eq!(node, "box");
        let listed: Vec<_> = items
            .iter()
            .filter_map(|item| match item {
                Item::Process(process) => Some(process),
                _ => None,
            })
            .collect();
        let pids: Vec<i32> = listed.iter().map(|process| process.task.pid).collect();
        assert_eq!(pids, [1, 40], "version {version}");
        let server = listed[1];
        assert_eq!(server.exe, "/usr/bin/server");
        assert_eq!(server.args, ["/usr/bin/server", "--port", "80"]);
        assert_eq!((server.cwd.as_str(), server.task.comm.as_str()), ("/srv", "server"));
        let credentials = server.task.credentials;
        assert_eq!((credentials.euid, credentials.egid), (33, 34));
        let is_inside = server.task.cgroup_id != listed[0].task.cgroup_id;
        assert_eq!(is_inside, version >= 4, "cgroups are told from version 4 on");
        if version == 9 {
            assert_eq!((credentials.login_uid, credentials.capabilities), (Some(1000), Some(3)));
            assert_eq!((server.task.tty, server.exe_file.inode), (34816, 77));
            assert!(server.exe_file.is_upper_layer && !server.exe_file.is_memfd);
            let Some(Item::Container(container)) = items.last() else {
                panic!("{items:?}")
            };
            assert_eq!((container.id.as_str(), container.name.as_str()), (ID, "3f4a5b6c7d8e"));
            assert_eq!(container.cgroup_id, server.task.cgroup_id);
        }
    }
}

#[test]
fn processes_that_are_each_others_parents_are_told() {
    let one = |pid, parent| Process { pid, parent, ..init() };
    let (items, _) = items(&[section(1), processes(5, &[one(7, 8), one(8, 7), one(9, 8), one(1, 0)])].concat());
    let pids: Vec<i32> = items
        .iter()
        .filter_map(|item| match item {
            Item::Process(process) => Some(process.task.pid),
            _ => None,
        })
        .collect();
    assert_eq!(pids, [1, 7, 8, 9]);
}

#[test]
fn what_was_open_before_is_known() {
    for has_lengths in [false, true] {
        let listed = descriptors(
            has_lengths,
            40,
            &[
                (4, 16, file("/var/log/app")),
                (5, 7, vec![0, 0]),
                (6, 3, connection(7, 2)),
                (7, 8, vec![0; 18]),
            ],
        );
        let told = events(
            &[
                start(9),
                listed,
                event(10, 40, 317, &[&long(0), &long(4), &[0xff, 1, 0, 0]]),
                event(11, 40, 367, &[&long(1), &long(6)]),
            ]
            .concat(),
        );
        let objects: Vec<_> = told
            .iter()
            .map(|event| match &event.kind {
                RawKind::Call(call) => &call.object,
                other => panic!("{other:?}"),
            })
            .collect();
        assert!(
            matches!(objects[0], CallObject::File { path } if path == "/var/log/app"),
            "{objects:?}"
        );
        assert!(
            matches!(objects[1], CallObject::Socket { remote, .. } if remote.port == 53),
            "{objects:?}"
        );
    }
}

/// What the fuzzer and its corpus begin with; `PLIMSOLL_BLESS=1` writes it anew.
#[test]
fn the_corpus_begins_with_captures_of_each_layout() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/scap");
    let chmod = [&long(0)[..], b"/a\0", &[0xff, 1, 0, 0]];
    let newer = [
        start(9),
        descriptors(true, 40, &[(4, 16, file("/var/log/app")), (6, 3, connection(7, 2))]),
        told::a_child_and_its_program(),
        event(10, 40, 315, &chmod),
        event(11, 40, 4, &[&long(4)]),
    ];
    let older = [
        start(5),
        descriptors(false, 40, &[(4, 16, file("/var/log/app"))]),
        old_event(10, 40, 110, &[&long(-100), b"old\0"]),
        old_event(12, 40, 111, &[&long(0)]),
        old_event(
            13,
            40,
            272,
            &[b"{\"container\":{\"id\":\"3f4a5b6c7d8e\",\"type\":0}}\0"],
        ),
    ];
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&older.concat()).unwrap();
    for (name, bytes) in [("newer", newer.concat()), ("older", encoder.finish().unwrap())] {
        let (_, notes) = items(&bytes);
        assert!(notes.iter().all(|note| !note.makes_incomplete()), "{notes:?}");
        if std::env::var_os("PLIMSOLL_BLESS").is_some() {
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(name), &bytes).unwrap();
        }
        assert!(
            fs::read(folder.join(name)).unwrap() == bytes,
            "{name} is not what is made by hand"
        );
    }
}

#[test]
fn compressed_and_plain_are_the_same() {
    let plain = with(&[event(10, 40, 315, &[&long(0), b"/a\0", &[0xff, 1, 0, 0]])]);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&plain).unwrap();
    assert_eq!(items(&encoder.finish().unwrap()), items(&plain));
}

#[test]
fn a_damaged_capture_is_read_as_far_as_it_is_whole_and_says_so() {
    let whole = with(&[
        event(10, 40, 315, &[&long(0), b"/a\0", &[0xff, 1, 0, 0]]),
        event(11, 40, 315, &[&long(0), b"/b\0", &[0xff, 1, 0, 0]]),
    ]);
    let second = whole.len() - 10;
    let mut lying = whole.clone();
    let at = lying.len() - 4;
    lying[at] ^= 1;
    for (bytes, why) in [
        (&whole[..second], "ends within a block"),
        (&lying[..], "two different lengths"),
        (
            &[&whole[..], &block(0x204, &[])[..4]].concat()[..],
            "ends within a block",
        ),
        (
            &[&whole[..], &0x204_u32.to_le_bytes(), &u32::MAX.to_le_bytes()].concat()[..],
            "larger than the limit",
        ),
    ] {
        let (items, notes) = items(bytes);
        assert!(items.iter().any(|item| matches!(item, Item::Event(_))), "{why}");
        assert!(notes.iter().any(|note| note.detail.contains(why)), "{why}: {notes:?}");
        assert!(notes.iter().any(Note::makes_incomplete));
    }
    // An event whose lengths lie is one event lost, and counted.
    let lying = event(12, 40, 315, &[&long(0)]);
    let mut broken = lying.clone();
    broken[8 + 2 + 22] = 60;
    let told = events(&with(&[broken, event(13, 40, 315, &[&long(0), b"/c\0", &[0; 4]])]));
    assert!(
        matches!(told.last().unwrap().kind, RawKind::Lost { count: 1, .. }),
        "{told:?}"
    );
    assert_eq!(told.len(), 2);
}

#[test]
fn what_is_no_capture_of_falcos_is_refused() {
    for (bytes, why) in [
        (b"#!/bin/sh\nexit 0".to_vec(), "not a capture"),
        (Vec::new(), "not a capture"),
        (section(2), "version 2"),
        (block(0x0a0d_0d0a, &0x4d3c_2b1a_u32.to_be_bytes()), "not a capture"),
        (
            block(
                0x0a0d_0d0a,
                &[&0x1a2b_3c4d_u32.to_be_bytes()[..], &[0, 1, 0, 2], &[0; 8]].concat(),
            ),
            "other byte order",
        ),
    ] {
        let error = read(&bytes[..], &mut drop).unwrap_err().to_string();
        assert!(error.contains(why), "{why}: {error}");
    }
}

#[test]
fn the_first_bytes_say_whose_a_recording_is() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes, is_falcos) in [
        ("a", start(9), true),
        ("b", b"PLIMCAP\n".to_vec(), false),
        ("c", Vec::new(), false),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        let result = open(&path).unwrap().each(&mut drop);
        assert_eq!(result.is_ok(), is_falcos, "{name}");
    }
    assert!(open(&folder.path().join("none")).is_err());
}

#[test]
fn rules_see_processes_with_their_ancestors_and_containers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.scap");
    let name = format!(r#"{{"container":{{"id":"{}","type":0,"name":"web"}}}}"#, &ID[..12]);
    let bytes = with(&[
        told::a_child_and_its_program(),
        event(30, 1, 315, &[&long(0), b"/a\0", &[0; 4]]),
        old_event(31, 40, 272, &[name.as_bytes()]),
    ]);
    fs::write(&path, bytes).unwrap();
    let mut placed = Vec::new();
    place(&*open(&path).unwrap(), |event| placed.push(event)).unwrap();
    let exec = placed
        .iter()
        .find(|event| matches!(event.kind, EventKind::Exec { .. }))
        .unwrap();
    let names: Vec<&str> = exec.process.lineage().map(|process| process.comm.as_str()).collect();
    assert_eq!(names, ["sh", "server", "init"]);
    assert_eq!(exec.process.environment, ["HOME=/"]);
    // What was found out later is true from the beginning.
    assert_eq!(exec.container.as_ref().unwrap().name, "web");
    assert!(exec.phase.is_some());
    let last = placed.last().unwrap();
    assert_eq!((last.process.comm.as_str(), &last.container), ("init", &None));
}

/// Upstream's captures. Processes and calls were counted from the blocks by another program; programs that are executed tell
/// their environment too.
#[test]
fn upstreams_captures_are_read_whole() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/falco");
    if !folder.is_dir() {
        eprintln!(
            "SKIPPED: {} is not there, so none of upstream's captures was read",
            folder.display()
        );
        return;
    }
    for (name, processes, told) in CAPTURES {
        let bytes = fs::read(folder.join(name)).unwrap();
        let (items, notes) = items(&bytes);
        assert!(
            notes.iter().all(|note| note.kind == NoteKind::Hint),
            "{name}: {notes:?}"
        );
        let count = |wanted: fn(&Item) -> bool| items.iter().filter(|item| wanted(item)).count();
        assert_eq!(
            (
                count(|item| matches!(item, Item::Process(_))),
                count(|item| matches!(item, Item::Event(_)))
            ),
            (*processes, *told),
            "{name}"
        );
    }
}

/// File, processes, events that a sensor of ours would have told.
const CAPTURES: &[(&str, usize, usize)] = &[
    ("regression/trace_files/cat_write.scap", 40, 8),
    ("regression/trace_files/connect_localhost.scap", 59, 4),
    ("regression/trace_files/empty.scap", 64, 0),
    ("regression/trace_files/open-multiple-files.scap", 61, 14),
    ("regression/trace_files/ping_sendto.scap", 57, 0),
    ("regression/trace_files/syscall.scap", 55, 4),
    ("scap/curl_google.scap", 31, 99),
    ("scap/curl_google_comments.scap", 31, 99),
    ("scap/single_ipv6_conn.scap", 44, 9),
    ("scap/test_ipv6_client.scap", 34, 11),
];
