//! Signatures as cosign stores and checks them: a JSON document that names the manifest's digest, signed by ECDSA on P-256
//! with SHA-256, under the tag `sha256-DIGEST.sig` of the same repository
//! (<https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md>). There is no transparency log.

use std::{collections::BTreeMap, fmt, fs::File, path::Path, sync::Arc};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, UnparsedPublicKey},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use plimsoll_model::Digest;
use serde_json::{Value, json};

use super::{ArtifactError, Descriptor, MANIFEST_TYPE, Manifest, Store, push::to_json, referrers::tag_of};
use crate::{
    layout::{digest_of, read_limited},
    limits::{MAX_ARTIFACT_LAYERS, MAX_KEY_BYTES, MAX_KEYS, MAX_SIGNED_BYTES},
    registry::{Access, Body, Request},
};

const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
const PAYLOAD_TYPE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
/// The word that says what was signed.
const PAYLOAD_KIND: &str = "cosign container image signature";
/// What stands before the point of a P-256 key in its SubjectPublicKeyInfo (RFC 5480): lengths and object identifiers.
const P256_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// Bytes of an uncompressed point.
const POINT_BYTES: usize = 65;

/// A private key.
#[derive(Clone)]
pub struct SigningKey(Arc<EcdsaKeyPair>);

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(Vec<u8>);

impl SigningKey {
    /// Reads a PEM file as `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256` writes it (PKCS #8).
    pub fn read(path: &Path) -> Result<Self, ArtifactError> {
        let bytes = decode_pem(path, &read_text(path)?, "PRIVATE KEY")?;
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &bytes)
            .map(|key| Self(Arc::new(key)))
            .map_err(|_| refuse(path, "it is no P-256 key in PKCS #8"))
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ArtifactError> {
        let signature = self.0.sign(&SystemRandom::new(), message);
        let signature = signature.map_err(|_| ArtifactError::malformed("the signing key", "it does not sign"))?;
        Ok(signature.as_ref().to_vec())
    }
}

impl PublicKey {
    /// Reads a PEM file as `openssl pkey -pubout` and cosign write it.
    pub fn read(path: &Path) -> Result<Self, ArtifactError> {
        Self::from_pem(path, &read_text(path)?)
    }

    /// Every public key of a text with PEM blocks, such as several files one after the other.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, ArtifactError> {
        let place = Path::new("standard input");
        let blocks = text.split_inclusive("-----END PUBLIC KEY-----").take(MAX_KEYS);
        let keys: Result<Vec<Self>, ArtifactError> = blocks
            .filter(|block| block.contains("-----BEGIN"))
            .map(|block| Self::from_pem(place, block))
            .collect();
        match keys? {
            keys if keys.is_empty() => Err(refuse(place, "it has no `PUBLIC KEY`")),
            keys => Ok(keys),
        }
    }

    fn from_pem(path: &Path, text: &str) -> Result<Self, ArtifactError> {
        match decode_pem(path, text, "PUBLIC KEY")?.strip_prefix(&P256_PREFIX) {
            Some(point) if point.len() == POINT_BYTES => Ok(Self(point.to_vec())),
            _ => Err(refuse(path, "it is no P-256 key")),
        }
    }

    fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.0)
            .verify(message, signature)
            .is_ok()
    }
}

