//! Decides about admission reviews.

use std::path::PathBuf;

use axum::routing::{MethodRouter, post};

use crate::{app::App, error::Result};

/// Where the webhook is.
pub(crate) const PATH: &str = "/admission/v1/review";

/// What admission decides by.
#[derive(Debug, Clone)]
pub struct PolicySource {
    /// Rule files; empty is the shipped policy.
    pub rules: Vec<PathBuf>,
    /// Waiver file.
    pub waivers: Option<PathBuf>,
}

/// The decider.
pub(crate) struct Admission;

impl Admission {
    pub(crate) fn load(_: &PolicySource) -> Result<Self> {
        Ok(Self)
    }
}

pub(crate) fn route() -> MethodRouter<App> {
    post(|| async { "" })
}
