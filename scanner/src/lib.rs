//! Image in, report out: sources, one forward pass per layer, catalogers, static profile, report formats.

mod archive;
pub mod artifact;
pub mod base;
pub mod behaviour;
mod cache;
pub mod cataloger;
pub mod check;
mod credentials;
pub mod diff;
mod elf;
mod error;
mod folder;
#[doc(hidden)]
pub mod fuzzing;
pub mod harden;
mod layer;
mod layout;
mod licence;
mod limits;
mod merge;
mod oci;
mod platforms;
pub mod pod;
pub mod profile;
mod progress;
mod purl;
mod registry;
pub mod report;
mod sbom;
mod scan;
mod secret;
pub mod source;
mod target;
mod tree;

pub use cache::LayerCache;
pub use error::{RegistryFailure, ScanError};
pub use platforms::platforms;
pub use progress::{Progress, Silent, Total};
pub use registry::{Mirror, RegistryError, RegistryOptions};
pub use scan::{DEFAULT_MAX_ENTRIES, DEFAULT_MEMORY_BYTES, MIN_MEMORY_BYTES, Scan, ScanOptions, scan};
pub use target::{Target, parse_platform};
pub use tree::Tree;
