//! Something that a scan or an agent could not do, said instead of swallowed. Incomplete is never clean.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One thing that went wrong with input that we did not write. Notes never stop the job; they are counted, shown, and
/// those that make a scan incomplete decide its exit code (5).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// What sort of trouble it was.
    pub kind: NoteKind,
    /// Where: a path in the image, a digest, a feed record id. Hostile text: escape it before showing it.
    pub subject: String,
    /// What was wrong, as a lower-case fragment.
    pub detail: String,
}

/// The sorts of notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoteKind {
    /// Bytes could not be read or do not follow their format.
    Unreadable,
    /// A limit of `limits.rs` was hit; what lies beyond it was not looked at.
    Limit,
    /// The content is of a type that we do not know.
    Unsupported,
    /// Nothing in the image was recognised: no operating system and no package.
    Unrecognised,
    /// Worth knowing, but nothing was missed (a path that escapes the root was ignored, a duplicate was dropped).
    Hint,
}

impl Note {
    /// A note of `kind` about `subject`.
    pub fn new(kind: NoteKind, subject: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            kind,
            subject: subject.into(),
            detail: detail.into(),
        }
    }

    /// Whether the result that carries this note misses something: true for all kinds but [`NoteKind::Hint`].
    pub fn makes_incomplete(&self) -> bool {
        self.kind != NoteKind::Hint
    }
}
