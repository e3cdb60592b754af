//! Feeds to one SQLite file, that file and an Sbom to matches, version order per ecosystem.

mod cvss;
mod database;
mod ecosystem;
mod error;
mod explain;
mod feed;
mod import;
mod limits;
mod matching;
mod range;
mod read;
mod rematch;
mod store;
mod tables;
pub mod version;

pub use database::{Database, SearchRow, SourceStatus, Status, default_path};
pub use error::Error;
pub use explain::{Background, Comparison, SeverityBasis, compare_evidence};
pub use import::{ImportOptions, ImportSummary, SourceSummary, import};
pub use rematch::{Change, rematch};
