//! Captures made by hand and upstream's own: what is read of them, and what of damaged ones.

use std::{fs, io::Write, path::Path};

use flate2::{Compression, write::GzEncoder};
use plimsoll_model::{CallObject, FileAccess, NoteKind, SystemCall, Transport};
use plimsoll_runtime::raw::{RawEvent, RawKind};

use super::*;
use crate::made::{Process, block, event, machine, old_event, processes, section};

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
fn opens_name_the_file_they_opened() {
    let openat = |time, result: i64, folder: i64, name: &[u8], flags: u32| {
        event(
            time,
            40,
            307,
            &[
                &long(result),
                &long(folder),
                name,
                &flags.to_le_bytes(),
                &[0; 4],
                &[0; 4],
                &long(12),
            ],
        )
    };
    let told = events(&with(&[
        openat(10, 5, -100, b"data/../etc\0", 1 | 1 << 10),
        openat(11, 6, 5, b"key\0", 2 | 4 | 1 << 14),
        openat(12, -2, -100, b"/nowhere\0", 1),
        // Closed, so the number stands for nothing any more.
        event(13, 40, 4, &[&long(5)]),
        event(14, 40, 5, &[&long(0)]),
        openat(15, 7, 5, b"left\0", 1),
    ]));
    let paths: Vec<_> = told
        .iter()
        .map(|event| match &event.kind {
            RawKind::Open {
                path,
                created,
                access,
                inode: 12,
                ..
            } => (path.as_str(), *created, *access, 0),
            RawKind::OpenFailed {
                path, error, access, ..
            } => (path.as_str(), false, *access, *error),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        paths,
        [
            ("/srv/etc", false, FileAccess::Read, 0),
            ("/srv/etc/key", true, FileAccess::Write, 0),
            ("/nowhere", false, FileAccess::Read, -2),
            ("left", false, FileAccess::Read, 0),
        ]
    );
    assert_eq!((told[0].time_ns, told[0].cpu, told[0].task.pid), (10, 3, 40));
}

#[test]
fn what_old_events_tell_at_the_beginning_counts_at_the_end() {
    let told = events(&with(&[
        old_event(10, 40, 110, &[&long(-100), b"old\0"]),
        // Another thread's call comes between.
        old_event(11, 1, 108, &[b"/tmp/x\0"]),
        old_event(12, 40, 111, &[&long(0)]),
        old_event(13, 1, 109, &[&long(-13)]),
    ]));
    let calls: Vec<_> = told
        .iter()
        .map(|event| match &event.kind {
            RawKind::Call(call) => (call.call, call.result, call.texts[0].as_str(), &call.object),
            other => panic!("{other:?}"),
        })
        .collect();
    let folder = |path: &str| CallObject::File { path: path.to_owned() };
    assert_eq!(
        calls,
        [
            (SystemCall::Unlinkat, 0, "old", &folder("/srv")),
            (SystemCall::Unlink, -13, "/tmp/x", &folder("/srv")),
        ]
    );
}

#[test]
fn a_child_runs_another_program_and_ends() {
    let clone = |tid: u64, result: i64, flags: u32| {
        let zero = [0; 8];
        let parameters: [&[u8]; 20] = [
            &long(result),
            b"/usr/bin/server\0",
            b"",
            &long(50),
            &long(50),
            &long(40),
            b"/srv/\0",
            &zero,
            &zero,
            &zero,
            &[0; 4],
            &[0; 4],
            &[0; 4],
            b"server\0",
            b"",
            &flags.to_le_bytes(),
            &33_u32.to_le_bytes(),
            &34_u32.to_le_bytes(),
            &long(9),
            &long(9),
        ];
        event(20, tid, 223, &parameters)
    };
    let exec = {
        let zero = [0; 8];
        let parameters: [&[u8]; 17] = [
            &long(0),
            b"sh\0",
            b"-c\0id\0",
            &long(50),
            &long(50),
            &long(40),
            b"/srv/\0",
            &zero,
            &zero,
            &zero,
            &[0; 4],
            &[0; 4],
            &[0; 4],
            b"sh\0",
            b"",
            b"HOME=/\0",
            &34816_u32.to_le_bytes(),
        ];
        [event(21, 50, 288, &[b"../bin/sh\0"]), event(22, 50, 289, &parameters)].concat()
    };
    let told = events(&with(&[
        clone(40, 50, 0),
        clone(50, 0, 0),
        exec,
        event(23, 50, 274, &[]),
        event(24, 50, 275, &[&long(50)]),
        event(25, 50, 186, &[&long(256)]),
    ]));
    let RawKind::Fork { child } = &told[0].kind else {
        panic!("{told:?}")
    };
    assert_eq!(
        (told[0].task.pid, child.pid, child.container_pid, child.start_time_ns),
        (40, 50, 9, 20)
    );
    assert_eq!(child.cgroup_id, told[0].task.cgroup_id);
    let exec = told.iter().find_map(|event| match &event.kind {
        RawKind::Exec {
            filename,
            exe,
            args,
            cwd,
            ..
        } => Some((filename, exe, args, cwd)),
        _ => None,
    });
    let (filename, exe, args, cwd) = exec.unwrap();
    assert_eq!(
        (filename.as_str(), exe.as_str(), cwd.as_str()),
        ("../bin/sh", "/bin/sh", "/srv")
    );
    assert_eq!(args, &["sh", "-c", "id"]);
    let last = told.last().unwrap();
    assert_eq!(last.kind, RawKind::Exit { status: 256 });
    assert_eq!(
        (last.task.session_id, last.task.comm.as_str(), last.task.parent_pid),
        (50, "sh", 40)
    );
}

#[test]
fn a_thread_is_no_process() {
    let zero = [0; 8];
    let flags = (1_u32 << 13).to_le_bytes();
    let parameters: [&[u8]; 20] = [
        &long(0),
        b"x\0",
        b"",
        &long(51),
        &long(40),
        &long(1),
        b"/\0",
        &zero,
        &zero,
        &zero,
        &[0; 4],
        &[0; 4],
        &[0; 4],
        b"x\0",
        b"",
        &flags,
        &[0; 4],
        &[0; 4],
        &long(9),
        &long(9),
    ];
    let told = events(&with(&[
        event(20, 51, 223, &parameters),
        event(21, 51, 199, &[&long(0), &[5, 0, 0, 0]]),
        event(22, 51, 186, &[&long(0)]),
        event(23, 40, 199, &[&long(0), &[6, 0, 0, 0]]),
    ]));
    let who: Vec<_> = told
        .iter()
        .map(|event| (event.task.pid, event.task.tid, event.task.credentials.euid))
        .collect();
    assert_eq!(who, [(40, 51, 5), (40, 40, 6)]);
}

#[test]
fn sockets_are_followed_by_their_descriptors() {
    let tuple = |last: u8| {
        [
            &[2, 10, 0, 0, 1][..],
            &4000_u16.to_le_bytes(),
            &[10, 0, 0, last],
            &53_u16.to_le_bytes(),
        ]
        .concat()
    };
    let socket = |number: i64, kind: u32| {
        event(
            9,
            40,
            19,
            &[&long(number), &[2, 0, 0, 0], &kind.to_le_bytes(), &[0; 4], &[0; 4]],
        )
    };
    let told = events(&with(&[
        socket(5, 2),
        event(10, 40, 31, &[&long(4), b"", &long(5), &[0; 4], &tuple(9)]),
        // The same peer again is no news.
        event(11, 40, 31, &[&long(4), b"", &long(5), &[0; 4], &tuple(9)]),
        socket(6, 1),
        old_event(12, 40, 22, &[&long(6)]),
        old_event(13, 40, 23, &[&long(-115), &tuple(8)]),
        event(14, 40, 23, &[&long(-111), &tuple(8), &long(6)]),
        event(15, 40, 365, &[&long(0), &long(6), &long(0), &[0; 4]]),
        event(16, 40, 389, &[&long(8), &tuple(1), &[0], &[0; 4], &[0; 4], &[0; 4]]),
    ]));
    let seen: Vec<String> = told
        .iter()
        .map(|event| match &event.kind {
            RawKind::Connect { address, transport } => format!("{transport:?} {}:{}", address.ip, address.port),
            RawKind::ConnectFailed { address, error, .. } => format!("failed {error} {}", address.ip),
            RawKind::Call(call) => match &call.object {
                CallObject::Socket {
                    local,
                    remote,
                    transport: Transport::Tcp,
                } => {
                    format!("{} {} {}", call.call.as_str(), local.ip, remote.ip)
                }
                _ => call.call.as_str().to_owned(),
            },
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        seen,
        [
            "socket",
            "Udp 10.0.0.9:53",
            "socket",
            "Tcp 10.0.0.8:53",
            "failed -111 10.0.0.8",
            "dup3 10.0.0.1 10.0.0.8",
            "accept4 10.0.0.1 10.0.0.1",
        ]
    );
}

#[test]
fn containers_get_the_names_that_falco_found() {
    let json = format!(
        r#"{{"container":{{"id":"{}","type":0,"name":"web","image":"nginx:1","imageid":"{ID}","privileged":true,
        "labels":{{"io.kubernetes.pod.name":"p","io.kubernetes.pod.namespace":"n"}}}}}}"#,
        &ID[..12]
    );
    let (items, _) = items(&with(&[old_event(10, 40, 272, &[format!("{json}\0").as_bytes()])]));
    let Some(Item::Container(container)) = items.last() else {
        panic!("{items:?}")
    };
    assert_eq!((container.id.as_str(), container.name.as_str()), (ID, "web"));
    let image = container.image.as_ref().unwrap();
    assert_eq!(image.reference, "nginx:1");
    assert_eq!(
        image.config_digest.as_ref().unwrap().to_string(),
        format!("sha256:{ID}")
    );
    assert_eq!(
        (container.privileged, container.pod.as_ref().unwrap().namespace.as_str()),
        (Some(true), "n")
    );
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

/// Upstream's captures: events of each kind as `sysdig -r` would list them, counted from the blocks by another program.
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
const CAPTURES: &[(&str, usize, usize)] = &[];
