//! `docker:NAME`: an image that dockerd has in, streamed from its socket.

use super::{Found, ImageSource, Probe, SourceOptions, engine::Engine};
use crate::error::ScanError;

/// dockerd.
pub(super) struct Docker;

impl ImageSource for Docker {
    fn scheme(&self) -> &'static str {
        "docker"
    }

    fn recognises(&self, _probe: &Probe) -> bool {
        false
    }

    fn open(&self, location: &str, options: &SourceOptions) -> Result<Found, ScanError> {
        Engine::connect("docker", &options.engines.docker_sockets)?.image(location)
    }
}
