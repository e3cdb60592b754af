//! Workload packs: what is known of a piece of software wherever it is packaged. YAML in, [`Pack`] out.
//!
//! A pack is data. It speaks of programs by name, of folders by variable (`{data}`) and of settings by the name that the
//! software's own configuration gives them; `plimsoll_scanner::profile` fills those in for one image. It is chosen by
//! the image's main program and the package that owns it, never by the image's name.

mod load;

use std::{collections::BTreeMap, sync::LazyLock};

use plimsoll_model::{Confidence, PathPattern, PeerScope, Phase, Transport, Verb};
use serde::Deserialize;

pub use load::{MAX_PACK_BYTES, PackError, parse};

/// Built-in packs: file name and text, in name order. One line per file of `rules/content/packs`.
const FILES: &[(&str, &str)] = &[
    ("busybox.yaml", include_str!("../content/packs/busybox.yaml")),
    ("caddy.yaml", include_str!("../content/packs/caddy.yaml")),
    ("consul.yaml", include_str!("../content/packs/consul.yaml")),
    (
        "elasticsearch.yaml",
        include_str!("../content/packs/elasticsearch.yaml"),
    ),
    ("etcd.yaml", include_str!("../content/packs/etcd.yaml")),
    ("grafana.yaml", include_str!("../content/packs/grafana.yaml")),
    ("haproxy.yaml", include_str!("../content/packs/haproxy.yaml")),
    ("httpd.yaml", include_str!("../content/packs/httpd.yaml")),
    ("influxdb.yaml", include_str!("../content/packs/influxdb.yaml")),
    ("java.yaml", include_str!("../content/packs/java.yaml")),
    ("kafka.yaml", include_str!("../content/packs/kafka.yaml")),
    ("memcached.yaml", include_str!("../content/packs/memcached.yaml")),
    ("mongo.yaml", include_str!("../content/packs/mongo.yaml")),
    ("mysql.yaml", include_str!("../content/packs/mysql.yaml")),
    ("nats.yaml", include_str!("../content/packs/nats.yaml")),
    ("nginx.yaml", include_str!("../content/packs/nginx.yaml")),
    ("node.yaml", include_str!("../content/packs/node.yaml")),
    ("php-fpm.yaml", include_str!("../content/packs/php-fpm.yaml")),
    ("postgres.yaml", include_str!("../content/packs/postgres.yaml")),
    ("prometheus.yaml", include_str!("../content/packs/prometheus.yaml")),
    ("python.yaml", include_str!("../content/packs/python.yaml")),
    ("rabbitmq.yaml", include_str!("../content/packs/rabbitmq.yaml")),
    ("redis.yaml", include_str!("../content/packs/redis.yaml")),
    ("registry.yaml", include_str!("../content/packs/registry.yaml")),
    ("ruby.yaml", include_str!("../content/packs/ruby.yaml")),
    ("supervisord.yaml", include_str!("../content/packs/supervisord.yaml")),
    ("traefik.yaml", include_str!("../content/packs/traefik.yaml")),
    ("varnish.yaml", include_str!("../content/packs/varnish.yaml")),
    ("vault.yaml", include_str!("../content/packs/vault.yaml")),
    ("zookeeper.yaml", include_str!("../content/packs/zookeeper.yaml")),
];

/// The packs that are built in, in name order.
pub fn shipped() -> &'static [Pack] {
    static PACKS: LazyLock<Vec<Pack>> = LazyLock::new(|| {
        FILES
            .iter()
            .map(|(name, text)| parse(name, text).expect("a test reads every built-in pack"))
            .collect()
    });
    &PACKS
}

