//! Every reader of foreign bytes in this crate by name, for the fuzzer and its corpus: bytes in, nothing out but a panic.
//! No part of the interface: `fuzz/` and `tests/tests/corpus.rs` alone use it.

/// Name, reader, and files of the repository that it reads without a fault.
pub type Parser = (&'static str, fn(&[u8]), &'static [&'static str]);

/// All of them. What it begins with is in `fuzz/corpus/scap/`, made by `src/made.rs`.
pub const PARSERS: &[Parser] = &[("scap", |bytes| drop(crate::read(bytes, &mut drop)), &[])];
