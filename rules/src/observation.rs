//! What a rule looks at: one kernel event with what is known around it, or one fact of one image.

use plimsoll_model::{
    Accounts, Decision, Event, ExecutableOrigin, FileEntry, Finding, Match, Package, Reason, ScanReport,
};

/// What a `syscall` rule can see. Everything is borrowed; evaluation allocates nothing once its buffers are warm.
#[derive(Debug, Clone, Copy)]
pub struct Observation<'a> {
    /// The event.
    pub event: &'a Event,
    /// What the container's profile says against it; empty when it is expected or there is no profile.
    pub deviations: &'a [Reason],
    /// Where the executable of the event's process comes from; `None` on the host or without a scan of the image.
    pub origin: Option<&'a ExecutableOrigin>,
    /// Whether the container's image has a profile: without one, `profile.expected` is missing.
    pub has_profile: bool,
    /// Name of this node: `evt.hostname`.
    pub node: &'a str,
    /// The machine's own users and groups, for events outside containers and for names of log-ins; `None` when they are not
    /// known, as in a replay.
    pub host_accounts: Option<&'a Accounts>,
}

/// What a rule over image facts can see: one thing of one image.
#[derive(Debug, Clone, Copy)]
pub struct ImageObservation<'a> {
    /// The scan that it comes from: `image.*` and `profile.*` fields read it whatever the subject is.
    pub report: &'a ScanReport,
    /// The one thing that is judged.
    pub subject: ImageSubject<'a>,
    /// Age of the vulnerability data in whole days; `None` when there is none or its age is not known.
    pub data_age_days: Option<u64>,
}

/// What an `admission` rule can see: one request of an API server.
#[derive(Debug, Clone, Copy)]
pub struct AdmissionObservation<'a> {
    /// `request` of an AdmissionReview, as it came.
    pub request: &'a serde_json::Value,
    /// What the object holds of a pod: an object with `metadata` and `spec`. `None` for kinds that run nothing.
    pub pod: Option<&'a serde_json::Value>,
    /// Images of the object that were judged.
    pub images: &'a [AdmittedImage<'a>],
}

/// One image of an object.
#[derive(Debug, Clone, Copy)]
pub struct AdmittedImage<'a> {
    /// As the object names it.
    pub reference: &'a str,
    /// What the policy decided about it; `None` when no scan of it is known.
    pub decision: Option<Decision>,
}

/// The things of an image that are judged one at a time. Each belongs to the rule source of the same name.
#[derive(Debug, Clone, Copy)]
pub enum ImageSubject<'a> {
    /// The image as a whole: source `image`.
    Image,
    /// A package: source `package`.
    Package(&'a Package),
    /// A vulnerability of a package: source `vulnerability`; `package.*` fields read the package it is in.
    Vulnerability(&'a Match),
    /// A file: source `file`; `package.*` fields read the package that owns it.
    File(&'a FileEntry),
    /// What an image check found: source `secret` for checks whose id starts with `secret`, else `finding`.
    Finding(&'a Finding),
    /// The derived profile as a whole: source `profile`.
    Profile,
}
