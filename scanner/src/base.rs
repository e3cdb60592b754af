//! An image's layers, and those of others, in; which of its layers came with the image that it was built on, out.

use plimsoll_model::{BaseImage, Digest, ImageConfig};

use crate::{
    ScanError, Target,
    source::{Found, SourceOptions},
};

/// The label in which builders name the base image (OCI image-spec, annotations.md).
const NAME_LABEL: &str = "org.opencontainers.image.base.name";

/// The layers of an image, uncompressed digests, base first: of its manifest and config only, no layer is read.
pub fn diff_ids(target: &Target<'_>, options: &SourceOptions) -> Result<Vec<Digest>, ScanError> {
    Ok(match target.source.open(target.location, options)? {
        Found::Image(image) => image.opened().config.diff_ids.clone(),
        Found::Scanned(scan) => scan.image.diff_ids,
    })
}

/// The candidate that shares most layers with the image, from the first on; among equals the first one given. One that
/// is the image itself says nothing.
pub fn by_layers(own: &[Digest], candidates: &[(String, Vec<Digest>)]) -> Option<BaseImage> {
    let mut best: Option<BaseImage> = None;
    for (reference, layers) in candidates {
        let shared = own.iter().zip(layers).take_while(|(a, b)| a == b).count();
        let shared_count = u32::try_from(shared).ok()?;
        if shared == 0 || shared == own.len() && shared == layers.len() {
            continue;
        }
        if best.as_ref().is_none_or(|best| shared_count > best.layer_count) {
            let evidence = match shared == layers.len() {
                true => "shared layers".to_owned(),
                false => format!("shared layers: {shared} of its {}", layers.len()),
            };
            best = Some(BaseImage {
                reference: reference.clone(),
                layer_count: shared_count,
                evidence,
            });
        }
    }
    best
}

/// What the image itself tells. Builders state an image's command after all else, so a command before a later layer is
/// that of the base image; its name is known when a label has it.
pub fn guess(config: &ImageConfig, layer_count: usize) -> Option<BaseImage> {
    let made = config.history.iter().filter(|line| !line.empty_layer).count();
    if made != layer_count {
        return None;
    }
    let last_layer = config.history.iter().rposition(|line| !line.empty_layer)?;
    let command = config.history[..last_layer]
        .iter()
        .rposition(|line| line.empty_layer && is_command(&line.created_by))?;
    let layers = config.history[..command]
        .iter()
        .filter(|line| !line.empty_layer)
        .count();
    let name = config.labels.get(NAME_LABEL);
    (layers > 0).then(|| BaseImage {
        reference: name.cloned().unwrap_or_default(),
        layer_count: u32::try_from(layers).unwrap_or(u32::MAX),
        evidence: match name {
            Some(_) => "label and history".to_owned(),
            None => "history".to_owned(),
        },
    })
}

fn is_command(line: &str) -> bool {
    let text = line.trim_start();
    let text = text.strip_prefix("/bin/sh -c #(nop)").map_or(text, str::trim_start);
    text.starts_with("CMD ") || text.starts_with("ENTRYPOINT ")
}

#[cfg(test)]
mod tests {
    use plimsoll_model::HistoryEntry;

    use super::*;

    fn digests(numbers: &[u8]) -> Vec<Digest> {
        numbers.iter().map(|number| Digest::from_bytes([*number; 32])).collect()
    }

    #[test]
    fn the_longest_shared_beginning_wins() {
        let candidates = |all: &[&[u8]]| -> Vec<(String, Vec<Digest>)> {
            all.iter()
                .enumerate()
                .map(|(at, numbers)| (at.to_string(), digests(numbers)))
                .collect()
        };
        for (own, others, expected) in [
            (
                &[1, 2, 3][..],
                &[&[1][..], &[1, 2]][..],
                Some(("1", 2, "shared layers")),
            ),
            (&[1, 2, 3], &[&[1, 9, 3]], Some(("0", 1, "shared layers: 1 of its 3"))),
            (&[1, 2, 3], &[&[2, 3]], None),
            (&[1, 2], &[&[1, 2]], None),
            (&[1], &[], None),
        ] {
            let found = by_layers(&digests(own), &candidates(others));
            let found = found
                .as_ref()
                .map(|base| (base.reference.as_str(), base.layer_count, base.evidence.as_str()));
            assert_eq!(found, expected, "{own:?} {others:?}");
        }
    }

    #[test]
    fn a_command_before_a_later_layer_ends_the_base() {
        let history = |lines: &[(&str, bool)]| ImageConfig {
            history: lines
                .iter()
                .map(|(line, empty_layer)| HistoryEntry {
                    created_by: (*line).to_owned(),
                    empty_layer: *empty_layer,
                })
                .collect(),
            ..ImageConfig::default()
        };
        let built = history(&[
            ("/bin/sh -c #(nop) ADD dir:1 in /", false),
            ("/bin/sh -c #(nop) CMD [\"bash\"]", true),
            ("RUN make", false),
            ("CMD [\"/app\"]", true),
        ]);
        assert_eq!(
            guess(&built, 2).map(|base| (base.layer_count, base.evidence)),
            Some((1, "history".to_owned()))
        );
        assert_eq!(guess(&built, 3), None);
        let whole = history(&[("ADD dir:1 in /", false), ("CMD [\"bash\"]", true)]);
        assert_eq!(guess(&whole, 1), None);
    }
}
