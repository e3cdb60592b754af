//! `seeds` prints the names of all readers; `seeds NAME FOLDER` writes what that one starts from, unpacked.

use std::{env, fs, path::Path};

use plimsoll_tests::parsers;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let all = parsers::all();
    let [name, folder] = arguments.as_slice() else {
        all.iter().for_each(|parser| println!("{}", parser.name));
        return;
    };
    let parser = all
        .iter()
        .find(|parser| parser.name == name)
        .expect("the name of a reader");
    fs::create_dir_all(folder).expect("the folder can be made");
    for (number, seed) in parser.seeds().iter().enumerate() {
        fs::write(Path::new(folder).join(format!("seed-{number}")), seed).expect("the folder can be written to");
    }
}
