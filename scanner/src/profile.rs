//! Merged tree and image config in, expected-behaviour profile out. Pure: reads nothing but its arguments.

use plimsoll_model::{ImageConfig, ImageIdentity, Note, Profile, Sbom, schema};
use plimsoll_rules::packs::Pack;

use crate::Tree;

mod content;

pub use content::wants_content;

/// What a profile is derived from.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// Which image.
    pub image: &'a ImageIdentity,
    /// How it is run.
    pub config: &'a ImageConfig,
    /// Its files.
    pub tree: &'a Tree,
    /// Its packages.
    pub sbom: &'a Sbom,
    /// What is known of software: [`plimsoll_rules::packs::shipped`].
    pub packs: &'a [Pack],
}

/// What the image's container should do, and what could not be read while finding out.
pub fn build(input: &Input<'_>) -> (Profile, Vec<Note>) {
    let profile = Profile {
        schema: schema::PROFILE.to_owned(),
        image: input.image.reference.clone(),
        config_digest: input.image.config_digest.clone(),
        manifest_digest: input.image.manifest_digest.clone(),
        main: None,
        entrypoint: Vec::new(),
        health_check: None,
        packs: Vec::new(),
        facts: Vec::new(),
        denials: Vec::new(),
        facets: Vec::new(),
    };
    (profile, Vec::new())
}
