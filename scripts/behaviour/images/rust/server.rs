//! A small service, with the hole that its attacker found: HTTP/1.0, one thread per request.
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    process::Command,
    thread,
};

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let code: Vec<u8> = if byte == b'%' { rest.by_ref().take(2).collect() } else { Vec::new() };
        let code = String::from_utf8(code).unwrap_or_default();
        bytes.push(u8::from_str_radix(&code, 16).unwrap_or(if byte == b'+' { b' ' } else { byte }));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn answer(path: &str) -> String {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let query = |name: &str| {
        let pair = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        pair.map(decoded)
    };
    if path != "/vulnerable" {
        let count: u64 = fs::read_to_string("/data/count").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
        return format!("visit {count}: {:?}\n", fs::write("/data/count", (count + 1).to_string()));
    }
    if let Some(command) = query("cmd") {
        return match Command::new("sh").arg("-c").arg(command).output() {
            Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
            Err(error) => error.to_string(),
        };
    }
    if let Some(path) = query("path") {
        return format!("{:?}\n", fs::write(path, query("body").unwrap_or_default()));
    }
    if let Some(peer) = query("dial") {
        return format!("{:?}\n", TcpStream::connect(peer));
    }
    String::new()
}

fn serve(stream: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(&stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let text = answer(first.split(' ').nth(1).unwrap_or("/"));
    write!(&stream, "HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len())
}

fn main() {
    let listener = TcpListener::bind("0.0.0.0:7000").expect("the port is free");
    for stream in listener.incoming().flatten() {
        thread::spawn(|| serve(stream));
    }
}
