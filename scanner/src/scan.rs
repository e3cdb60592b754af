//! One image in, everything that its bytes say out: sources, layers side by side, merge, catalogers, checks.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
};

use plimsoll_model::{Digest, Finding, ImageConfig, ImageIdentity, LayerInfo, Note, NoteKind, Sbom};

use crate::{
    Tree, cataloger, check,
    error::ScanError,
    layer::{self, Compression, Layer, Shared},
    licence,
    limits::MAX_NOTES,
    merge::Merge,
    oci,
    progress::{Progress, Total},
    source::{Found, Image, Opened, SourceLayer, SourceOptions},
    target::Target,
};

/// How to scan.
pub struct ScanOptions<'a> {
    /// How to fetch.
    pub source: SourceOptions,
    /// Layers that are read at the same time, at least 1. Each takes two threads and about 2 MiB.
    pub parallel_layers: usize,
    /// Who watches.
    pub progress: &'a dyn Progress,
}

/// What a scan learned.
#[derive(Debug)]
pub struct Scan {
    /// Which image.
    pub image: ImageIdentity,
    /// How it is run.
    pub config: ImageConfig,
    /// Its layers, base first.
    pub layers: Vec<LayerInfo>,
    /// Its files.
    pub tree: Tree,
    /// Its operating system and packages.
    pub sbom: Sbom,
    /// What image checks found, worst first.
    pub findings: Vec<Finding>,
    /// What could not be read.
    pub notes: Vec<Note>,
}

/// Scans an image. Content that cannot be read becomes a note; content that is not what its digest promises, and a
/// source that does not give what its manifest names, end the scan.
pub fn scan(target: &Target<'_>, options: &ScanOptions<'_>) -> Result<Scan, ScanError> {
    let image = match target.source.open(target.location, &options.source)? {
        Found::Image(image) => image,
        Found::Scanned(mut scan) => {
            scan.notes = tidy(std::mem::take(&mut scan.notes));
            return Ok(*scan);
        }
    };
    let opened = image.opened();
    check_documents(target, opened, options)?;
    options.progress.start(Total {
        layers: opened.layers.len(),
        bytes: opened.layers.iter().map(|layer| layer.size_bytes).sum(),
    });
    let layers = read_layers(image.as_ref(), options)?;
    options.progress.finish();

    let mut merge = Merge::default();
    let mut infos = Vec::new();
    for (index, (layer, stated)) in layers.into_iter().zip(&opened.layers).enumerate() {
        infos.push(merge_layer(&mut merge, layer, stated, &opened.config.diff_ids[index]));
    }
    name_layers(&mut infos, &opened.config.image);
    let Merge {
        mut tree,
        versions,
        mut notes,
    } = merge;
    let mut sbom = cataloger::run(&mut tree, &versions, image.is_source_tree(), &mut notes);
    licence::fill(&tree, &mut sbom);
    drop(versions);
    let findings = check::run(
        &check::Input {
            reference: target.reference,
            config: &opened.config.image,
            layers: &infos,
            tree: &tree,
            sbom: &sbom,
        },
        &mut notes,
    );
    // What only catalogers and checks read is not needed any more.
    tree.retain_contents(|path| cataloger::wants(path).is_none() && !check::wants(path));
    Ok(Scan {
        image: ImageIdentity {
            reference: target.reference.to_owned(),
            manifest_digest: opened.manifest_digest,
            config_digest: opened.config_digest,
            diff_ids: opened.config.diff_ids.clone(),
            platform: opened.config.platform.clone(),
        },
        config: opened.config.image.clone(),
        layers: infos,
        tree,
        sbom,
        findings,
        notes: tidy(notes),
    })
}

fn check_documents(target: &Target<'_>, opened: &Opened, options: &ScanOptions<'_>) -> Result<(), ScanError> {
    let (layers, diff_ids) = (opened.layers.len(), opened.config.diff_ids.len());
    if layers != diff_ids {
        return Err(ScanError::NotAnImage {
            what: target.reference.to_owned(),
            reason: format!("its manifest has {layers} layers, its config {diff_ids}"),
        });
    }
    let there = &opened.config.platform;
    match &options.source.platform {
        Some(wanted) if wanted.os != there.os || wanted.architecture != there.architecture => {
            Err(ScanError::Platform {
                wanted: oci::show_platform(wanted),
                available: vec![oci::show_platform(there)],
            })
        }
        _ => Ok(()),
    }
}

/// A layer that was read, or `None` for one whose media type says that it cannot be.
type ReadLayer = Option<Layer>;

