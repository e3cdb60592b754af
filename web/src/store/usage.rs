//! What running containers use of images, per node: the agents' documents in and out.

use plimsoll_model::{Digest, ImageUsage};

use crate::error::Result;

/// Remembers what images use.
pub trait UsageStore {
    /// Stores what one node has seen, in place of what it said of the same images before. Images that no node has spoken of
    /// for [`crate::limits::USAGE_DAYS`] are forgotten.
    fn save_usage(&self, node: &str, images: &[ImageUsage], now_ms: i64) -> Result<()>;
    /// What every node has seen of an image, by config digest or manifest digest, the newest first.
    fn list_usage(&self, digest: &Digest) -> Result<Vec<NodeUsage>>;
}

/// What one node has seen of an image.
#[derive(Debug, Clone)]
pub struct NodeUsage {
    /// The node.
    pub node: String,
    /// When it said so, milliseconds since the Unix epoch.
    pub updated_ms: i64,
    /// What it has seen.
    pub usage: ImageUsage,
}
