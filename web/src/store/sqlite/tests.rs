//! Laws of the store: what is saved comes back, batches are idempotent, pages do not overlap.
