//! One reader of foreign bytes, chosen by `PARSER`, under libFuzzer. One program for all: linking a hundred takes hours.
//! Without `PARSER` it prints the names of all readers; with `SEEDS` it writes what that one starts from, unpacked, into the
//! folder of that name. A second program for that could not be linked: all code has been prepared for libFuzzer, which
//! brings a `main` of its own.

#![no_main]

use std::{env, fs, path::Path, process, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use plimsoll_tests::parsers::{self, Parser};

static CHOSEN: LazyLock<Parser> = LazyLock::new(|| {
    let name = env::var("PARSER").expect("PARSER says which reader; without it, their names are printed");
    let parser = parsers::all().into_iter().find(|parser| parser.name == name);
    parser.expect("PARSER is the name of a reader")
});

/// What is asked of this program beside fuzzing, after which it ends.
fn answer() {
    if env::var_os("PARSER").is_none() {
        parsers::all().iter().for_each(|parser| println!("{}", parser.name));
        process::exit(0);
    }
    let Some(folder) = env::var_os("SEEDS") else {
        return;
    };
    fs::create_dir_all(&folder).expect("the folder can be made");
    for (number, seed) in CHOSEN.seeds().iter().enumerate() {
        fs::write(Path::new(&folder).join(format!("seed-{number}")), seed).expect("the folder can be written to");
    }
    process::exit(0);
}

fuzz_target!(init: answer(), |bytes: &[u8]| (CHOSEN.run)(bytes));
