//! A layer's descriptor in, a file with exactly its bytes out. An unfinished download is kept beside the file and continued
//! by the next run; nothing that was not verified ever has the file's name.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use plimsoll_model::Digest;
use sha2::{Digest as _, Sha256};

use super::{ArtifactError, Layer, Store, push::hash};
use crate::registry::{Client, RegistryError};

/// Bytes that are read at once.
const PIECE_BYTES: usize = 64 << 10;

impl Store {
    /// Downloads a layer into a file. The size is checked before the first byte is asked for and while they come, the
    /// digest before the file gets its name. Mirrors are tried in order, each continuing what the one before began.
    pub fn download(&self, layer: &Layer, max_bytes: u64, path: &Path) -> Result<(), ArtifactError> {
        if layer.size_bytes > max_bytes {
            let reason = format!("{} bytes, more than {max_bytes}", layer.size_bytes);
            return Err(ArtifactError::malformed(&format!("layer {}", layer.digest), &reason));
        }
        let part = part_of(path, &layer.digest);
        let failed = |operation, source| ArtifactError::File {
            operation,
            path: part.clone(),
            source,
        };
        // What an earlier run left may be damaged, and a mirror may send other bytes of the right number: then it is done
        // again, from the start.
        let again = usize::from(part.exists());
        let mut refused = None;
        for first in std::iter::repeat_n(0, again).chain(0..self.clients.len()) {
            match self.fill(layer, &self.clients[first..], &part)? {
                actual if actual == layer.digest => {
                    return fs::rename(&part, path).map_err(|source| failed("rename", source));
                }
                actual => {
                    tracing::warn!(host = self.clients[first].host(), digest = %layer.digest, "other bytes were sent");
                    fs::remove_file(&part).map_err(|source| failed("remove", source))?;
                    refused = Some(actual);
                }
            }
        }
        Err(ArtifactError::Digest {
            what: format!("layer of {}", self.image),
            expected: layer.digest,
            actual: refused.expect("there is at least the registry itself"),
        })
    }

    /// Completes the unfinished file and gives the digest of what is in it then.
    fn fill(&self, layer: &Layer, clients: &[Client], part: &Path) -> Result<Digest, ArtifactError> {
        let failed = |source| ArtifactError::File {
            operation: "write",
            path: part.to_owned(),
            source,
        };
        let mut file = OpenOptions::new()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .open(part)
            .map_err(failed)?;
        let mut hasher = Sha256::new();
        let mut have = hash(&mut file, &mut hasher).map_err(failed)?;
        if have > layer.size_bytes {
            (have, hasher) = (0, Sha256::new());
            file = File::create(part).map_err(failed)?;
        }
        let mut reader = Client::blob_from(clients, &layer.digest, layer.size_bytes, have);
        let mut buffer = vec![0; PIECE_BYTES];
        while have < layer.size_bytes {
            self.check_time()?;
            let read = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) => return Err(broken(error, part)),
            };
            let room = usize::try_from(layer.size_bytes - have).unwrap_or(usize::MAX);
            let piece = &buffer[..read.min(room)];
            file.write_all(piece).map_err(failed)?;
            hasher.update(piece);
            have += piece.len() as u64;
        }
        file.sync_all().map_err(failed)?;
        Ok(Digest::from_bytes(hasher.finalize().into()))
    }
}

/// The registry's own error is inside that of the reader.
fn broken(error: io::Error, part: &Path) -> ArtifactError {
    match error.downcast::<RegistryError>() {
        Ok(error) => error.into(),
        Err(source) => ArtifactError::File {
            operation: "fill",
            path: part.to_owned(),
            source,
        },
    }
}

/// Named after the digest, so that what was begun of another version is not continued.
fn part_of(path: &Path, digest: &Digest) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.part", digest.short()));
    PathBuf::from(name)
}
