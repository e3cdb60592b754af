//! nginx.conf with its includes, and nginx's command line (<https://nginx.org/en/docs/beginners_guide.html#conf_structure>).

use plimsoll_rules::packs::SettingsSource;

use super::Settings;
use crate::profile::{
    limits::MAX_INCLUDES,
    lookup::{Lookup, folder_name, normalise},
};

/// Directives whose first argument is a path; relative ones start at the prefix.
const PATHS: &[&str] = &[
    "pid",
    "access_log",
    "error_log",
    "client_body_temp_path",
    "proxy_temp_path",
    "fastcgi_temp_path",
    "uwsgi_temp_path",
    "scgi_temp_path",
    "proxy_cache_path",
    "fastcgi_cache_path",
];

/// Longest line of tokens that one directive may have.
const MAX_WORDS: usize = 256;

pub(super) fn read(settings: &mut Settings, source: &SettingsSource, arguments: &[String], lookup: &Lookup<'_>) {
    let option = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    let main = match option("-c") {
        Some(path) => Some(normalise(
            &path,
            &option("-p").unwrap_or_else(|| "/etc/nginx".to_owned()),
        )),
        None => source.files.iter().find(|path| lookup.file(path).is_some()).cloned(),
    };
    let read = match &main {
        Some(path) if lookup.content(path).is_some() => {
            let prefix = option("-p").unwrap_or_else(|| folder_name(path).to_owned());
            read_file(settings, path, &prefix, lookup, 0);
            true
        }
        _ => false,
    };
    if !read {
        let path = main.unwrap_or_else(|| "nginx.conf".to_owned());
        settings.unknown = Some(format!("{path} is not in the image"));
    }
    if let Some(text) = option("-g") {
        read_text(settings, &text, "command line", "/etc/nginx", lookup, 0);
    }
}

fn read_file(settings: &mut Settings, path: &str, prefix: &str, lookup: &Lookup<'_>, depth: u32) {
    let Some(content) = lookup
        .content(path)
        .filter(|_| depth < MAX_INCLUDES && settings.opens(path))
    else {
        return;
    };
    read_text(settings, &String::from_utf8_lossy(content), path, prefix, lookup, depth);
}

fn read_text(settings: &mut Settings, text: &str, from: &str, prefix: &str, lookup: &Lookup<'_>, depth: u32) {
    let mut words: Vec<String> = Vec::new();
    let mut started = 1;
    for (line, token) in tokens(text) {
        match token {
            Token::Word(word) => {
                if words.is_empty() {
                    started = line;
                }
                if words.len() < MAX_WORDS {
                    words.push(word);
                }
            }
            Token::End => {
                let place = format!("line {started} of {from}");
                directive(settings, &std::mem::take(&mut words), &place, prefix, lookup, depth);
            }
        }
    }
}

fn directive(settings: &mut Settings, words: &[String], place: &str, prefix: &str, lookup: &Lookup<'_>, depth: u32) {
    let Some((name, values)) = words.split_first() else {
        return;
    };
    if name == "include" {
        for pattern in values {
            for file in lookup.matching(&normalise(pattern, prefix)) {
                read_file(settings, &file, prefix, lookup, depth + 1);
            }
        }
        return;
    }
    if name == "listen" {
        return listen(settings, values, place);
    }
    let first = values.first().map(String::as_str).unwrap_or_default();
    if PATHS.contains(&name.as_str()) {
        let is_file = !["off", "stderr", "stdout", ""].contains(&first)
            && !first.starts_with("syslog:")
            && !first.starts_with("memory:");
        if !is_file {
            return;
        }
        // A path with a variable is known up to the folder before it.
        let (path, folder_only) = match first.split_once('$') {
            Some((start, _)) => (start.rsplit_once('/').map_or("", |(folder, _)| folder), true),
            None => (first, false),
        };
        let path = normalise(path, prefix);
        let path = if folder_only { format!("{path}/**") } else { path };
        settings.add(name, &path, place);
        return;
    }
    match values {
        // A block without arguments: that it is there is all there is to know.
        [] => settings.set(name, "on", place),
        _ if name == "user" => settings.set(name, first, place),
        _ => settings.add(name, &values.join(" "), place),
    }
}

/// `[::]:80`, `127.0.0.1:8080`, `*:80`, `8080`, `localhost`, `unix:/run/x`, then `ssl`, `quic`, `udp`, ….
fn listen(settings: &mut Settings, values: &[String], place: &str) {
    let Some((address, options)) = values.split_first() else {
        return;
    };
    if address.starts_with("unix:") {
        return;
    }
    let port = match address.rsplit_once(':') {
        Some((_, port)) if !port.ends_with(']') => port,
        _ if address.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') => address,
        _ => "80",
    };
    let is_datagram = options.iter().any(|option| option == "quic" || option == "udp");
    let name = if is_datagram { "listen.quic_port" } else { "listen.port" };
    settings.add(name, port, place);
}

enum Token {
    Word(String),
    /// `;`, `{` or `}`.
    End,
}

/// Tokens with the lines they start on.
fn tokens(text: &str) -> Vec<(usize, Token)> {
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\n' => line += 1,
            '#' => while chars.next_if(|c| *c != '\n').is_some() {},
            c if c.is_whitespace() => {}
            ';' | '{' | '}' => tokens.push((line, Token::End)),
            quote @ ('"' | '\'') => {
                let start = line;
                let mut word = String::new();
                while let Some(c) = chars.next() {
                    match c {
                        c if c == quote => break,
                        '\\' => word.extend(chars.next()),
                        c => {
                            line += usize::from(c == '\n');
                            word.push(c);
                        }
                    }
                }
                tokens.push((start, Token::Word(word)));
            }
            c => {
                let mut word = String::from(c);
                // `${name}` is part of a word.
                while let Some(c) = chars.next_if(|c| !c.is_whitespace() && !matches!(c, ';' | '{' | '}')) {
                    word.push(c);
                    if c == '$' && chars.peek() == Some(&'{') {
                        for c in chars.by_ref() {
                            word.push(c);
                            if c == '}' {
                                break;
                            }
                        }
                    }
                }
                tokens.push((line, Token::Word(word)));
            }
        }
    }
    // The last directive of `-g` needs no semicolon.
    tokens.push((line, Token::End));
    tokens
}
