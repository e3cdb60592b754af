//! One reader of foreign bytes, chosen by `PARSER`, under libFuzzer. One program for all: linking a hundred takes hours.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use plimsoll_tests::parsers;

static RUN: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("PARSER").expect("PARSER says which reader; the program `seeds` lists them");
    let parser = parsers::all().into_iter().find(|parser| parser.name == name);
    parser.expect("PARSER is the name of a reader").run
});

fuzz_target!(|bytes: &[u8]| RUN(bytes));
