//! Who wants to know: a socket of this machine's root for `plimsoll agent top`, and loopback HTTP for Prometheus. Each is one
//! thread that answers one peer at a time, with time limits; nothing that a peer sends is more than looked at.

use std::{
    fs::{self, DirBuilder, Permissions},
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener},
    os::unix::{
        fs::{DirBuilderExt as _, PermissionsExt as _},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use super::{Reading, prometheus};
use crate::{limits::MAX_HTTP_REQUEST_BYTES, output::SharedVitals, read::boot_time_ns};

/// Folder of agents' sockets: `agent-PID.sock`.
pub const RUN_FOLDER: &str = "/run/plimsoll";

/// A peer that is slower is let go.
const PATIENCE: Duration = Duration::from_secs(2);
/// After an error that may go on, such as a full table of descriptors.
const PAUSE: Duration = Duration::from_millis(200);

/// Why nobody can ask.
#[derive(Debug, thiserror::Error)]
pub enum MeterError {
    /// Numbers of the agent are this machine's own business.
    #[error("serve metrics at {address}: it is no loopback address")]
    NotLoopback {
        /// The address.
        address: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("serve metrics at {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
}

/// Open listeners, to be given to an agent.
#[derive(Debug, Default)]
pub struct Listeners {
    socket: Option<(UnixListener, PathBuf)>,
    metrics: Option<TcpListener>,
}

impl Listeners {
    /// Opens the socket below `run`, and metrics where an address is given. Without a socket the agent runs all the same:
    /// the second value says why there is none.
    ///
    /// # Errors
    /// Metrics cannot be served where they were asked for.
    pub fn open(run: &Path, metrics: Option<SocketAddr>) -> Result<(Self, Option<String>), MeterError> {
        let metrics = metrics.map(listen).transpose()?;
        let (socket, problem) = match open_socket(run) {
            Ok(socket) => (Some(socket), None),
            Err(error) => (
                None,
                Some(format!(
                    "`plimsoll agent top` cannot ask this agent: {}: {error}",
                    run.display()
                )),
            ),
        };
        Ok((Self { socket, metrics }, problem))
    }

    /// Where metrics are served: of port 0, the port that the system chose. `None`: nowhere.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref()?.local_addr().ok()
    }

    /// Answers from now on. The threads end with the process; the socket goes when the returned value does.
    pub(crate) fn start(self, vitals: &SharedVitals) -> io::Result<Served> {
        let about = About {
            ready_ns: boot_time_ns(),
        };
        let mut path = None;
        if let Some((listener, socket)) = self.socket {
            let (about, vitals) = (about.clone(), vitals.clone());
            let answer = move || serve_readings(&listener, &about, &vitals);
            thread::Builder::new().name("top".to_owned()).spawn(answer)?;
            path = Some(socket);
        }
        if let Some(listener) = self.metrics {
            let vitals = vitals.clone();
            let answer = move || serve_metrics(&listener, &about, &vitals);
            thread::Builder::new().name("metrics".to_owned()).spawn(answer)?;
        }
        Ok(Served { path })
    }
}

/// What does not change while an agent runs.
#[derive(Debug, Clone)]
pub(crate) struct About {
    pub(super) ready_ns: u64,
}

/// As long as it lives, the socket is there.
#[derive(Debug)]
pub(crate) struct Served {
    path: Option<PathBuf>,
}

impl Drop for Served {
    fn drop(&mut self) {
        // Whoever removed it before did the same.
        self.path.iter().for_each(|path| drop(fs::remove_file(path)));
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener, MeterError> {
    if !address.ip().is_loopback() {
        return Err(MeterError::NotLoopback { address });
    }
    TcpListener::bind(address).map_err(|source| MeterError::Bind { address, source })
}

fn open_socket(run: &Path) -> io::Result<(UnixListener, PathBuf)> {
    DirBuilder::new().recursive(true).mode(0o700).create(run)?;
    for entry in fs::read_dir(run)?.flatten().take(1_024) {
        let path = entry.path();
        let is_socket = path.extension().is_some_and(|extension| extension == "sock");
        // Of an agent that was killed.
        if is_socket && UnixStream::connect(&path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
        {
            let _ = fs::remove_file(&path);
        }
    }
    let path = run.join(format!("agent-{}.sock", std::process::id()));
    let listener = UnixListener::bind(&path)?;
    fs::set_permissions(&path, Permissions::from_mode(0o600))?;
    Ok((listener, path))
}

fn serve_readings(listener: &UnixListener, about: &About, vitals: &SharedVitals) {
    for peer in listener.incoming() {
        let Ok(mut peer) = peer else {
            thread::sleep(PAUSE);
            continue;
        };
        let json = serde_json::to_vec(&Reading::take(about, vitals)).unwrap_or_default();
        // A peer that goes away, or does not read, gets nothing.
        let _ = peer
            .set_write_timeout(Some(PATIENCE))
            .and_then(|()| peer.write_all(&json));
    }
}

fn serve_metrics(listener: &TcpListener, about: &About, vitals: &SharedVitals) {
    for peer in listener.incoming() {
        let Ok(mut peer) = peer else {
            thread::sleep(PAUSE);
            continue;
        };
        let limits = peer
            .set_read_timeout(Some(PATIENCE))
            .and_then(|()| peer.set_write_timeout(Some(PATIENCE)));
        if limits.is_err() {
            continue;
        }
        let answer = answer(&read_request(&mut peer), || {
            prometheus::text(&Reading::take(about, vitals))
        });
        // Nobody is left to be told.
        let _ = peer.write_all(answer.as_bytes());
    }
}

/// Up to the end of the header, the limit, or the time.
fn read_request(peer: &mut impl Read) -> Vec<u8> {
    let mut request = Vec::new();
    let mut buffer = [0; 1_024];
    while request.len() < MAX_HTTP_REQUEST_BYTES && !request.windows(4).any(|end| end == b"\r\n\r\n") {
        match peer.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(count) => request.extend_from_slice(&buffer[..count]),
        }
    }
    request
}

fn answer(request: &[u8], metrics: impl FnOnce() -> String) -> String {
    let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let mut words = line.split(' ');
    let target = (
        words.next(),
        words.next().map(|target| target.split('?').next().unwrap_or_default()),
    );
    let (status, body) = match target {
        (Some("GET"), Some("/metrics")) => ("200 OK", metrics()),
        (Some("GET"), Some(_)) => ("404 Not Found", "only /metrics is here\n".to_owned()),
        (Some(_), Some(_)) => ("405 Method Not Allowed", "only GET is answered\n".to_owned()),
        _ => ("400 Bad Request", "this is no request\n".to_owned()),
    };
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {}\r\nContent-Length: {}\r\nX-Content-Type-Options: nosniff\r\n\
         Connection: close\r\n\r\n{body}",
        prometheus::MEDIA_TYPE,
        body.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_metrics_are_answered() {
        for (request, expected) in [
            (&b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"[..], "HTTP/1.1 200 OK"),
            (b"GET /metrics?x=1 HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK"),
            (b"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 404"),
            (b"POST /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 405"),
            (b"\xff\xfe", "HTTP/1.1 400"),
            (b"", "HTTP/1.1 400"),
        ] {
            let answer = answer(request, || "x 1\n".to_owned());
            assert!(answer.starts_with(expected), "{request:?}: {answer}");
        }
    }

    #[test]
    fn numbers_stay_on_this_machine() {
        let folder = tempfile::tempdir().unwrap();
        let error = Listeners::open(folder.path(), Some("0.0.0.0:0".parse().unwrap())).unwrap_err();
        assert!(matches!(error, MeterError::NotLoopback { .. }), "{error}");
    }

    #[test]
    fn a_reading_is_had_by_this_user_alone_and_old_sockets_go() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("run");
        fs::create_dir(&run).unwrap();
        drop(UnixListener::bind(run.join("agent-1.sock")).unwrap());
        let (listeners, problem) = Listeners::open(&run, None).unwrap();
        assert_eq!(problem, None);
        assert!(!run.join("agent-1.sock").exists(), "nobody listens there");
        let served = listeners.start(&SharedVitals::default()).unwrap();
        let path = run.join(format!("agent-{}.sock", std::process::id()));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let mut json = String::new();
        UnixStream::connect(&path).unwrap().read_to_string(&mut json).unwrap();
        let reading: Reading = serde_json::from_str(&json).unwrap();
        assert_eq!(
            (reading.schema.as_str(), reading.pid),
            (super::super::SCHEMA, std::process::id())
        );
        drop(served);
        assert!(!path.exists());
    }
}
