//! Profiles from registries, as arguments: how the child process is run that gets them.

use std::{
    env,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use plimsoll_runtime::images::{Broker, ChildOptions, PullOptions, Runner};
use plimsoll_scanner::artifact::PublicKey;

use crate::{
    commands::db,
    exit::{Exit, Failure},
};

/// What a child gets of our environment: where registries' settings and credentials are, and how to get there.
const PASSED_ON: &[&str] = &[
    "HOME",
    "PATH",
    "TMPDIR",
    "REGISTRY_AUTH_FILE",
    "DOCKER_CONFIG",
    "CONTAINERS_REGISTRIES_CONF",
    "PLIMSOLL_REGISTRY_CA",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];
/// `nobody` on every distribution.
const NOBODY: u32 = 65_534;
/// Seconds that a child may take; it gives up itself a little earlier.
const PATIENCE: u64 = 90;
/// An image whose registry has no profile is asked for again after so long.
const AGAIN: Duration = Duration::from_secs(300);

/// Profiles from registries.
#[derive(clap::Args)]
#[command(next_help_heading = "Profiles from registries")]
pub(super) struct ProfileArguments {
    /// Get the profiles that `plimsoll profile push` attached to images, from these registries [default: any]
    #[arg(long, value_name = "HOST,…", num_args = 0..=1, require_equals = true, value_delimiter = ',')]
    #[arg(requires = "profile_key")]
    profiles_from_registry: Option<Vec<String>>,
    /// Public key (PEM) that must have signed them; of several, any
    #[arg(long, value_name = "FILE", requires = "profiles_from_registry")]
    profile_key: Vec<PathBuf>,
    /// User id that asks registries; it must be able to read credentials, if there are any
    #[arg(long, value_name = "UID", default_value_t = NOBODY)]
    profile_user: u32,
}

impl ProfileArguments {
    /// `None` when nobody asked for them.
    pub(super) fn options(&self, state: &Path) -> Result<Option<PullOptions>, Failure> {
        let Some(registries) = &self.profiles_from_registry else {
            return Ok(None);
        };
        let mut key = String::new();
        for path in &self.profile_key {
            // What is no key is said now, not when the first container starts.
            PublicKey::read(path).map_err(db::artifact_failure)?;
            key += &std::fs::read_to_string(path).map_err(|error| {
                let error = anyhow::Error::from(error).context(format!("read {}", path.display()));
                Failure::new(Exit::Usage, error, "--profile-key wants a file with a public key")
            })?;
            key += "\n";
        }
        let program = env::current_exe().map_err(|error| {
            let error = anyhow::Error::from(error).context("find this program's own file");
            Failure::new(Exit::Target, error, "is /proc mounted?")
        })?;
        let budget = format!("--budget={}", PATIENCE - 10);
        let arguments = ["profile", "pull", "--public-key=-", &budget];
        let passed = |name: &&str| Some(((*name).to_owned(), env::var(name).ok()?));
        let child = ChildOptions {
            program: program.clone(),
            arguments: arguments.map(str::to_owned).to_vec(),
            environment: PASSED_ON.iter().filter_map(passed).collect(),
            key,
            user: super::is_root().then_some((self.profile_user, self.profile_user)),
            patience: Duration::from_secs(PATIENCE),
        };
        let broker = Broker::start(&program, &["agent", "broker"], &child).map_err(|error| {
            let error = anyhow::Error::from(error).context("start the process that asks registries");
            Failure::new(Exit::Incomplete, error, "raise the limit of processes")
        })?;
        Ok(Some(PullOptions {
            child,
            runner: Runner::Broker(Arc::new(Mutex::new(broker))),
            again: AGAIN,
            folder: state.join("registry-reports"),
            registries: registries.clone(),
        }))
    }
}
