//! `podman:NAME`: an image that podman's service has in, streamed from its socket.

use super::{Found, ImageSource, Probe, SourceOptions, engine::Engine};
use crate::error::ScanError;

/// `podman system service`.
pub(super) struct Podman;

impl ImageSource for Podman {
    fn scheme(&self) -> &'static str {
        "podman"
    }

    fn recognises(&self, _probe: &Probe) -> bool {
        false
    }

    fn open(&self, location: &str, options: &SourceOptions) -> Result<Found, ScanError> {
        Engine::connect("podman", &options.engines.podman_sockets)?.image(location)
    }
}
