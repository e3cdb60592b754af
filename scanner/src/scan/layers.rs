//! Layers of an image in, what they hold out: from the cache, side by side, or in one stream.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
};

use plimsoll_model::Digest;

use super::ScanOptions;
use crate::{
    error::ScanError,
    layer::{self, Compression, Layer, Shared},
    limits::{LAYER_BUFFER_BYTES, MAX_KEPT_BYTES, PROGRAM_BYTES},
    oci::{self, Config},
    source::{Image, LayerStream, Opened, SourceLayer},
};

/// What was read.
pub(super) struct Layers {
    /// Base first; `None` for one whose media type says that it cannot be read.
    pub(super) layers: Vec<Option<Layer>>,
    /// The image's own config, where its source had only told parts of it.
    pub(super) config: Option<Config>,
}

/// Reads all layers.
pub(super) fn read(image: &dyn Image, options: &ScanOptions<'_>) -> Result<Layers, ScanError> {
    let shares = Shares::new(
        options.memory_bytes,
        options.parallel_layers,
        image.opened().layers.len(),
    );
    let shared = Shared {
        progress: options.progress,
        entries: AtomicU64::new(0),
        kept_bytes: AtomicU64::new(0),
        max_entries: options.max_entries,
        kept_limit: shares.contents,
        is_source_tree: image.is_source_tree(),
    };
    let reader = Reader {
        image,
        opened: image.opened(),
        options,
        shared,
        parallel: shares.layers,
    };
    if let Some(known) = reader.known_stream() {
        return Ok(known);
    }
    match image.stream()? {
        Some(stream) => reader.in_stream(stream),
        None => Ok(Layers {
            layers: reader.side_by_side()?,
            config: None,
        }),
    }
}

/// How memory is shared out.
struct Shares {
    /// Layers that are read at the same time, at least 1: their buffers take at most half of what the program leaves.
    layers: usize,
    /// Bytes that are left for contents.
    contents: u64,
}

impl Shares {
    fn new(memory_bytes: Option<u64>, parallel_layers: usize, layers: usize) -> Self {
        let layers = parallel_layers.min(layers).max(1);
        let Some(bytes) = memory_bytes else {
            return Self {
                layers,
                contents: MAX_KEPT_BYTES,
            };
        };
        let left = bytes.max(super::MIN_MEMORY_BYTES) - PROGRAM_BYTES;
        let most = usize::try_from(left / 2 / LAYER_BUFFER_BYTES).unwrap_or(usize::MAX);
        let layers = layers.min(most).max(1);
        Self {
            layers,
            contents: (left - layers as u64 * LAYER_BUFFER_BYTES).min(MAX_KEPT_BYTES),
        }
    }
}

struct Reader<'a> {
    image: &'a dyn Image,
    opened: &'a Opened,
    options: &'a ScanOptions<'a>,
    shared: Shared<'a>,
    /// Layers that are read at the same time.
    parallel: usize,
}

type Slot = Mutex<Option<Result<Option<Layer>, ScanError>>>;

