//! Feeds to one SQLite file, that file and an Sbom to matches, version order per ecosystem.

mod age;
mod cache;
mod cvss;
mod database;
mod delta;
mod ecosystem;
mod error;
mod explain;
mod feed;
mod fetch;
#[doc(hidden)]
pub mod fuzzing;
mod import;
mod limits;
mod matching;
mod merge;
mod publishers;
mod purl;
mod range;
mod read;
mod rematch;
mod replace;
mod store;
mod support;
mod tables;
mod transfer;
mod update;
pub mod version;
mod vex;

pub use age::{DEFAULT_MAX_AGE, SourceAge};
pub use database::{Database, SearchRow, SourceStatus, Status, default_path};
pub use delta::{apply_delta, database_digest, write_delta};
pub use error::Error;
pub use explain::{Background, Comparison, SeverityBasis, compare_evidence};
pub use import::{ImportOptions, ImportSummary, SourceSummary, import};
pub use publishers::default_feeds;
pub use purl::Purl;
pub use rematch::{Change, rematch};
pub use transfer::{Transfer, export, is_exported, restore};
pub use update::{FeedOutcome, FeedSource, Location, UpdateOptions, UpdateSummary, update};
pub use vex::{
    Suppressed, VexClaim, VexDocument, VexHeader, VexOutcome, VexStatement, VexStatus, apply_vex,
    has_openvex_statement, read_vex, vex_claims, write_csaf_vex, write_cyclonedx_vex, write_openvex,
};
