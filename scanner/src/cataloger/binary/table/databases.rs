//! Databases, caches and queues.

use crate::cataloger::binary::classifier::{Classifier, Look, elf, row};

/// Redis and its children link the version beside the name of their atomic operations, and in front of host and time of the
/// build (`version.c`, `release.c`).
const REDIS: &[&str] = &[
    r"\x00{version}\x00(?:c11|atomic|sync)-builtin\x00",
    r"\x00{version}\x00 \(git:%s",
    r"[^0-9.]([0-9]{1,3}\.[0-9]{1,2}\.[0-9]{1,2})[a-z][-.a-z0-9]{0,62}-[0-9]{10,19}[^0-9]",
];

/// Redis's, and the build identifier of a build that hides its host: the time alone follows the version.
const VALKEY: &[&str] = &[
    REDIS[0],
    REDIS[1],
    r"valkey([0-9]{1,2}\.[0-9]{1,2}\.[0-9]{1,2})[0-9]{19}\x00",
    REDIS[2],
];

const POSTGRES: &[&str] = &[r"\(PostgreSQL\) ([0-9]{1,2}(?:\.[0-9]{1,2}){1,2}|[0-9]{1,2}(?:beta|rc)[0-9])[ \n\x00]"];

pub(super) const ALL: &[Classifier] = &[
    elf(
        "redis",
        &[
            "redis-server",
            "redis-sentinel",
            "redis-cli",
            "redis-benchmark",
            "redis-check-*",
        ],
        REDIS,
        &["redis:redis"],
    ),
    elf(
        "valkey",
        &[
            "valkey-server",
            "valkey-sentinel",
            "valkey-cli",
            "valkey-benchmark",
            "valkey-check-*",
        ],
        VALKEY,
        &["lfprojects:valkey"],
    ),
    elf(
        "keydb",
        &[
            "keydb-server",
            "keydb-sentinel",
            "keydb-cli",
            "keydb-benchmark",
            "keydb-check-*",
        ],
        REDIS,
        &["snap:keydb"],
    ),
    elf(
        "dragonfly",
        &["dragonfly"],
        &[r"[^0-9a-z]df-v{version}[^0-9.]", r"dragonfly v{version}[^0-9.]"],
        &["dragonflydb:dragonfly"],
    ),
    elf(
        "memcached",
        &["memcached"],
        &[r"\x00memcached {version}[\n\x00]"],
        &["memcached:memcached"],
    ),
    elf(
        "postgresql",
        &[
            "postgres",
            "psql",
            "initdb",
            "pg_ctl",
            "pg_dump",
            "pg_dumpall",
            "pg_restore",
            "pg_basebackup",
        ],
        POSTGRES,
        &["postgresql:postgresql"],
    ),
    elf(
        "pgbouncer",
        &["pgbouncer"],
        &[r"PgBouncer {version}\x00"],
        &["pgbouncer:pgbouncer"],
    ),
    elf(
        "mariadb",
        &[
            "mariadbd",
            "mysqld",
            "mariadb",
            "mysql",
            "mariadb-*",
            "mysqladmin",
            "mysqldump",
        ],
        &[r"[^0-9.]{version}-MariaDB"],
        &["mariadb:mariadb"],
    ),
    elf(
        "mysql",
        &["mysqld", "mysql", "mysqladmin", "mysqldump"],
        &[
            r"\x00MySQL ([0-9]\.[0-9]{1,2}\.[0-9]{1,3})\x00",
            r"/mysql-([0-9]\.[0-9]{1,2}\.[0-9]{1,3})[/\x00]",
        ],
        &["oracle:mysql", "mysql:mysql"],
    ),
    elf(
        "percona-server",
        &["mysqld", "mysql"],
        &[r"/percona-server-([0-9]\.[0-9]{1,2}\.[0-9]{1,3})(?:-[0-9]{1,3})?/"],
        &["percona:percona_server"],
    ),
    elf(
        "mongodb",
        &["mongod", "mongos", "mongo"],
        &[
            r"\x00([3-9]\.[0-9]{1,2}\.[0-9]{1,3})\x00{1,8}[0-9a-f]{40}\x00",
            r"mongodb-src-r{version}",
        ],
        &["mongodb:mongodb"],
    ),
    elf("influxdb", &["influxd", "influx"], &["{go}"], &["influxdata:influxdb"])
        .of_go("github.com/influxdata/influxdb"),
    elf(
        "clickhouse",
        &["clickhouse", "clickhouse-server", "libclickhouse.so*"],
        &[r"ClickHouse {version}\x00", r"VERSION_DESCRIBE\x00v?{version}"],
        &["clickhouse:clickhouse"],
    ),
    elf("cockroachdb", &["cockroach"], &["{go}"], &["cockroachlabs:cockroachdb"])
        .of_go("github.com/cockroachdb/cockroach"),
    elf(
        "sqlite",
        &["sqlite3", "libsqlite3.so*"],
        &[r"\x00(3\.[0-9]{1,2}\.[0-9]{1,2}(?:\.[0-9])?)\x00"],
        &["sqlite:sqlite"],
    ),
    elf(
        "etcd",
        &["etcd", "etcdctl", "etcdutl"],
        &["{go}", "{constant}"],
        &["etcd:etcd"],
    )
    .of_go("go.etcd.io/etcd/v3"),
    elf(
        "nats-server",
        &["nats-server", "gnatsd"],
        &["{go}", "{constant}"],
        &["nats:nats_server"],
    )
    .of_go("github.com/nats-io/nats-server/v2"),
    elf(
        "mosquitto",
        &["mosquitto", "mosquitto_pub", "mosquitto_sub", "mosquitto_ctrl"],
        &[r"\x00{version}\x00(?:mosquitto version|\nModules|mosquitto_)"],
        &["eclipse:mosquitto"],
    ),
    elf(
        "postgis",
        &["postgis-*.so"],
        &[r"\x00([23]\.[0-9]{1,2}\.[0-9]{1,2})\x00[0-9a-f]{7,9}\x00"],
        &["postgis:postgis"],
    ),
    row(
        Look::Text,
        "rabbitmq-server",
        &["rabbit.app"],
        &[r#"\{vsn, {0,4}"{version}[^"]{0,20}"\}"#],
        &["vmware:rabbitmq", "pivotal_software:rabbitmq"],
    ),
    elf(
        "minio",
        &["minio"],
        &[r"\x00RELEASE\.([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}-[0-9]{2}-[0-9]{2}Z)"],
        &["minio:minio"],
    )
    .of_go("github.com/minio/minio"),
    elf(
        "openldap",
        &["slapd", "slapadd", "slapcat"],
        &[
            r"OpenLDAP: slapd {version} ",
            r"@\(#\) \$OpenLDAP: [a-z]{0,12} {version}",
        ],
        &["openldap:openldap"],
    ),
];
