//! Workload packs: what is known of a piece of software wherever it is packaged. YAML in, [`Pack`] out.
