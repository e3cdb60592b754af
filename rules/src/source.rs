//! What rules can judge.

use serde::Serialize;

/// What a rule judges: its key `source`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Kernel events.
    Syscall,
    /// Kubernetes audit events.
    K8sAudit,
    /// Objects that somebody asks a Kubernetes cluster to accept.
    Admission,
    /// An image as a whole.
    Image,
    /// One package of an image.
    Package,
    /// One vulnerability of a package.
    Vulnerability,
    /// One file of an image.
    File,
    /// One secret found in an image.
    Secret,
    /// One other finding of an image check.
    Finding,
    /// The profile of an image.
    Profile,
}

impl Source {
    /// All sources.
    pub const ALL: [Self; 10] = [
        Self::Syscall,
        Self::K8sAudit,
        Self::Admission,
        Self::Image,
        Self::Package,
        Self::Vulnerability,
        Self::File,
        Self::Secret,
        Self::Finding,
        Self::Profile,
    ];

    /// As rule files write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Syscall => "syscall",
            Self::K8sAudit => "k8s_audit",
            Self::Admission => "admission",
            Self::Image => "image",
            Self::Package => "package",
            Self::Vulnerability => "vulnerability",
            Self::File => "file",
            Self::Secret => "secret",
            Self::Finding => "finding",
            Self::Profile => "profile",
        }
    }

    /// The source of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == name)
    }
}
