//! `--platform all`: every image of an index in, reports named after their platforms out.

use std::path::{Path, PathBuf};

use plimsoll_model::Platform;
use plimsoll_scanner::{LayerCache, Target, platforms};

use super::{SourceArguments, failure, source_options};
use crate::exit::{Exit, Failure};

/// What stands for all platforms.
const ALL: &str = "all";
/// Most that layers may take which are remembered for one run alone.
const MAX_SHARED_BYTES: u64 = 1 << 30;

/// Images to be scanned one after another, and the layers that they share.
pub(super) struct Platforms {
    /// `linux/arm64/v8`.
    pub(super) each: Vec<Platform>,
    /// A layer that several have is read once.
    pub(super) cache: Option<LayerCache>,
    /// Where layers are without a cache of the user; removed at the end.
    _folder: Option<tempfile::TempDir>,
}

impl Platforms {
    /// `None` when one image was asked for.
    pub(super) fn asked(target: &str, arguments: &SourceArguments) -> Result<Option<Self>, Failure> {
        if arguments.platform.as_deref() != Some(ALL) {
            return Ok(None);
        }
        let target = Target::parse(target).map_err(failure)?;
        let each = platforms(&target, &source_options(arguments, None)?).map_err(failure)?;
        let known = arguments.cache.cache(arguments.registry.home());
        let folder = match &known {
            Some(_) => None,
            None => Some(tempfile::tempdir().map_err(|error| {
                let error = anyhow::Error::new(error).context("make a folder for the layers that platforms share");
                Failure::new(
                    Exit::Usage,
                    error,
                    "check that TMPDIR is a folder that can be written to",
                )
            })?),
        };
        let own = folder.as_ref();
        let cache = known.or_else(|| own.map(|folder| LayerCache::new(folder.path().to_owned(), MAX_SHARED_BYTES)));
        Ok(Some(Self {
            each,
            cache,
            _folder: folder,
        }))
    }
}

/// For people.
pub(super) fn shown(platform: &Platform) -> String {
    words(platform).join("/")
}

/// `report.json` for the image of one platform: `report.linux-arm64.json`.
pub(super) fn named(path: &Path, platform: &Platform) -> PathBuf {
    let name = words(platform).join("-");
    match path.extension() {
        Some(ending) => path.with_extension(format!("{name}.{}", ending.to_string_lossy())),
        None => path.with_extension(name),
    }
}

/// An image's own config may call its platform anything; what is shown and names files is of harmless characters.
fn words(platform: &Platform) -> Vec<String> {
    let is_harmless = |char: char| char.is_ascii_alphanumeric() || "._-".contains(char);
    [
        Some(&platform.os),
        Some(&platform.architecture),
        platform.variant.as_ref(),
    ]
    .into_iter()
    .flatten()
    .map(|word| word.replace(|char| !is_harmless(char), "_"))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_platform_comes_before_the_ending() {
        for (text, path, expected) in [
            ("linux/arm64", "out/report.json", "out/report.linux-arm64.json"),
            ("linux/arm/v7", "report", "report.linux-arm-v7"),
            ("linux/amd64", "a.cdx.json", "a.cdx.linux-amd64.json"),
        ] {
            let platform = plimsoll_scanner::parse_platform(text).unwrap();
            assert_eq!(named(Path::new(path), &platform), Path::new(expected));
            assert_eq!(shown(&platform), text);
        }
        let hostile = Platform {
            os: "../\u{1b}[2J".to_owned(),
            architecture: "/etc/passwd".to_owned(),
            variant: None,
        };
        assert_eq!(
            named(Path::new("r.json"), &hostile),
            Path::new("r...___2J-_etc_passwd.json")
        );
    }
}
