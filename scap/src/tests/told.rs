//! Events in, what a sensor would have said of them out.

use plimsoll_model::{CallObject, FileAccess, SystemCall, Transport};
use plimsoll_runtime::raw::RawKind;

use super::*;

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

/// A child is made, runs another program with an environment, leads a session and ends.
pub(super) fn a_child_and_its_program() -> Vec<u8> {
    let zero = [0; 8];
    let clone = |tid: u64, result: i64| {
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
            &[0; 4],
            &33_u32.to_le_bytes(),
            &34_u32.to_le_bytes(),
            &long(9),
            &long(9),
        ];
        event(20, tid, 223, &parameters)
    };
    let exec: [&[u8]; 17] = [
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
    [
        clone(40, 50),
        clone(50, 0),
        event(21, 50, 288, &[b"../bin/sh\0"]),
        event(22, 50, 289, &exec),
        event(23, 50, 274, &[]),
        event(24, 50, 275, &[&long(50)]),
        event(25, 50, 186, &[&long(256)]),
    ]
    .concat()
}

#[test]
fn a_child_runs_another_program_and_ends() {
    let told = events(&with(&[a_child_and_its_program()]));
    let RawKind::Fork { child } = &told[0].kind else {
        panic!("{told:?}")
    };
    assert_eq!(
        (told[0].task.pid, child.pid, child.container_pid, child.start_time_ns),
        (40, 50, 9, 20)
    );
    assert_eq!(child.cgroup_id, told[0].task.cgroup_id);
    assert!(matches!(&told[1].kind, RawKind::Environment { variables } if variables == &["HOME=/"]));
    let RawKind::Exec {
        filename,
        exe,
        args,
        cwd,
        ..
    } = &told[2].kind
    else {
        panic!("{told:?}")
    };
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
        "Mounts":[{{"Source":"/srv","Destination":"/data","Mode":"","RW":true,"Propagation":"rprivate"}}],
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
    assert_eq!(container.details.labels.len(), 2);
    let mount = &container.details.mounts[0];
    assert_eq!((mount.destination.as_str(), mount.is_writable), ("/data", true));
}
