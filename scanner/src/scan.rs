//! One image in, everything that its bytes say out: sources, layers side by side, merge, catalogers, checks.

mod layers;

use plimsoll_model::{Digest, Finding, ImageConfig, ImageIdentity, LayerInfo, Note, NoteKind, Sbom};

use crate::{
    Tree,
    cache::LayerCache,
    cataloger, check,
    error::ScanError,
    layer::{Compression, Layer},
    layout::digest_of,
    licence,
    limits::{MAX_ENTRIES, MAX_NOTES},
    merge::Merge,
    oci,
    progress::{Progress, Total},
    source::{Found, Opened, SourceLayer, SourceOptions},
    target::Target,
};

/// How to scan.
pub struct ScanOptions<'a> {
    /// How to fetch.
    pub source: SourceOptions,
    /// Layers that are read at the same time, at least 1. Each takes two threads and about 2 MiB.
    pub parallel_layers: usize,
    /// Bytes that the program, its buffers and the contents of files may take; a file that does not fit is noted and not
    /// looked into. At least [`MIN_MEMORY_BYTES`]; `None`: contents as much as the limits allow. The list of files is not
    /// counted: about 260 bytes each, with its place in the list of the package that owns it.
    pub memory_bytes: Option<u64>,
    /// Files, folders and links of all layers together that are read; more are a note. About 260 bytes each.
    pub max_entries: u64,
    /// Layers that were read before; `None`: everything is read.
    pub cache: Option<LayerCache>,
    /// Who watches.
    pub progress: &'a dyn Progress,
}

/// The least memory that a scan can be given: the program, buffers of two layers and the contents of a small image.
pub const MIN_MEMORY_BYTES: u64 = 32 << 20;

/// What a scan is given unless somebody says otherwise.
pub const DEFAULT_MEMORY_BYTES: u64 = 64 << 20;

/// What is read unless somebody says otherwise; real images have up to some hundred thousand.
pub const DEFAULT_MAX_ENTRIES: u64 = MAX_ENTRIES;

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
    let layers::Layers { layers, config } = layers::read(image.as_ref(), options)?;
    options.progress.finish();
    let config = config.as_ref().unwrap_or(&opened.config);

    let diff_ids = match image.computes_digests() {
        true => layers.iter().filter_map(|layer| layer.as_ref()?.diff_id).collect(),
        false => config.diff_ids.clone(),
    };
    let mut merge = Merge::default();
    let mut infos = Vec::new();
    for (index, (layer, stated)) in layers.into_iter().zip(&opened.layers).enumerate() {
        let diff_id = diff_ids.get(index).unwrap_or(&opened.config.diff_ids[index]);
        infos.push(merge_layer(&mut merge, layer, stated, diff_id));
    }
    merge.notes.extend(image.notes());
    name_layers(&mut infos, &config.image);
    let Merge {
        mut tree,
        versions,
        mut notes,
        ..
    } = merge;
    let mut sbom = cataloger::run(&mut tree, &versions, image.is_source_tree(), &mut notes);
    licence::fill(&tree, &mut sbom);
    drop(versions);
    let findings = check::run(
        &check::Input {
            reference: target.reference,
            config: &config.image,
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
            config_digest: match image.has_config_digest() {
                true => opened.config_digest,
                // A folder has no config: what identifies it is what is in it.
                false => diff_ids.first().copied().unwrap_or_else(|| digest_of(&[])),
            },
            diff_ids,
            platform: config.platform.clone(),
        },
        config: config.image.clone(),
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

fn merge_layer(merge: &mut Merge, layer: Option<Layer>, stated: &SourceLayer, diff_id: &Digest) -> LayerInfo {
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
    Compression::of_media_type(media_type) != compression
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