/// What is known of one piece of software.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pack {
    /// `redis`.
    pub name: String,
    /// Counts up whenever what it expects changes; from 1.
    pub version: u32,
    /// One sentence: what the software is and what its containers do.
    pub summary: String,
    /// The software's own documentation of what is claimed here.
    pub docs: String,
    /// What it was checked against.
    #[serde(default)]
    pub basis: Basis,
    /// Which images it is for.
    #[serde(rename = "match")]
    pub matches: PackMatch,
    /// Where its configuration is; `None` when it has none that a profile reads.
    pub settings: Option<SettingsSource>,
    /// Variable name → places to take its value from, tried in order; the first that gives any value wins, with all its
    /// values. Places are texts with holes: `{setting.dir}`, `{env.PGDATA}`, `{volume}`, `{workdir}`, `{main.folder}`,
    /// or plain text.
    #[serde(default)]
    pub variables: BTreeMap<String, Vec<String>>,
    /// Ports that it serves.
    #[serde(default)]
    pub listens: Vec<ListenClaim>,
    /// Peers that it dials.
    #[serde(default)]
    pub connects: Vec<ConnectClaim>,
    /// Files that it writes.
    #[serde(default)]
    pub writes: Vec<PathClaim>,
    /// Files that it loads as code although the image does not hold them.
    #[serde(default)]
    pub loads: Vec<PathClaim>,
    /// Programs that it, or its usual entry script, starts.
    #[serde(default)]
    pub execs: Vec<ExecClaim>,
    /// Users that it becomes.
    #[serde(default)]
    pub becomes: Vec<BecomeClaim>,
    /// Folders in which its own claims are all that is written, whatever holds for containers in general: that a folder is
    /// a volume, or that any program may keep its files there.
    #[serde(default)]
    pub narrows: Vec<PathClaim>,
    /// What it never does.
    #[serde(default)]
    pub never: Vec<NeverClaim>,
    /// Pairs of verb and phase in which the claims above are all that happens.
    #[serde(default)]
    pub closes: Vec<CloseClaim>,
    /// Normal work that the pack was checked against: nothing of it may be a deviation.
    pub benign: Vec<String>,
    /// Attacks that the pack must make visible.
    pub attacks: Vec<String>,
}

/// Which images a pack is for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackMatch {
    /// Names of the main program: base name of `argv[0]`, or of the executable. One must agree.
    pub mains: Vec<String>,
    /// Packages that may own the main program's file; `*` matches any run of characters. A main program that another
    /// package owns is other software of the same name; one that no package owns (built from source) matches, and then
    /// no claim counts for more than B.
    pub packages: Vec<String>,
}

/// A software's own configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettingsSource {
    /// Its language.
    pub format: SettingsFormat,
    /// Files that are read when the command line names none, in order, later ones winning; may hold variables of the
    /// kinds `{env.…}` and `*` for one path component.
    #[serde(default)]
    pub files: Vec<String>,
}

/// Configuration languages that a profile reads, with their command lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SettingsFormat {
    /// `name value…` lines; file as first argument; `--name value`.
    Redis,
    /// `name = 'value'` lines; `-D`, `-p`, `-k`, `-c name=value`, `--name=value`.
    Postgres,
    /// `name value…;` and blocks; `-c FILE`, `-g DIRECTIVES`, `-p PREFIX`.
    Nginx,
    /// my.cnf: `[section]` and `name = value`; `--name=value`, `--defaults-file=FILE`.
    Mysql,
    /// haproxy.cfg: sections of `keyword value…` lines; `-f FILE`.
    Haproxy,
    /// httpd.conf and apache2.conf: `Directive value…`, blocks, includes, `${NAME}` from `envvars`; `-f FILE`, `-c DIRECTIVE`.
    Httpd,
    /// The command line alone: `--name=value`, `--name value`, `-n value`, `-n5`. An address also gives `name.port`.
    Flags,
    /// `name = value` lines (rabbitmq.conf, server.properties, zoo.cfg); the command line is not read.
    Properties,
}

/// What a pack was checked against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Its software was run: the behaviour suite holds its normal work and attacks.
    #[default]
    Run,
    /// Documentation alone: no claim counts for more than B.
    Documentation,
}

/// When a claim holds. All that is given must be true.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct When {
    /// One of these settings is on: present, and not empty, `no`, `off`, `false` or `0`.
    pub any_setting: Vec<String>,
    /// None of these settings is on.
    pub no_setting: Vec<String>,
    /// The main program's resolved path is in one of these.
    pub main: Vec<PathPattern>,
    /// The main program was called by one of these names.
    pub called: Vec<String>,
}

