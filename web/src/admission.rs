//! Decides about admission reviews.

/// The decider.
pub(crate) struct Admission;
