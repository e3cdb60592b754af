//! What a deviation is: its kind, how sure, how urgent, and the words for it.

use plimsoll_model::{Confidence, Evidence, ExpectedFact, Fact, PeerScope, Reason, Verb};
use plimsoll_rules::Priority;

/// An event that a profile does not expect.
#[derive(Debug, Clone, PartialEq)]
pub struct Deviation {
    /// Of which kind.
    pub kind: DeviationKind,
    /// Which verb was judged.
    pub verb: Verb,
    /// What happened in which phase, without a full stop: `redis-server started /usr/bin/dash (sh -c id) while serving`.
    pub summary: String,
    /// The summary as a sentence, and another that says why it is wrong.
    pub explanation: String,
    /// What says that it is wrong.
    pub evidence: Vec<Evidence>,
    /// How sure. [`Confidence::C`] only ranks: it is no alert of its own.
    pub confidence: Confidence,
    /// How urgent.
    pub priority: Priority,
    /// What is expected instead, at most [`plimsoll_model::MAX_EXPECTED`].
    pub expected: Vec<ExpectedFact>,
    /// The fact that would allow it; `None` where none should.
    pub allow: Option<Fact>,
}

impl Deviation {
    /// As alerts and rules carry it.
    pub fn reason(&self) -> Reason {
        Reason::Deviation {
            kind: self.kind.as_str().to_owned(),
            verb: self.verb,
            explanation: self.explanation.clone(),
            evidence: self.evidence.clone(),
            confidence: self.confidence,
        }
    }
}

/// The kinds of deviations. The order is from the most to the least telling: it decides an alert's title among equals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeviationKind {
    /// A program without a file: from memory, or deleted before it ran.
    ExecFileless,
    /// A program that the image does not hold, or not any more in the form that runs.
    ExecModified,
    /// A program that was written or mounted after the image was built.
    ExecNotInImage,
    /// A script that the image does not hold, run by one of its interpreters.
    ScriptNotInImage,
    /// A library of the image is loaded that is not any more as the image has it.
    LibraryModified,
    /// A file is loaded as code that was written, mounted or kept in memory after the image was built.
    LibraryNotInImage,
    /// A program or library of the image is written, or one is put beside them.
    WriteToExecutablePath,
    /// A process has become another user, or got rights, that nobody expects it to have.
    IdentityChange,
    /// A program of the image that nobody expects here.
    UnexpectedExec,
    /// A right was used that is no part of what the program does.
    CapabilityUse,
    /// A connection that nobody expects.
    UnexpectedConnect,
    /// A port that nobody expects.
    UnexpectedListen,
    /// A file that nobody expects to be written.
    UnexpectedWrite,
    /// Somebody came in from outside.
    Session,
}

impl DeviationKind {
    /// Every kind, in the order of the enum.
    pub const ALL: &[Self] = &[
        Self::ExecFileless,
        Self::ExecModified,
        Self::ExecNotInImage,
        Self::ScriptNotInImage,
        Self::LibraryModified,
        Self::LibraryNotInImage,
        Self::WriteToExecutablePath,
        Self::IdentityChange,
        Self::UnexpectedExec,
        Self::CapabilityUse,
        Self::UnexpectedConnect,
        Self::UnexpectedListen,
        Self::UnexpectedWrite,
        Self::Session,
    ];

    /// Stable name, kebab-case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ExecFileless => "exec-fileless",
            Self::ExecModified => "exec-modified",
            Self::ExecNotInImage => "exec-not-in-image",
            Self::ScriptNotInImage => "script-not-in-image",
            Self::LibraryModified => "library-modified",
            Self::LibraryNotInImage => "library-not-in-image",
            Self::WriteToExecutablePath => "write-to-executable-path",
            Self::IdentityChange => "identity-change",
            Self::UnexpectedExec => "unexpected-exec",
            Self::CapabilityUse => "capability-use",
            Self::UnexpectedConnect => "unexpected-connect",
            Self::UnexpectedListen => "unexpected-listen",
            Self::UnexpectedWrite => "unexpected-write",
            Self::Session => "session",
        }
    }

    /// MITRE ATT&CK techniques (Containers matrix) that behaviour of this kind usually belongs to.
    pub fn techniques(self) -> &'static [&'static str] {
        match self {
            Self::ExecFileless => &["T1620"],
            Self::ExecModified => &["T1554"],
            Self::ExecNotInImage => &["T1105"],
            Self::ScriptNotInImage | Self::UnexpectedExec => &["T1059"],
            Self::LibraryModified | Self::WriteToExecutablePath => &["T1554"],
            Self::LibraryNotInImage => &["T1574.006"],
            Self::IdentityChange => &["T1548.001", "T1068"],
            Self::CapabilityUse => &["T1611"],
            Self::UnexpectedConnect => &["T1071"],
            Self::UnexpectedListen => &["T1571"],
            Self::UnexpectedWrite => &["T1565.001"],
            Self::Session => &["T1609"],
        }
    }

    /// How urgent, by how sure the profile is. What the image's own inventory proves is worse than what a missing fact
    /// suggests; coming in from outside is somebody's right until more happens.
    pub fn priority(self, confidence: Confidence) -> Priority {
        match (self, confidence) {
            (
                Self::ExecFileless
                | Self::ExecModified
                | Self::ExecNotInImage
                | Self::LibraryModified
                | Self::LibraryNotInImage
                | Self::IdentityChange
                | Self::UnexpectedExec,
                Confidence::A,
            ) => Priority::Critical,
            (
                Self::ExecFileless
                | Self::ExecModified
                | Self::ExecNotInImage
                | Self::ScriptNotInImage
                | Self::LibraryModified
                | Self::LibraryNotInImage
                | Self::WriteToExecutablePath
                | Self::IdentityChange
                | Self::UnexpectedExec
                | Self::CapabilityUse,
                Confidence::A | Confidence::B,
            ) => Priority::Error,
            (Self::UnexpectedConnect | Self::UnexpectedListen, Confidence::A) => Priority::Error,
            (
                Self::UnexpectedConnect | Self::UnexpectedListen | Self::UnexpectedWrite,
                Confidence::A | Confidence::B,
            ) => Priority::Warning,
            (Self::Session, Confidence::A | Confidence::B) => Priority::Warning,
            (_, Confidence::C) => Priority::Notice,
        }
    }
}

/// A peer far away is worse than a near one.
pub(crate) fn connect_priority(scope: PeerScope, confidence: Confidence) -> Priority {
    match (scope, confidence) {
        (_, Confidence::C) => Priority::Notice,
        (PeerScope::Public | PeerScope::Any, _) | (_, Confidence::A) => Priority::Error,
        (PeerScope::Private | PeerScope::Loopback, Confidence::B) => Priority::Warning,
    }
}