fn read_layers(image: &dyn Image, options: &ScanOptions<'_>) -> Result<Vec<ReadLayer>, ScanError> {
    let opened = image.opened();
    let shared = Shared {
        progress: options.progress,
        entries: AtomicU64::new(0),
        kept_bytes: AtomicU64::new(0),
        is_source_tree: image.is_source_tree(),
    };
    // The largest first: what is left at the end is short.
    let mut order: Vec<usize> = (0..opened.layers.len()).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(opened.layers[index].size_bytes));
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let results: Vec<Mutex<Option<Result<ReadLayer, ScanError>>>> = order.iter().map(|_| Mutex::new(None)).collect();
    let work = || {
        while let Some(&index) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            if failed.load(Ordering::Relaxed) {
                return;
            }
            let result = read_layer(image, index, &shared);
            failed.fetch_or(result.is_err(), Ordering::Relaxed);
            *results[index].lock().expect("no holder of this lock can panic") = Some(result);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..options.parallel_layers.clamp(1, order.len().max(1)) {
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

fn read_layer(image: &dyn Image, index: usize, shared: &Shared<'_>) -> Result<ReadLayer, ScanError> {
    let opened = image.opened();
    let (stated, diff_id) = (&opened.layers[index], &opened.config.diff_ids[index]);
    let name = format!("layer {}", stated.blob_digest.as_ref().unwrap_or(diff_id));
    if !is_layer_type(&stated.media_type) {
        return Ok(None);
    }
    let source = image.open_layer(index)?;
    let number = u32::try_from(index).expect("MAX_LAYERS fits");
    let layer = layer::read(number, &name, source, shared).map_err(|source| {
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
    check("uncompressed content", Some(diff_id), layer.diff_id.as_ref())?;
    tracing::debug!(
        layer = name,
        bytes = layer.size_bytes,
        entries = layer.entries.len(),
        "layer read"
    );
    Ok(Some(layer))
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

fn merge_layer(merge: &mut Merge, layer: ReadLayer, stated: &SourceLayer, diff_id: &Digest) -> LayerInfo {
    let mut info = LayerInfo {
        diff_id: *diff_id,
        blob_digest: stated.blob_digest,
        media_type: stated.media_type.clone(),
        blob_size_bytes: 0,
        size_bytes: 0,
        created_by: None,
    };
    let name = format!("layer {}", stated.blob_digest.as_ref().unwrap_or(diff_id));
    let Some(layer) = layer else {
        let detail = format!("not read: media type {}", stated.media_type.escape_debug());
        merge.notes.push(Note::new(NoteKind::Unsupported, name, detail));
        return info;
    };
    info.blob_size_bytes = layer.blob_bytes;
    info.size_bytes = layer.size_bytes;
    if stated.media_type.is_empty() {
        let name = if layer.compression == Compression::Gzip {
            "tar+gzip"
        } else {
            "tar"
        };
        info.media_type = format!("application/vnd.oci.image.layer.v1.{name}");
    } else if is_lying(&stated.media_type, layer.compression) {
        let detail = format!("media type {} does not fit its bytes", stated.media_type);
        merge.notes.push(Note::new(NoteKind::Hint, name, detail));
    }
    merge.apply(layer);
    info
}

fn is_lying(media_type: &str, compression: Compression) -> bool {
    let stated = match media_type.rsplit(['+', '.']).next() {
        Some("gzip") => Compression::Gzip,
        Some("zstd") => Compression::Zstd,
        _ => Compression::None,
    };
    stated != compression
}

/// History lines that made a layer belong to the layers, if there are as many.
fn name_layers(layers: &mut [LayerInfo], config: &ImageConfig) {
    let lines: Vec<&str> = config
        .history
        .iter()
        .filter(|line| !line.empty_layer)
        .map(|line| line.created_by.as_str())
        .collect();
    if lines.len() == layers.len() {
        for (layer, line) in layers.iter_mut().zip(lines) {
            layer.created_by = (!line.is_empty()).then(|| line.to_owned());
        }
    }
}

/// Worst first, none twice, not too many.
pub(crate) fn tidy(mut notes: Vec<Note>) -> Vec<Note> {
    notes.sort();
    notes.dedup();
    if notes.len() > MAX_NOTES {
        let left_out = notes.len() - MAX_NOTES;
        notes.truncate(MAX_NOTES);
        notes.push(Note::new(
            NoteKind::Limit,
            "notes",
            format!("{left_out} more notes were left out"),
        ));
    }
    notes
}