fn refuse(path: &Path, reason: &str) -> ArtifactError {
    ArtifactError::Key {
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
}

fn read_text(path: &Path) -> Result<String, ArtifactError> {
    let file = File::open(path).map_err(|error| refuse(path, &error.to_string()))?;
    let bytes = read_limited("", file, MAX_KEY_BYTES).map_err(|error| refuse(path, &error.to_string()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The first block with this label (RFC 7468).
fn decode_pem(path: &Path, text: &str, label: &str) -> Result<Vec<u8>, ArtifactError> {
    let missing = || refuse(path, &format!("it has no `{label}`"));
    let (_, rest) = text
        .split_once(&format!("-----BEGIN {label}-----"))
        .ok_or_else(missing)?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----")).ok_or_else(missing)?;
    let body: String = body.split_whitespace().collect();
    STANDARD.decode(body).map_err(|error| refuse(path, &error.to_string()))
}

impl Store {
    /// Signs a manifest of this repository. The signatures of others stay.
    pub(super) fn sign(&self, digest: &Digest, key: &SigningKey) -> Result<(), ArtifactError> {
        let name = format!("{}/{}", self.image.registry, self.image.repository);
        let payload = to_json(&json!({
            "critical": {
                "identity": { "docker-reference": name },
                "image": { "docker-manifest-digest": digest.to_string() },
                "type": PAYLOAD_KIND,
            },
            "optional": null,
        }))?;
        let signature = STANDARD.encode(key.sign(&payload)?);
        let mut layer = Descriptor::of(PAYLOAD_TYPE, &payload);
        layer.annotations = BTreeMap::from([(SIGNATURE.to_owned(), signature)]);
        self.push_blob(&digest_of(&payload), Body::Bytes(payload))?;
        let mut layers = self.signatures(digest)?;
        layers.truncate(MAX_ARTIFACT_LAYERS - 1);
        layers.push(layer);
        let diff_ids: Vec<&str> = layers.iter().map(|layer| layer.digest.as_str()).collect();
        let config = to_json(&json!({
            "architecture": "", "os": "", "config": {}, "rootfs": { "type": "layers", "diff_ids": diff_ids },
        }))?;
        let manifest = Manifest {
            schema_version: 2,
            media_type: MANIFEST_TYPE.to_owned(),
            artifact_type: String::new(),
            config: Descriptor::of(CONFIG_TYPE, &config),
            layers,
            subject: None,
            annotations: BTreeMap::new(),
        };
        self.push_blob(&digest_of(&config), Body::Bytes(config))?;
        self.push_manifest(&tag_of(digest, ".sig"), MANIFEST_TYPE, to_json(&manifest)?)?;
        Ok(())
    }

    /// The signatures that the repository has of a manifest; whose they are is not known yet.
    fn signatures(&self, digest: &Digest) -> Result<Vec<Descriptor>, ArtifactError> {
        let answer = match self.get_manifest(&tag_of(digest, ".sig")) {
            Ok(answer) => answer,
            Err(error) if error.is_not_found() => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let what = format!("signatures of {digest}");
        let manifest: Manifest = serde_json::from_slice(&answer.body)
            .map_err(|error| ArtifactError::malformed(&what, &error.to_string()))?;
        let mut layers = manifest.layers;
        layers.retain(|layer| layer.media_type == PAYLOAD_TYPE);
        layers.truncate(MAX_ARTIFACT_LAYERS);
        Ok(layers)
    }

    /// An error unless one of the keys has signed this manifest.
    pub(super) fn verify(&self, digest: &Digest, keys: &[PublicKey]) -> Result<(), ArtifactError> {
        let refuse = |reason: &str| ArtifactError::Signature {
            digest: *digest,
            reason: reason.to_owned(),
        };
        let layers = self.signatures(digest)?;
        if layers.is_empty() {
            return Err(refuse("nobody has signed it"));
        }
        for layer in &layers {
            let Some(signature) = layer
                .annotations
                .get(SIGNATURE)
                .and_then(|text| STANDARD.decode(text).ok())
            else {
                continue;
            };
            // The signature covers the bytes, so they need no other check before it.
            let payload = self.ask(
                &Request::get(format!("blobs/{}", layer.digest(PAYLOAD_TYPE)?), Access::Pull),
                MAX_SIGNED_BYTES,
            )?;
            if !keys.iter().any(|key| key.has_signed(&payload.body, &signature)) {
                continue;
            }
            let document: Value = serde_json::from_slice(&payload.body).unwrap_or_default();
            let said = document
                .pointer("/critical/image/docker-manifest-digest")
                .and_then(Value::as_str);
            let kind = document.pointer("/critical/type").and_then(Value::as_str);
            if said == Some(digest.to_string().as_str()) && kind == Some(PAYLOAD_KIND) {
                return Ok(());
            }
            return Err(refuse("its signature is that of something else"));
        }
        Err(refuse("none of the keys has signed it"))
    }
}
