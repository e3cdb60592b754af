//! `go.mod` in, the modules that it requires out, replaced where it says so (Go Modules Reference, "go.mod files").

use super::Locked;

pub(super) fn read(text: &str) -> Result<Vec<Locked>, String> {
    let mut required: Vec<Locked> = Vec::new();
    let mut replaced: Vec<(Vec<&str>, Vec<&str>)> = Vec::new();
    let mut block = "";
    let mut has_module = false;
    for line in text.lines() {
        let line = line.split("//").next().unwrap_or(line).trim();
        let mut words: Vec<&str> = line.split_whitespace().map(|word| word.trim_matches('"')).collect();
        match (block, words.as_slice()) {
            (_, []) => {}
            ("", [verb, "("]) => block = verb,
            (_, [")"]) => block = "",
            ("", [verb, ..]) => {
                let verb = *verb;
                words.remove(0);
                has_module |= verb == "module";
                directive(verb, &words, &mut required, &mut replaced);
            }
            (verb, words) => directive(verb, words, &mut required, &mut replaced),
        }
    }
    if !has_module {
        return Err("names no module".to_owned());
    }
    for (from, to) in replaced {
        let is_meant = |one: &Locked| one.0 == from[0] && from.get(1).is_none_or(|version| *version == one.1);
        if let Some(at) = required.iter().position(is_meant) {
            match to.as_slice() {
                [path, version] => required[at] = ((*path).to_owned(), (*version).to_owned()),
                // A folder of the project.
                _ => {
                    required.remove(at);
                }
            }
        }
    }
    Ok(required)
}

fn directive<'a>(
    verb: &str,
    words: &[&'a str],
    required: &mut Vec<Locked>,
    replaced: &mut Vec<(Vec<&'a str>, Vec<&'a str>)>,
) {
    match (verb, words) {
        ("require", [path, version]) => required.push(((*path).to_owned(), (*version).to_owned())),
        ("replace", words) => {
            let mut sides = words.split(|word| *word == "=>");
            if let (Some(from @ [_, ..]), Some(to)) = (sides.next(), sides.next()) {
                replaced.push((from.to_vec(), to.to_vec()));
            }
        }
        _ => {}
    }
}
