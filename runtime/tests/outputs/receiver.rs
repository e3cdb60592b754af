//! A small HTTP server for tests: a closure decides about each request, badly behaved ones included.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use serde_json::Value;

/// One request, read to its end.
pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) token: Option<String>,
    pub(crate) body: Value,
}

/// What becomes of it.
pub(crate) enum Reply {
    /// Status and JSON body.
    Json(u16, Value),
    /// The connection ends without an answer.
    Drop,
    /// The connection stays open without an answer.
    Hang,
}

pub(crate) struct Receiver {
    pub(crate) url: String,
    ends: Arc<AtomicBool>,
    address: std::net::SocketAddr,
}

impl Receiver {
    pub(crate) fn start(answer: impl FnMut(Request) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let ends = Arc::new(AtomicBool::new(false));
        let (stop, answer) = (Arc::clone(&ends), Arc::new(Mutex::new(answer)));
        thread::spawn(move || {
            let mut hanging = Vec::new();
            for stream in listener.incoming() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(mut stream) = stream else { continue };
                let Some(request) = read(&stream) else { continue };
                let reply = (*answer.lock().unwrap())(request);
                match reply {
                    Reply::Json(status, body) => write(&mut stream, status, &body.to_string()),
                    Reply::Drop => {}
                    Reply::Hang => hanging.push(stream),
                }
            }
        });
        Self {
            url: format!("http://{address}"),
            ends,
            address,
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut input = BufReader::new(stream);
    let mut line = String::new();
    input.read_line(&mut line).ok()?;
    let (mut length, mut token) = (0, None);
    loop {
        let mut header = String::new();
        input.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim().split_once(": ") else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "authorization" => token = value.strip_prefix("Bearer ").map(str::to_owned),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    input.read_exact(&mut body).ok()?;
    Some(Request {
        line: line.trim().trim_end_matches(" HTTP/1.1").to_owned(),
        token,
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    })
}

fn write(stream: &mut TcpStream, status: u16, body: &str) {
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all((head + body).as_bytes());
}
