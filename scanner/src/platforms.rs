//! A target in, the platforms that it has an image for out.

use plimsoll_model::Platform;

use crate::{
    error::ScanError,
    parse_platform,
    source::{Found, SourceOptions},
    target::Target,
};

/// A platform that nobody builds for: an index answers it with those that it has.
const NOBODY: &str = "none";

/// The platforms of a multi-platform image in its index's order, each once; of anything else, the one that it says. What
/// [`SourceOptions::platform`] holds does not matter. An index that does not say what an image is for is an error.
pub fn platforms(target: &Target<'_>, options: &SourceOptions) -> Result<Vec<Platform>, ScanError> {
    let options = SourceOptions {
        platform: Some(Platform {
            os: NOBODY.to_owned(),
            architecture: NOBODY.to_owned(),
            variant: None,
        }),
        ..options.clone()
    };
    match target.source.open(target.location, &options) {
        Ok(Found::Image(image)) => Ok(vec![image.opened().config.platform.clone()]),
        Ok(Found::Scanned(scan)) => Ok(vec![scan.image.platform]),
        Err(ScanError::Platform { available, .. }) => {
            let mut found: Vec<Platform> = Vec::new();
            for text in available {
                let platform = parse_platform(&text).map_err(|_| ScanError::NotAnImage {
                    what: target.location.to_owned(),
                    reason: format!("its index has an image for {}", text.escape_debug()),
                })?;
                if !found.contains(&platform) {
                    found.push(platform);
                }
            }
            Ok(found)
        }
        Err(error) => Err(error),
    }
}
