//! A real nats-server, where there is one.

use std::{
    fs,
    io::BufRead as _,
    process::{Child, Command, Stdio},
};

use plimsoll_runtime::output::OutputOptions;

use crate::bench::Bench;

struct Nats {
    child: Child,
    url: String,
    _folder: tempfile::TempDir,
}

impl Nats {
    /// `None` where there is no nats-server.
    fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let started = Command::new("nats-server")
            .args(["-js", "-a", "127.0.0.1", "-p", "-1", "-sd"])
            .arg(folder.path())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(mut child) = started else {
            eprintln!("SKIPPED: there is no nats-server here");
            return None;
        };
        let mut port = None;
        let log = std::io::BufReader::new(child.stderr.take().unwrap());
        let mut lines = log.lines();
        for line in lines.by_ref().map_while(Result::ok) {
            if let Some((_, rest)) = line.split_once("client connections on 127.0.0.1:") {
                port = Some(rest.to_owned());
            }
            if line.contains("Server is ready") {
                break;
            }
        }
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self {
            child,
            url: format!("nats://127.0.0.1:{}", port.expect("it says where it listens")),
            _folder: folder,
        })
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_real_nats_server_stores_each_alert_once_however_often_it_is_sent() {
    let Some(nats) = Nats::start() else { return };
    let bench = Bench::new();
    let options = || OutputOptions {
        nats: Some(nats.url.clone()),
        ..bench.options()
    };
    assert_eq!(bench.run(50, options()).outputs[0].delivered, 50);
    // As after a crash that lost the cursor: all is sent again.
    fs::write(bench.folder.path().join("state/spool/nats.cursor"), "damaged").unwrap();
    assert_eq!(bench.run(0, options()).outputs[0].delivered, 50);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let messages = runtime.block_on(async {
        let client = async_nats::connect(&nats.url).await.unwrap();
        let stream = async_nats::jetstream::new(client);
        let stream = stream.get_stream("PLIMSOLL_ALERTS").await.unwrap();
        stream.cached_info().state.messages
    });
    assert_eq!(messages, 50);
}
