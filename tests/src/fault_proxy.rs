//! Stands between the command and a real server, lets requests through or does to them what networks and registries do,
//! and remembers what it was asked. One request a connection.

use std::{
    io::{self, BufRead as _, BufReader, Read, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// A request's first line and headers, without its body.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `GET`.
    pub method: String,
    /// Path with query.
    pub path: String,
    /// Lines as sent.
    pub headers: Vec<String>,
    /// How many requests with this method and path came before.
    pub before: usize,
}

impl Asked {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// What happens to a request.
#[derive(Debug, Clone)]
pub enum Act {
    /// The server answers.
    Pass,
    /// This answer, verbatim.
    Answer(Vec<u8>),
    /// The server answers, and the connection breaks after so many bytes.
    Cut(usize),
}

/// An answer without server.
pub fn answer(status: &str, headers: &[&str], body: &[u8]) -> Act {
    let mut text = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n",
        body.len()
    );
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    Act::Answer([text.as_bytes(), body].concat())
}

/// A proxy that ends with the test process.
pub struct FaultProxy {
    /// `127.0.0.1:PORT`.
    pub address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl FaultProxy {
    /// Begins to listen; `script` decides about every request to `server` (`127.0.0.1:PORT`).
    pub fn start(server: &str, script: impl Fn(&Asked) -> Act + Send + Sync + 'static) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?.to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (server, script, log) = (server.to_owned(), Arc::new(script), Arc::clone(&asked));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (server, script, log) = (server.clone(), Arc::clone(&script), Arc::clone(&log));
                // A connection that breaks is what this is for.
                thread::spawn(move || serve(&stream, &server, script.as_ref(), &log).ok());
            }
        });
        Ok(Self { address, asked })
    }

    /// All requests so far.
    ///
    /// # Panics
    /// When a script panicked.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no script panics").clone()
    }
}

fn serve(
    mut stream: &TcpStream,
    server: &str,
    script: &(impl Fn(&Asked) -> Act + ?Sized),
    log: &Mutex<Vec<Asked>>,
) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let mut words = lines.first().map(String::as_str).unwrap_or_default().split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let asked = {
        let mut log = log.lock().map_err(|_| io::ErrorKind::Other)?;
        let before = log
            .iter()
            .filter(|old| old.method == method && old.path == path)
            .count();
        let asked = Asked {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: lines[1..].to_vec(),
            before,
        };
        log.push(asked.clone());
        asked
    };
    let act = script(&asked);
    let limit = match act {
        Act::Answer(bytes) => return stream.write_all(&bytes),
        Act::Pass => u64::MAX,
        Act::Cut(bytes) => bytes as u64,
    };
    let length = asked
        .header("content-length")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let upstream = TcpStream::connect(server)?;
    let mut head = format!("{}\r\n", lines[0]);
    for line in asked
        .headers
        .iter()
        .filter(|line| !line.to_ascii_lowercase().starts_with("connection:"))
    {
        head.push_str(line);
        head.push_str("\r\n");
    }
    head.push_str("Connection: close\r\n\r\n");
    (&upstream).write_all(head.as_bytes())?;
    io::copy(&mut reader.take(length), &mut &upstream)?;
    io::copy(&mut upstream.take(limit), &mut stream)?;
    stream.shutdown(std::net::Shutdown::Both)
}
