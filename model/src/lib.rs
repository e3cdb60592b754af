//! The nouns that every Plimsoll crate shares: documents that are written to disk, sent between processes or shown to
//! people. Serde only: no I/O, no clock, no threads.
//!
//! Every document that leaves a process carries a `schema` string (`plimsoll.<noun>/v<major>`); see [`schema`].

mod account;
mod alert;
mod call;
mod container;
mod digest;
mod event;
mod file;
mod finding;
mod image;
mod image_ref;
mod note;
mod package;
mod path_list;
mod profile;
mod report;
pub mod schema;
mod usage;
mod verdict;
mod vulnerability;

pub use account::{Accounts, Group, User};
pub use alert::{
    Alert, AlertImage, ExecutableOrigin, ExpectedFact, FollowUp, MAX_EXPECTED, ProcessSummary, Reason, RuleValue,
};
pub use call::{Call, CallObject, CallSet, SystemCall};
pub use container::{Container, ContainerDetails, ContainerImage, ContainerMount, ContainerRuntime, Pod};
pub use digest::{Digest, DigestError};
pub use event::{
    Credentials, Event, EventKind, ExeFile, FileAccess, LossReason, MAX_ANCESTORS, Process, ProcessKey, SocketAddress,
    Transport,
};
pub use file::{ElfFacts, FileEntry, FileKind, Hardening, Relro, SymbolUse};
pub use finding::Finding;
pub use image::{BaseImage, HealthCheck, HistoryEntry, ImageConfig, ImageIdentity, LayerInfo, Platform};
pub use image_ref::{ImageRef, ImageRefError};
pub use note::{Note, NoteKind};
pub use package::{OsRelease, Package, PackageKind, Sbom, SourcePackage};
pub use path_list::{PathList, PathWalk, shared_beginning};
pub use profile::{
    Action, Applet, Confidence, Denial, Evidence, EvidenceSource, Facet, FacetState, Fact, Identity, PathPattern, Peer,
    PeerScope, Phase, PortSpec, Profile, Program, Subject, Verb, star_matches,
};
pub use report::ScanReport;
pub use usage::{FileUsage, ImageUsage, PackageUse, Reach, Rung, Usage, UsageWindow};
pub use verdict::{Decision, Verdict, VerdictReason};
pub use vulnerability::{Advisory, AffectedPackage, FixState, Match, MatchEvidence, Severity, Vulnerability};
