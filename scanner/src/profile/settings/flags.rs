//! A command line of flags in, settings out: for software whose ports and folders are arguments.

use super::{Settings, port_of};

/// Reads `--name=value`, `--name value`, `-name value`, `-n value` and `-n5`. A flag without a value is `yes`. Names are
/// without their dashes, `-U` is `capital-u`; an address also gives `NAME.port`.
pub(super) fn read(settings: &mut Settings, arguments: &[String]) {
    let mut rest = arguments.iter().peekable();
    while let Some(word) = rest.next() {
        let Some(name) = word.strip_prefix('-') else {
            settings.add("operand", word, "command line");
            continue;
        };
        let (is_long, name) = match name.strip_prefix('-') {
            Some(name) => (true, name),
            None => (false, name),
        };
        let (name, value) = if let Some((name, value)) = name.split_once('=') {
            (name, value.to_owned())
        } else if let Some((short, digits)) = name
            .split_at_checked(1)
            .filter(|(_, digits)| is_attached(is_long, digits))
        {
            (short, digits.to_owned())
        } else {
            let value = rest.next_if(|next| !next.starts_with('-') || is_number(next));
            (name, value.map_or_else(|| "yes".to_owned(), Clone::clone))
        };
        if name.is_empty() {
            continue;
        }
        let name = &plain(name);
        settings.set(name, &value, "command line");
        for port in value.split(',').filter_map(port_of) {
            settings.add(&format!("{name}.port"), port, "command line");
        }
    }
}

/// Settings know no capitals; `-U` is not `-u`.
fn plain(name: &str) -> String {
    match name.as_bytes() {
        [letter] if letter.is_ascii_uppercase() => format!("capital-{}", name.to_ascii_lowercase()),
        _ => name.to_ascii_lowercase(),
    }
}

fn is_attached(is_long: bool, rest: &str) -> bool {
    !is_long && !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_number(word: &str) -> bool {
    word.parse::<i64>().is_ok()
}
