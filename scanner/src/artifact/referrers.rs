//! What is attached to a manifest (distribution-spec 1.1, "Listing Referrers"), by the registry's own list, or by the tag
//! that clients keep where the registry has none.

use std::collections::BTreeMap;

use plimsoll_model::Digest;
use serde::{Deserialize, Serialize};

use super::{ArtifactError, Descriptor, INDEX_TYPE, Store, push::to_json};
use crate::{
    limits::{MAX_MANIFEST_BYTES, MAX_REFERRERS},
    registry::{Access, Request},
};

/// An artifact that is about another manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referrer {
    /// Of its manifest; `Store::open("REPOSITORY@DIGEST")` pulls it.
    pub digest: Digest,
    /// What it is; hostile text.
    pub artifact_type: String,
    /// Of its manifest; hostile text.
    pub annotations: BTreeMap<String, String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u32,
    #[serde(default)]
    media_type: String,
    #[serde(default)]
    manifests: Vec<Descriptor>,
}

impl Store {
    /// What is attached to a manifest of this repository, in the registry's order.
    pub fn referrers(&self, subject: &Digest, artifact_type: Option<&str>) -> Result<Vec<Referrer>, ArtifactError> {
        let mut request = Request::get(format!("referrers/{subject}"), Access::Pull).accept(&[INDEX_TYPE]);
        if let Some(wanted) = artifact_type {
            request = request.query("artifactType", wanted);
        }
        let what = format!("referrers of {subject}");
        let index = match self.ask(&request, MAX_MANIFEST_BYTES) {
            Ok(answer) => parse(&what, &answer.body)?,
            Err(error) if error.is_not_found() => self.listed(subject)?,
            Err(error) => return Err(error),
        };
        // The registry need not filter.
        let manifests = index.manifests.into_iter();
        manifests
            .filter(|one| artifact_type.is_none_or(|wanted| one.artifact_type == wanted))
            .map(|one| {
                Ok(Referrer {
                    digest: one.digest(&what)?,
                    artifact_type: one.artifact_type,
                    annotations: one.annotations,
                })
            })
            .collect()
    }

    /// The list that clients keep under a tag.
    fn listed(&self, subject: &Digest) -> Result<Index, ArtifactError> {
        match self.get_manifest(&tag_of(subject, "")) {
            Ok(answer) => parse(&format!("referrers of {subject}"), &answer.body),
            Err(error) if error.is_not_found() => Ok(Index {
                schema_version: 2,
                media_type: INDEX_TYPE.to_owned(),
                manifests: Vec::new(),
            }),
            Err(error) => Err(error),
        }
    }

    /// Adds to the list that clients keep. The specification has no lock for it: of two that write at once, one is lost.
    pub(super) fn list_referrer(&self, subject: &Digest, descriptor: Descriptor) -> Result<(), ArtifactError> {
        let mut index = self.listed(subject)?;
        index.manifests.retain(|one| one.digest != descriptor.digest);
        index.manifests.push(descriptor);
        let bytes = to_json(&index)?;
        self.push_manifest(&tag_of(subject, ""), INDEX_TYPE, bytes)?;
        Ok(())
    }
}

/// `sha256-0123…`, the tag that stands for a digest, and an ending.
pub(super) fn tag_of(digest: &Digest, ending: &str) -> String {
    format!("sha256-{}{ending}", digest.encoded())
}

fn parse(what: &str, bytes: &[u8]) -> Result<Index, ArtifactError> {
    let index: Index =
        serde_json::from_slice(bytes).map_err(|error| ArtifactError::malformed(what, &error.to_string()))?;
    match index.manifests.len() > MAX_REFERRERS {
        true => Err(ArtifactError::malformed(what, &format!("more than {MAX_REFERRERS}"))),
        false => Ok(index),
    }
}
