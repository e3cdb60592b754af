//! `--policy`, `--waivers` and `--fail-on` in, a policy that is ready to judge out.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use plimsoll_model::{ScanReport, Severity, Verdict};
use plimsoll_policy::{Policy, VerdictContext, Waiver, parse_waivers};
use plimsoll_rules::RuleFile;

use crate::exit::{Exit, Failure};

/// Largest rule or waiver file, bytes.
const MAX_FILE_BYTES: u64 = 4 << 20;
/// The policy that needs no file.
const DEFAULT: &str = "default";

/// What an image must not have.
#[derive(clap::Args)]
pub(super) struct PolicyArguments {
    /// Judge by `default`, the shipped policy, or by a rule file; may be given several times, later ones change earlier ones
    #[arg(long, value_name = "default|FILE")]
    policy: Vec<String>,
    /// Exceptions from the policy, each with reason, owner and end; may be given several times
    #[arg(long, value_name = "FILE")]
    waivers: Vec<PathBuf>,
    /// Stop vulnerabilities of this severity and worse: negligible, low, medium, high, critical
    #[arg(long, value_name = "SEVERITY", value_parser = parse_severity)]
    fail_on: Option<Severity>,
}

const SEVERITIES: [(&str, Severity); 5] = [
    ("negligible", Severity::Negligible),
    ("low", Severity::Low),
    ("medium", Severity::Medium),
    ("high", Severity::High),
    ("critical", Severity::Critical),
];

fn parse_severity(text: &str) -> Result<Severity, String> {
    let found = SEVERITIES.iter().find(|(word, _)| *word == text);
    let words = || SEVERITIES.map(|(word, _)| word).join(", ");
    Ok(found
        .ok_or_else(|| format!("no such severity; there is {}", words()))?
        .1)
}

/// A policy with its exceptions.
pub(super) struct Judge {
    policy: Policy,
    waivers: Vec<Waiver>,
}

impl PolicyArguments {
    /// `None` when no policy was asked for.
    pub(super) fn load(&self, skips_vulnerabilities: bool) -> Result<Option<Judge>, Failure> {
        let failed = |error| Failure::new(Exit::Usage, error, "`plimsoll rules check FILE` explains rule files");
        let mut files = Vec::new();
        let mut names = Vec::new();
        for text in &self.policy {
            if text == DEFAULT {
                names.push(DEFAULT.to_owned());
                files.push(Policy::shipped_file());
            } else {
                let path = Path::new(text);
                names.push(path.file_stem().unwrap_or_default().to_string_lossy().into_owned());
                files.push(read_rules(path).map_err(failed)?);
            }
        }
        if let Some(severity) = self.fail_on {
            if skips_vulnerabilities {
                return Err(Failure::new(
                    Exit::Usage,
                    anyhow::anyhow!("judge vulnerabilities that are not looked for"),
                    "use --fail-on without --skip-vulnerabilities",
                ));
            }
            let file = threshold(severity);
            names.push(file.name.clone());
            files.push(file);
        }
        if files.is_empty() {
            return match self.waivers.is_empty() {
                true => Ok(None),
                false => Err(Failure::new(
                    Exit::Usage,
                    anyhow::anyhow!("use waivers without a policy"),
                    "say which policy they are exceptions from: --policy default",
                )),
            };
        }
        let (policy, warnings) = Policy::load(&names.join("+"), &files).map_err(|error| failed(error.into()))?;
        for warning in warnings {
            tracing::warn!(file = %warning.file, line = warning.line, "{}", warning.message);
        }
        Ok(Some(Judge {
            policy,
            waivers: self.read_waivers()?,
        }))
    }

    fn read_waivers(&self) -> Result<Vec<Waiver>, Failure> {
        let hint = "each waiver has id, reason, owner, until, and names a rule, subject or image: see docs/scan.md";
        let failed = |error| Failure::new(Exit::Usage, error, hint);
        let mut waivers: Vec<Waiver> = Vec::new();
        for path in &self.waivers {
            let text = read(path).map_err(failed)?;
            let read = parse_waivers(&path.display().to_string(), &text).map_err(|error| failed(error.into()))?;
            for waiver in read {
                if waivers.iter().any(|other| other.id == waiver.id) {
                    let problem = format!("read waivers {}: `{}` is in two files", path.display(), waiver.id);
                    return Err(failed(anyhow::anyhow!(problem)));
                }
                waivers.push(waiver);
            }
        }
        Ok(waivers)
    }
}

fn read_rules(path: &Path) -> anyhow::Result<RuleFile> {
    Ok(RuleFile {
        name: path.display().to_string(),
        text: read(path)?,
    })
}

fn read(path: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    let file = File::open(path).with_context(|| format!("open {}", path.display()))?;
    file.take(MAX_FILE_BYTES + 1)
        .read_to_string(&mut text)
        .with_context(|| format!("read {}", path.display()))?;
    anyhow::ensure!(
        text.len() as u64 <= MAX_FILE_BYTES,
        "read {}: it has more than {MAX_FILE_BYTES} bytes",
        path.display()
    );
    Ok(text)
}

/// What `--fail-on high` stands for, written as anybody would write it.
fn threshold(least: Severity) -> RuleFile {
    let stopped = SEVERITIES.iter().filter(|(_, severity)| *severity >= least);
    let words: Vec<&str> = stopped.map(|(word, _)| *word).collect();
    let text = format!(
        "- rule: Vulnerability of severity {least} or worse\n  \
           desc: A vulnerability that --fail-on {least} stops.\n  \
           source: vulnerability\n  \
           condition: vuln.severity in ({list})\n  \
           output: \"%vuln.id in %package.name %package.version is %vuln.severity\"\n  \
           priority: CRITICAL\n  \
           action: stop\n",
        least = words[0],
        list = words.join(", "),
    );
    RuleFile {
        name: format!("fail-on-{}", words[0]),
        text,
    }
}

impl Judge {
    /// The verdict of today.
    pub(super) fn judge(&self, report: &ScanReport, data_age_days: Option<u64>) -> Verdict {
        let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
        self.policy.judge(
            report,
            VerdictContext {
                waivers: &self.waivers,
                today,
                data_age_days,
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_threshold_is_a_policy() {
        for (word, severity) in SEVERITIES {
            let file = threshold(severity);
            assert_eq!(file.name, format!("fail-on-{word}"));
            let (_, warnings) = Policy::load("test", &[file]).unwrap();
            assert_eq!(warnings, [], "{word}");
        }
        assert!(threshold(Severity::High).text.contains("in (high, critical)"));
        assert!(parse_severity("unknown").is_err());
    }

    #[test]
    fn a_threshold_can_stand_beside_the_shipped_policy() {
        let files = [Policy::shipped_file(), threshold(Severity::Low)];
        assert!(Policy::load("both", &files).is_ok());
    }
}