impl Reader<'_> {
    fn side_by_side(&self) -> Result<Vec<Option<Layer>>, ScanError> {
        // The largest first: what is left at the end is short.
        let mut order: Vec<usize> = (0..self.opened.layers.len()).collect();
        order.sort_by_key(|&index| std::cmp::Reverse(self.opened.layers[index].size_bytes));
        let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
        let results: Vec<Slot> = order.iter().map(|_| Mutex::new(None)).collect();
        let work = || {
            while let Some(&index) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                if failed.load(Ordering::Relaxed) {
                    return;
                }
                let result = self.layer(index);
                failed.fetch_or(result.is_err(), Ordering::Relaxed);
                *results[index].lock().expect("no holder of this lock can panic") = Some(result);
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..self.parallel {
                scope.spawn(work);
            }
            work();
        });
        let mut layers = Vec::new();
        let mut skipped = false;
        for result in results {
            match result.into_inner().expect("no holder of this lock can panic") {
                Some(result) => layers.push(result?),
                None => skipped = true,
            }
        }
        debug_assert!(!skipped, "a layer is only left out after another one failed");
        Ok(layers)
    }

    fn layer(&self, index: usize) -> Result<Option<Layer>, ScanError> {
        let (stated, diff_id) = (&self.opened.layers[index], &self.opened.config.diff_ids[index]);
        let name = format!("layer {}", stated.blob_digest.as_ref().unwrap_or(diff_id));
        if !is_layer_type(&stated.media_type) {
            return Ok(None);
        }
        if let Some(layer) = self.known(index) {
            return Ok(Some(layer));
        }
        let number = number(index);
        let mut source = self.image.open_layer(index)?;
        let layer = layer::read(number, &name, source.as_mut(), Some(diff_id), &self.shared).map_err(|source| {
            let what = name.clone();
            ScanError::Read { what, source }.of_registry(&name)
        })?;
        let check = |what: &str, expected: Option<&Digest>, actual: Option<&Digest>| match (expected, actual) {
            (Some(expected), Some(actual)) if expected != actual => Err(ScanError::Digest {
                what: format!("{what} of {name}"),
                expected: *expected,
                actual: *actual,
            }),
            _ => Ok(()),
        };
        check("blob", stated.blob_digest.as_ref(), Some(&layer.blob_digest))?;
        if !self.image.computes_digests() {
            check("uncompressed content", Some(diff_id), layer.diff_id.as_ref())?;
            self.remember(&layer);
        }
        tracing::debug!(
            layer = name,
            bytes = layer.size_bytes,
            entries = layer.entries.len(),
            "layer read"
        );
        Ok(Some(layer))
    }

    fn remember(&self, layer: &Layer) {
        let Some(cache) = &self.options.cache else {
            return;
        };
        if let Err(error) = cache.store(layer) {
            tracing::debug!(%error, "layer is not cached");
        }
    }

    /// A layer that was read before, with what this image says of it.
    fn known(&self, index: usize) -> Option<Layer> {
        let (stated, diff_id) = (&self.opened.layers[index], &self.opened.config.diff_ids[index]);
        let cache = self.options.cache.as_ref().filter(|_| !self.image.computes_digests())?;
        let mut layer = cache.layer(diff_id, stated.blob_digest.as_ref())?;
        let entries = layer.entries.len() as u64;
        let before = self.shared.entries.fetch_add(entries, Ordering::Relaxed);
        if before.saturating_add(entries) > self.shared.max_entries {
            // Read as if it were new, up to where there are too many.
            self.shared.entries.fetch_sub(entries, Ordering::Relaxed);
            return None;
        }
        layer.number(number(index));
        describe(&mut layer, stated);
        self.options.progress.advance(stated.size_bytes);
        self.shared
            .kept_bytes
            .fetch_add(layer.entries.kept_bytes(), Ordering::Relaxed);
        Some(layer)
    }

    /// All that a stream would give, if all of it is known.
    fn known_stream(&self) -> Option<Layers> {
        let cache = self.options.cache.as_ref().filter(|_| self.image.streams())?;
        let bytes = cache.config(&self.opened.config_digest)?;
        let config = oci::parse_config("config", &bytes).ok()?;
        let layers: Option<Vec<Layer>> = (0..self.opened.layers.len()).map(|index| self.known(index)).collect();
        Some(Layers {
            layers: layers?.into_iter().map(Some).collect(),
            config: Some(config),
        })
    }

    /// Layers come in the source's order; the digest of its content says which one each is.
    fn in_stream(&self, mut stream: Box<dyn LayerStream + '_>) -> Result<Layers, ScanError> {
        let diff_ids = &self.opened.config.diff_ids;
        let mut found: Vec<Option<Layer>> = diff_ids.iter().map(|_| None).collect();
        while let Some(mut source) = stream.next()? {
            let read = layer::read(0, "a layer", source.as_mut(), None, &self.shared);
            drop(source);
            let layer = read.map_err(|source| ScanError::Read {
                what: "a layer".to_owned(),
                source,
            })?;
            let places: Vec<usize> = (0..diff_ids.len())
                .filter(|&at| Some(diff_ids[at]) == layer.diff_id)
                .collect();
            if places.is_empty() {
                tracing::debug!(diff_id = ?layer.diff_id, "the source sent a layer that is not the image's");
                continue;
            }
            self.remember(&layer);
            for index in places {
                let mut layer = layer.clone();
                layer.number(number(index));
                found[index] = Some(layer);
            }
        }
        if let Some(index) = found.iter().position(Option::is_none) {
            return Err(ScanError::Missing {
                what: format!("layer {} in what the engine sent", diff_ids[index]),
                available: Vec::new(),
            });
        }
        let config = stream.config().map(|(bytes, config)| {
            if let Some(Err(error)) = self.options.cache.as_ref().map(|cache| cache.store_config(&bytes)) {
                tracing::debug!(%error, "config is not cached");
            }
            config
        });
        Ok(Layers { layers: found, config })
    }
}

fn number(index: usize) -> u32 {
    u32::try_from(index).expect("MAX_LAYERS fits")
}

/// The same content in another blob: what is known of the blob is what this image says of it.
fn describe(layer: &mut Layer, stated: &SourceLayer) {
    if stated.blob_digest.is_none_or(|digest| digest == layer.blob_digest) && stated.blob_digest.is_some() {
        return;
    }
    if let Some(digest) = stated.blob_digest {
        layer.blob_digest = digest;
        layer.compression = Compression::of_media_type(&stated.media_type);
        layer.blob_bytes = stated.size_bytes;
    } else {
        let is_plain = layer.diff_id == Some(layer.blob_digest);
        if !is_plain {
            // Archives of engines hold plain layers.
            layer.compression = Compression::None;
            layer.blob_bytes = layer.size_bytes;
        }
    }
}

/// Whether a media type is that of a file-system layer, encryption aside. Sources without media types have an empty one.
fn is_layer_type(media_type: &str) -> bool {
    let known = [
        "application/vnd.oci.image.layer.",
        "application/vnd.docker.image.rootfs.",
    ];
    let tails = ["tar", "tar+gzip", "tar+zstd", "tar.gzip", "tar.zstd"];
    media_type.is_empty()
        || (known.iter().any(|start| media_type.starts_with(start))
            && tails.iter().any(|tail| media_type.ends_with(tail)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_processors_leave_memory_for_contents() {
        for (memory_mib, parallel, layers, expected) in [
            (Some(64), 2, 3, (2, 36)),
            (Some(64), 64, 3, (3, 32)),
            (Some(64), 64, 127, (5, 24)),
            (Some(1), 64, 127, (1, 8)),
            (Some(4096), 64, 127, (64, 96)),
            (None, 4, 0, (1, 96)),
        ] {
            let shares = Shares::new(memory_mib.map(|mib| mib << 20), parallel, layers);
            assert_eq!(
                (shares.layers, shares.contents >> 20),
                expected,
                "{memory_mib:?} {parallel} {layers}"
            );
        }
    }
}
