//! Layouts of records, and bytes that do not follow them.

use plimsoll_model::{ExeFile, SocketAddress, Transport};

use super::{task::BYTES as TASK_BYTES, *};

/// A record with `fixed` behind the head and `texts` where texts belong.
fn record(kind: u32, fixed: &[u8], texts: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(kind.to_ne_bytes());
    bytes.resize(HEAD_BYTES, 7);
    bytes.extend(fixed);
    if !texts.is_empty() {
        bytes.resize(TEXT_AT, 0);
        bytes.extend(texts);
    }
    bytes
}

fn numbers(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_ne_bytes()).collect()
}

fn exec(args_total: u32) -> Vec<u8> {
    // device, inode, upper, deleted; lengths of filename, exe, cwd, args; flags of exe and cwd; total; padding
    let fixed = numbers(&[1, 0, 2, 0, 1, 0, 3, 7, 1, 6, 1, 1, args_total, 0]);
    record(1, &fixed, b"sh\0sh\0bin\0\0a\0b c\0")
}

#[test]
fn reads_texts_in_their_order() {
    let RawKind::Exec {
        filename,
        exe,
        args,
        cwd,
        exe_file,
    } = decode(&exec(6)).unwrap().kind
    else {
        panic!("not an exec")
    };
    assert_eq!((filename.as_str(), exe.as_str(), cwd.as_str()), ("sh", "/bin/sh", "/"));
    assert_eq!(args, ["a", "b c"]);
    assert_eq!((exe_file.device, exe_file.inode, exe_file.is_upper_layer), (1, 2, true));
}

#[test]
fn a_loaded_file_is_told_with_where_it_lies() {
    let load = |path_flags: u32, text: &[u8]| {
        let length = u32::try_from(text.len()).unwrap();
        record(11, &numbers(&[5, 0, 6, 0, 1, 1, length, path_flags]), text)
    };
    let whole = load(1, b"x.so\0tmp\0");
    let file = ExeFile {
        device: 5,
        inode: 6,
        is_upper_layer: true,
        is_memfd: false,
        is_deleted: true,
    };
    let path = "/tmp/x.so".to_owned();
    assert_eq!(decode(&whole).unwrap().kind, RawKind::Load { path, file });
    // A file in memory has no name that could have been removed.
    let RawKind::Load { path, file } = decode(&load(2, b"memfd:x\0")).unwrap().kind else {
        panic!("not a load")
    };
    assert_eq!(
        (path.as_str(), file.is_memfd, file.is_deleted),
        ("memfd:x", true, false)
    );
    for length in 0..whole.len() {
        assert_eq!(decode(&whole[..length]), Err(WireError::Short), "cut to {length}");
    }
}

#[test]
fn cut_arguments_end_in_an_ellipsis() {
    let RawKind::Exec { args, .. } = decode(&exec(7)).unwrap().kind else {
        panic!("not an exec")
    };
    assert_eq!(args, ["a", "b c…"]);
    assert_eq!(split_args(b"", true), ["…"]);
    assert_eq!(split_args(b"", false), [""; 0]);
    assert_eq!(split_args(b"\0", false), [""]);
    assert_eq!(split_args(b"a\0\0", false), ["a", ""]);
}

#[test]
fn a_record_that_ends_early_is_an_error() {
    let address = record(6, &[[1; 16].as_slice(), &[2, 0, 80, 0, 6, 0, 0, 0]].concat(), b"");
    for whole in [
        exec(6),
        address,
        record(2, &[1; TASK_BYTES], b""),
        record(3, &[0; 4], b""),
    ] {
        assert!(decode(&whole).is_ok());
        for length in 0..whole.len() {
            assert_eq!(
                decode(&whole[..length]),
                Err(WireError::Short),
                "cut to {length} of {}",
                whole.len()
            );
        }
    }
}

#[test]
fn an_opinion_of_the_kernel_side_goes_with_the_act() {
    for (number, expected) in [
        (0, Ok(None)),
        (1, Ok(Some(Verdict::WouldRefuse))),
        (2, Ok(Some(Verdict::Refused))),
        (3, Ok(Some(Verdict::Signalled))),
        (4, Err(WireError::Verdict(4))),
    ] {
        let fixed = [[127; 16].as_slice(), &[2, 0, 80, 0, 6, 0, number, 0]].concat();
        let verdict = decode(&record(6, &fixed, b"")).map(|event| match event.kind {
            RawKind::Judged { verdict, act } => {
                assert!(matches!(*act, RawKind::Connect { .. }), "{act:?}");
                Some(verdict)
            }
            _ => None,
        });
        assert_eq!(verdict, expected, "{number}");
    }
}

#[test]
fn what_we_never_send_is_an_error() {
    assert_eq!(decode(&record(77, &[], b"")), Err(WireError::Kind(77)));
    let unix = record(6, &[[1; 16].as_slice(), &[1, 0, 0, 0, 0, 0, 0, 0]].concat(), b"");
    assert_eq!(decode(&unix), Err(WireError::Family(1)));
}

#[test]
fn mapped_addresses_are_ipv4() {
    let ip = "::ffff:10.0.0.1".parse::<std::net::Ipv6Addr>().unwrap().octets();
    let event = decode(&record(6, &[ip.as_slice(), &[10, 0, 80, 0, 6, 0, 0, 0]].concat(), b"")).unwrap();
    let expected = SocketAddress {
        ip: "10.0.0.1".parse().unwrap(),
        port: 80,
    };
    assert_eq!(
        event.kind,
        RawKind::Connect {
            address: expected,
            transport: Transport::Tcp
        }
    );
}

#[test]
fn a_connection_that_failed_says_why() {
    let address = [[127; 16].as_slice(), &[2, 0, 80, 0, 6, 0, 0, 0]].concat();
    let bytes = record(14, &[address, (-111i32).to_ne_bytes().to_vec()].concat(), b"");
    let RawKind::ConnectFailed { address, error, .. } = decode(&bytes).unwrap().kind else {
        panic!("no failed connect")
    };
    assert_eq!((address.port, error), (80, -111));
    for length in 0..bytes.len() {
        assert_eq!(decode(&bytes[..length]), Err(WireError::Short), "cut to {length}");
    }
}

#[test]
fn an_environment_that_was_cut_says_so() {
    for (total, expected) in [(8, ["A=1", "B=2"]), (9, ["A=1", "B=2…"])] {
        let event = decode(&record(12, &numbers(&[8, total]), b"A=1\0B=2\0")).unwrap();
        let variables = expected.map(str::to_owned).to_vec();
        assert_eq!(event.kind, RawKind::Environment { variables });
    }
}

#[test]
fn an_open_by_a_ring_is_told_from_its_folder() {
    // inode, mode, flags, path length, path flags, asked length, verdict
    let fixed = numbers(&[0, 0, 2, 1, 4, 1 | 16, 5, 0]);
    let RawKind::Open { path, asked, .. } = decode(&record(5, &fixed, b"../x\0app\0")).unwrap().kind else {
        panic!("no open")
    };
    assert_eq!((path.as_str(), asked.as_deref()), ("/x", Some("../x")));
}