/// A port that is served.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListenClaim {
    /// Port, range (`32768-60999`), or a variable that holds ports: `{port}`. Values that are no port from 1 to 65535 are left out.
    pub port: String,
    /// Added to each value; redis's cluster bus is its port plus 10000.
    #[serde(default)]
    pub plus: u16,
    /// Protocol.
    #[serde(default = "tcp")]
    pub transport: Transport,
    /// Common part.
    pub because: Because,
}

/// A peer that is dialled.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectClaim {
    /// How far away.
    pub scope: PeerScope,
    /// Protocol, when only one port or one protocol is meant.
    pub transport: Option<Transport>,
    /// Port, or a variable; `None`: any.
    pub port: Option<String>,
    /// Common part.
    pub because: Because,
}

/// A file that is written, or loaded.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PathClaim {
    /// Path pattern with variables: `{data}/**`.
    pub path: String,
    /// Who: as in [`ExecClaim::from`].
    #[serde(default = "any")]
    pub by: String,
    /// Common part.
    pub because: Because,
}

/// A program that starts others.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExecClaim {
    /// Who asks: `main`; `entry`, every shell that runs an entry script; `any`; a name that is looked up in `PATH`; or
    /// a path pattern with variables.
    pub from: String,
    /// What starts, as in `from`. What the image does not have is left out.
    pub to: Vec<String>,
    /// Common part.
    pub because: Because,
}

/// A user that is become.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BecomeClaim {
    /// Name, number, or a variable.
    pub user: String,
    /// Common part.
    pub because: Because,
}

/// Something that never happens.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NeverClaim {
    /// Which kind of action.
    pub verb: Verb,
    /// Who: as in [`ExecClaim::from`].
    pub by: String,
    /// Common part.
    pub because: Because,
}

/// A pair of verb and phase in which a pack's claims and the image's own facts are all that happens.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloseClaim {
    /// Which kind of action.
    pub verb: Verb,
    /// Common part; its phases are those that are closed.
    pub because: Because,
}

/// What every claim says: when it holds, and why it is believed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Because {
    /// Phases of the container's life; at least one.
    pub phases: Vec<Phase>,
    /// One line for people.
    pub evidence: String,
    /// How sure. A claim of A needs a package that agrees; see [`PackMatch::packages`].
    #[serde(default = "surely")]
    pub confidence: Confidence,
    /// Only under this condition.
    #[serde(default)]
    pub when: When,
}

fn tcp() -> Transport {
    Transport::Tcp
}

fn any() -> String {
    "any".to_owned()
}

fn surely() -> Confidence {
    Confidence::A
}

impl PackMatch {
    /// Whether a program that goes by one of these names is meant.
    pub fn names(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.mains.iter().any(|main| main == name))
    }

    /// Whether this package's files are meant.
    pub fn owns(&self, package: &str) -> bool {
        // A package name holds no slash, so a pattern of one path component fits it.
        self.packages
            .iter()
            .any(|pattern| PathPattern(pattern.clone()).matches(package))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_and_list_agree_and_every_pack_reads() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/content/packs");
        let mut found: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        found.sort();
        let listed: Vec<&str> = FILES.iter().map(|(name, _)| *name).collect();
        assert_eq!(found, listed);
        for (file, text) in FILES {
            let pack = parse(file, text).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(format!("{}.yaml", pack.name), *file);
        }
        assert_eq!(shipped().len(), FILES.len());
    }

    #[test]
    fn matches_by_program_and_package() {
        let matches = |name: &str| &shipped().iter().find(|pack| pack.name == name).unwrap().matches;
        let redis = matches("redis");
        assert!(redis.names(&["redis-check-rdb", "redis-server"]));
        assert!(!redis.names(&["redis-cli"]));
        assert!(redis.owns("redis-server") && !redis.owns("nginx-light"));
        let postgres = matches("postgres");
        assert!(postgres.owns("postgresql-15") && !postgres.owns("postgresql-common"));
    }
}
