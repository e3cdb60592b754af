//! What a scan tells whoever watches it: layer sizes and bytes read in, nothing out.

/// Told by worker threads what a scan does. Every method may be called from several threads at once.
pub trait Progress: Sync {
    /// Reading begins.
    fn start(&self, total: Total);
    /// So many more compressed bytes were read, of whatever layer.
    fn advance(&self, bytes: u64);
    /// All layers were read.
    fn finish(&self);
}

/// How much there is to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Total {
    /// Layers.
    pub layers: usize,
    /// Bytes of all layers as the manifest states them, unverified.
    pub bytes: u64,
}

/// Says nothing.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Progress for Silent {
    fn start(&self, _total: Total) {}
    fn advance(&self, _bytes: u64) {}
    fn finish(&self) {}
}
