//! A scan report in; the least that its container needs out, in the words of those who can hold it to that: seccomp,
//! AppArmor, Kubernetes. Each line says the evidence that it rests on.
//!
//! What is left out of a profile is what the image proves or the profile is sure of; where a facet is open, the wider rule
//! stays and says why. Commands that people run in the container by hand (sessions) are not made room for.

mod apparmor;
mod kubernetes;
mod needs;
mod seccomp;
mod syscalls;

use plimsoll_model::ScanReport;

use needs::Needs;

/// Who shall hold a container to its profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A seccomp profile, JSON as podman, Docker and Kubernetes read it.
    Seccomp,
    /// An AppArmor profile.
    Apparmor,
    /// A pod with its security context and writable folders, and a network policy.
    Kubernetes,
}

impl Format {
    /// All, with their names.
    pub const ALL: [(Self, &str); 3] = [
        (Self::Seccomp, "seccomp"),
        (Self::Apparmor, "apparmor"),
        (Self::Kubernetes, "kubernetes"),
    ];
}

/// The document. `name` is that of the profile or pod; `None`: made from the image's.
pub fn harden(report: &ScanReport, format: Format, name: Option<&str>) -> String {
    let needs = Needs::of(report);
    let name = needs::plain_name(name.unwrap_or(&report.image.reference));
    match format {
        Format::Seccomp => seccomp::write(report, &needs),
        Format::Apparmor => apparmor::write(report, &needs, &name),
        Format::Kubernetes => kubernetes::write(report, &needs, &name),
    }
}

/// Folders that a container with a read-only root file system must be able to write, and why.
pub fn writable_folders(report: &ScanReport) -> Vec<(String, String)> {
    Needs::of(report).folders.into_iter().collect()
}

#[cfg(test)]
mod tests;
