//! A blob's digest in, its bytes out as they come: continued where a connection broke, by the next client where one gives
//! up; nothing is kept.

use std::{
    io::{self, Read},
    sync::Arc,
};

use futures_util::StreamExt as _;
use plimsoll_model::Digest;
use reqwest::StatusCode;
use tokio::{runtime::Runtime, sync::mpsc};

use super::{
    RegistryError,
    client::Inner,
    request::{Access, Request, range_start},
    retry::Patience,
};

/// Pieces of a blob between network and reader, 16 KiB each at most.
const PIECES: usize = 32;
/// A download that went on for so long before it broke again may be continued as often as one that never broke: a server
/// that sends a byte at a time is given up.
const PROGRESS_BYTES: u64 = 1 << 20;

type Piece = Box<dyn AsRef<[u8]> + Send>;

/// The reader's end of a download. An error of the registry is inside the [`io::Error`].
pub(crate) struct BlobReader {
    receiver: mpsc::Receiver<io::Result<Piece>>,
    piece: Piece,
    at: usize,
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let left = &(*self.piece).as_ref()[self.at..];
            if !left.is_empty() {
                let count = left.len().min(buffer.len());
                buffer[..count].copy_from_slice(&left[..count]);
                self.at += count;
                return Ok(count);
            }
            match self.receiver.blocking_recv() {
                Some(piece) => (self.piece, self.at) = (piece?, 0),
                None => return Ok(0),
            }
        }
    }
}

/// Begins to download, from this byte on.
pub(super) fn download(
    runtime: &Runtime,
    clients: Vec<Arc<Inner>>,
    digest: Digest,
    size_bytes: u64,
    start: u64,
) -> BlobReader {
    let (sender, receiver) = mpsc::channel(PIECES);
    let mut transfer = Transfer {
        place: format!("blobs/{digest}"),
        size_bytes,
        sent: start,
        sender,
    };
    runtime.spawn(async move {
        if let Err(error) = transfer.run(&clients).await {
            // A reader that is gone does not want to know.
            let _ = transfer.sender.send(Err(io::Error::other(error))).await;
        }
    });
    BlobReader {
        receiver,
        piece: Box::new([]),
        at: 0,
    }
}

/// The body of any answer, as it comes.
pub(crate) fn read_body(runtime: &Runtime, response: reqwest::Response) -> BlobReader {
    let (sender, receiver) = mpsc::channel(PIECES);
    runtime.spawn(async move {
        let mut stream = response.bytes_stream();
        while let Some(piece) = stream.next().await {
            let piece: io::Result<Piece> = match piece {
                Ok(bytes) => Ok(Box::new(bytes)),
                Err(error) => Err(io::Error::other(error)),
            };
            let is_last = piece.is_err();
            if sender.send(piece).await.is_err() || is_last {
                return;
            }
        }
    });
    BlobReader {
        receiver,
        piece: Box::new([]),
        at: 0,
    }
}

struct Transfer {
    place: String,
    size_bytes: u64,
    sent: u64,
    sender: mpsc::Sender<io::Result<Piece>>,
}

impl Transfer {
    async fn run(&mut self, clients: &[Arc<Inner>]) -> Result<(), RegistryError> {
        let mut last = None;
        for client in clients {
            match self.run_with(client).await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    tracing::debug!(host = client.endpoint.host, %error, "registry gives up a blob");
                    last = Some(error);
                }
            }
        }
        last.map_or(Ok(()), Err)
    }

    /// From one registry, again and again while it may help.
    async fn run_with(&mut self, client: &Inner) -> Result<(), RegistryError> {
        let mut patience = Patience::new(std::time::Duration::ZERO);
        loop {
            let before = self.sent;
            let error = match self.go_on(client).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if self.sent - before >= PROGRESS_BYTES {
                patience.renew();
            }
            // What the registry asked for before it sent anything was waited for already.
            let is_broken = matches!(error, RegistryError::Transport { .. });
            let Some(pause) = (is_broken && client.may_pass(&error))
                .then(|| patience.pause(None))
                .flatten()
            else {
                return Err(error);
            };
            tracing::warn!(sent_bytes = self.sent, %error, "download continues");
            tokio::time::sleep(pause).await;
        }
    }

    async fn go_on(&mut self, client: &Inner) -> Result<(), RegistryError> {
        let request = Request::get(self.place.clone(), Access::Pull).starting_at(self.sent);
        let response = client.send(&request).await?;
        let start = match response.status() {
            StatusCode::PARTIAL_CONTENT => range_start(response.headers())
                .filter(|start| *start <= self.sent)
                .ok_or_else(|| client.protocol_error("it sends another part of a blob than was asked for"))?,
            _ => 0,
        };
        let mut repeated = self.sent - start;
        let mut stream = response.bytes_stream();
        while let Some(piece) = stream.next().await {
            let piece = piece.map_err(|error| client.broken(&request, error))?;
            let known = repeated.min(piece.len() as u64);
            repeated -= known;
            let new = piece.slice(usize::try_from(known).unwrap_or(piece.len())..);
            if new.is_empty() {
                continue;
            }
            self.sent += new.len() as u64;
            if self.sender.send(Ok(Box::new(new))).await.is_err() || self.sent > self.size_bytes {
                return Ok(());
            }
        }
        Ok(())
    }
}
