//! `--runtime FILE|URL`: what running containers used of the image in; each match's place on the ladder out.

use std::{fs::File, io::Read as _, path::Path};

use plimsoll_model::{ImageUsage, Note, NoteKind, ScanReport, Usage, schema};
use plimsoll_policy::{IdleThresholds, bring_usage, merge_usage};

use super::push::{Server, ServerArguments};
use crate::exit::{Exit, Failure};

/// Largest file of what images use, bytes.
const MAX_USAGE_BYTES: u64 = 256 << 20;

/// Use at run time.
#[derive(clap::Args)]
#[command(next_help_heading = "Use at run time")]
pub(super) struct UsageArguments {
    /// Rank by what running containers used: what `plimsoll agent --usage FILE` wrote (may be given several times), or a server's
    /// URL, with the token in PLIMSOLL_TOKEN
    #[arg(long, value_name = "FILE|URL")]
    runtime: Vec<String>,
    /// Containers that must have been watched from their start before what they did not use counts as not in use
    #[arg(long, value_name = "COUNT", requires = "runtime", default_value_t = IdleThresholds::DEFAULT.containers)]
    idle_containers: u32,
    /// Hours for which these must have been watched, together
    #[arg(long, value_name = "HOURS", requires = "runtime", default_value_t = IdleThresholds::DEFAULT.seconds / 3600)]
    idle_hours: u64,
}

/// Where usage comes from.
pub(super) struct UsageSources {
    read: Vec<Usage>,
    servers: Vec<Server>,
    thresholds: IdleThresholds,
}

impl UsageArguments {
    /// Reads files; a server is asked later, for the image. `None` when nobody asked for usage.
    pub(super) fn open(&self, server: &ServerArguments) -> Result<Option<UsageSources>, Failure> {
        let is_url = |place: &String| place.starts_with("https://") || place.starts_with("http://");
        if server.is_for_nobody() && !self.runtime.iter().any(is_url) {
            let error = anyhow::anyhow!("use a token or certificates for no server");
            return Err(Failure::new(Exit::Usage, error, "add --server URL or --runtime URL"));
        }
        if self.runtime.is_empty() {
            return Ok(None);
        }
        let (mut read, mut servers) = (Vec::new(), Vec::new());
        for place in &self.runtime {
            match is_url(place) {
                true => servers.push(server.open(place)?),
                false => read.push(read_usage(Path::new(place))?),
            }
        }
        Ok(Some(UsageSources {
            read,
            servers,
            thresholds: IdleThresholds {
                containers: self.idle_containers,
                seconds: self.idle_hours.saturating_mul(3600),
            },
        }))
    }
}

impl UsageSources {
    /// Gives the report's matches their places. That nothing is known of the image is a hint in its notes.
    pub(super) fn bring(&self, report: &mut ScanReport) -> Result<(), Failure> {
        let digest = report.image.config_digest;
        let manifest = report.image.manifest_digest;
        let is_it = |image: &&ImageUsage| {
            image.config_digest == digest || (manifest.is_some() && image.manifest_digest == manifest)
        };
        let mut found: Vec<ImageUsage> = Vec::new();
        for usage in &self.read {
            found.extend(usage.images.iter().filter(is_it).cloned());
        }
        for server in &self.servers {
            let answer = server.get(&format!("api/v1/images/{digest}/usage"))?;
            if let Some(bytes) = answer {
                found.push(parse_answer(&bytes)?);
            }
        }
        let usage = merge_usage(found);
        if usage.is_none() {
            let text = "no container of this image was watched, by its digests: nothing is known of what it uses";
            report.notes.push(Note::new(NoteKind::Hint, "usage", text));
        }
        bring_usage(report, usage.as_ref(), self.thresholds);
        Ok(())
    }
}

fn read_usage(path: &Path) -> Result<Usage, Failure> {
    let failed = |error: anyhow::Error| {
        let error = error.context(format!("read what images use from {}", path.display()));
        Failure::new(
            Exit::Usage,
            error,
            "name a file that `plimsoll agent --usage FILE` wrote",
        )
    };
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_USAGE_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| failed(error.into()))?;
    if bytes.len() as u64 > MAX_USAGE_BYTES {
        return Err(failed(anyhow::anyhow!("it is longer than {MAX_USAGE_BYTES} bytes")));
    }
    let usage: Usage = serde_json::from_slice(&bytes).map_err(|error| failed(error.into()))?;
    if usage.schema != schema::USAGE {
        let error = anyhow::anyhow!("its schema is `{}`, not `{}`", usage.schema, schema::USAGE);
        return Err(failed(error));
    }
    Ok(usage)
}

fn parse_answer(bytes: &[u8]) -> Result<ImageUsage, Failure> {
    /// As `GET /api/v1/images/{digest}/usage` answers, as far as it is needed.
    #[derive(serde::Deserialize)]
    struct Answer {
        usage: ImageUsage,
    }
    let answer: Result<Answer, _> = serde_json::from_slice(bytes);
    answer.map(|answer| answer.usage).map_err(|error| {
        let error = anyhow::Error::new(error).context("read the server's answer about what the image uses");
        Failure::new(Exit::Target, error, "command and server must be of the same version")
    })
}
