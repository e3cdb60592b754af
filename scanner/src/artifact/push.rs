//! Files in; blobs, manifest, tag and signature on the registry out.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use plimsoll_model::Digest;
use sha2::{Digest as _, Sha256};

use super::{ArtifactError, Descriptor, EMPTY_TYPE, MANIFEST_TYPE, Manifest, NewArtifact, Store};
use crate::{
    layout::digest_of,
    limits::MAX_MANIFEST_BYTES,
    registry::{Access, Answer, Body, Request},
};

/// What was pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pushed {
    /// Of the manifest.
    pub digest: Digest,
    /// Of its files, together.
    pub size_bytes: u64,
}

impl Store {
    /// Pushes blobs that the registry does not have, then the manifest: whoever reads sees all or nothing. With a subject
    /// the manifest is named by its digest alone and listed among the subject's referrers; else it gets the tag. The
    /// signature goes first, so that there is no moment at which a reader who wants one finds none.
    pub fn push(&self, artifact: &NewArtifact) -> Result<Pushed, ArtifactError> {
        let mut size_bytes = 0;
        let mut layers = Vec::with_capacity(artifact.layers.len());
        for layer in &artifact.layers {
            let (digest, size) = measure(&layer.path)?;
            self.push_blob(&digest, Body::File(layer.path.clone()))?;
            size_bytes += size;
            layers.push(Descriptor {
                media_type: layer.media_type.clone(),
                digest: digest.to_string(),
                size,
                artifact_type: String::new(),
                annotations: layer.annotations.clone(),
            });
        }
        let empty = Descriptor::of(EMPTY_TYPE, b"{}");
        self.push_blob(&digest_of(b"{}"), Body::Bytes(b"{}".to_vec()))?;
        if layers.is_empty() {
            // The image-spec asks for one layer at least.
            layers.push(empty.clone());
        }
        let subject = artifact.subject.map(|digest| self.subject(&digest)).transpose()?;
        let manifest = Manifest {
            schema_version: 2,
            media_type: MANIFEST_TYPE.to_owned(),
            artifact_type: artifact.artifact_type.clone(),
            config: empty,
            layers,
            subject,
            annotations: artifact.annotations.clone(),
        };
        let bytes = to_json(&manifest)?;
        let digest = digest_of(&bytes);
        if let Some(key) = &artifact.key {
            self.sign(&digest, key)?;
        }
        let name = match (&artifact.subject, &self.image.tag) {
            (None, Some(tag)) => tag.clone(),
            _ => digest.to_string(),
        };
        let mut descriptor = Descriptor::of(MANIFEST_TYPE, &bytes);
        let answer = self.push_manifest(&name, MANIFEST_TYPE, bytes)?;
        if let Some(subject) = &artifact.subject
            && answer.header("oci-subject") != subject.to_string()
        {
            descriptor.artifact_type.clone_from(&artifact.artifact_type);
            descriptor.annotations.clone_from(&artifact.annotations);
            self.list_referrer(subject, descriptor)?;
        }
        Ok(Pushed { digest, size_bytes })
    }

    /// The descriptor of what an artifact is about.
    fn subject(&self, digest: &Digest) -> Result<Descriptor, ArtifactError> {
        let answer = self.get_manifest(&digest.to_string())?;
        let actual = digest_of(&answer.body);
        if actual != *digest {
            let what = format!("manifest {digest}");
            return Err(ArtifactError::Digest {
                what,
                expected: *digest,
                actual,
            });
        }
        // Without parameters: some registries write `; charset=utf-8` behind it.
        let media_type = answer
            .header("content-type")
            .split(';')
            .next()
            .unwrap_or_default()
            .trim();
        let media_type = if media_type.is_empty() {
            MANIFEST_TYPE
        } else {
            media_type
        };
        Ok(Descriptor::of(media_type, &answer.body))
    }

    /// In one piece, unless the registry has it.
    pub(super) fn push_blob(&self, digest: &Digest, body: Body) -> Result<(), ArtifactError> {
        self.check_time()?;
        let place = format!("blobs/{digest}");
        match self.own().call(&Request::head(place, Access::Push), MAX_MANIFEST_BYTES) {
            Ok(_) => return Ok(()),
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
        let begin = Request::post("blobs/uploads/", Access::Push);
        let upload = self.own().call(&begin, MAX_MANIFEST_BYTES)?;
        let location = upload.header("location");
        if location.is_empty() {
            return Err(ArtifactError::malformed(
                "the registry's answer to an upload",
                "it says nowhere to go",
            ));
        }
        let request = Request::put(location, Access::Push)
            .content_type("application/octet-stream")
            .query("digest", digest)
            .body(body);
        self.own().call(&request, MAX_MANIFEST_BYTES)?;
        Ok(())
    }

    pub(super) fn push_manifest(&self, name: &str, media_type: &str, bytes: Vec<u8>) -> Result<Answer, ArtifactError> {
        self.check_time()?;
        let request = Request::put(format!("manifests/{name}"), Access::Push)
            .content_type(media_type)
            .body(Body::Bytes(bytes));
        Ok(self.own().call(&request, MAX_MANIFEST_BYTES)?)
    }
}

pub(super) fn to_json(document: &impl serde::Serialize) -> Result<Vec<u8>, ArtifactError> {
    serde_json::to_vec(document).map_err(|error| ArtifactError::malformed("our own manifest", &error.to_string()))
}

/// Digest and size of a file.
fn measure(path: &Path) -> Result<(Digest, u64), ArtifactError> {
    let failed = |source| ArtifactError::File {
        operation: "read",
        path: path.to_owned(),
        source,
    };
    let mut file = File::open(path).map_err(failed)?;
    let mut hasher = Sha256::new();
    let size = hash(&mut file, &mut hasher).map_err(failed)?;
    Ok((Digest::from_bytes(hasher.finalize().into()), size))
}

/// Feeds what is left of a reader to a hasher.
pub(super) fn hash(reader: &mut impl Read, hasher: &mut Sha256) -> io::Result<u64> {
    let mut buffer = vec![0; 1 << 16];
    let mut total = 0;
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(total),
            read => {
                hasher.update(&buffer[..read]);
                total += read as u64;
            }
        }
    }
}
