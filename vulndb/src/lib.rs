//! Feeds to one SQLite file, that file and an Sbom to matches, version order per ecosystem.

mod database;
mod error;
mod import;
mod limits;

pub use database::{Database, SourceStatus, Status, default_path};
pub use error::Error;
pub use import::{ImportOptions, ImportSummary, SourceSummary, import};
