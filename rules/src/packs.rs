//! Workload packs: what is known of a piece of software wherever it is packaged. YAML in, [`Pack`] out.

/// What is known of one piece of software.
#[derive(Debug, Clone, PartialEq)]
pub struct Pack {
    /// `redis`.
    pub name: String,
}

/// The packs that are built in, in name order.
pub fn shipped() -> &'static [Pack] {
    &[]
}
