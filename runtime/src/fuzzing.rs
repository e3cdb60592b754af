//! Every reader of foreign bytes in this crate by name, for the fuzzer and its corpus: bytes in, nothing out but a panic.
//! No part of the interface: `fuzz/` and `tests/tests/corpus.rs` alone use it.

use crate::{capture, identity, output, wire};

/// Name, reader, and files of the repository that it reads without a fault.
pub type Parser = (&'static str, fn(&[u8]), &'static [&'static str]);

/// All of them. A new parser is one line; without a real file, what it begins with is in `fuzz/corpus/NAME/`.
pub const PARSERS: &[Parser] = &[
    ("wire", |b| drop(wire::decode(b)), &[]),
    ("wire-process", |b| drop(wire::decode_process(b)), &[]),
    ("capture", replay, &["scripts/demo/recording/recording.plimsoll"]),
    ("spool", output::read_records, &[]),
    (
        "mountinfo",
        |b| drop(identity::parse_mounts(&String::from_utf8_lossy(b))),
        &[],
    ),
];

fn replay(bytes: &[u8]) {
    let Ok(mut reader) = capture::Reader::new(bytes) else {
        return;
    };
    while let Ok(Some(_)) = reader.next_item() {}
    drop(reader.notes().to_vec());
}
