//! What was needed to start and is needed no more.

/// Gives freed memory back to the system: reading the kernel's types and scan reports takes tens of megabytes for a moment,
/// and the allocator keeps what it once had.
#[allow(unsafe_code)]
pub(crate) fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes no pointer; the allocator locks itself.
    unsafe {
        libc::malloc_trim(0);
    }
}
