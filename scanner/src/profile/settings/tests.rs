//! Each configuration language with what its claims need: values, where they come from, includes, command lines.

use plimsoll_model::Program;
use plimsoll_rules::packs::shipped;

use super::*;
use crate::profile::testing::Image;

fn check(pack: &str, image: &Image, command: &[&str], expected: &[(&str, &[&str])]) -> Settings {
    let pack = shipped().iter().find(|shipped| shipped.name == pack).unwrap();
    let lookup = Lookup::new(&image.tree, &image.config);
    let launch = Launch {
        program: Program {
            path: "/usr/lib/postgresql/15/bin/postgres".into(),
            applet: None,
        },
        invoked: command[0].to_owned(),
        argv: command.iter().map(|word| (*word).to_owned()).collect(),
        user: None,
    };
    let settings = read(pack.settings.as_ref().unwrap(), &launch, &lookup);
    for (name, values) in expected {
        let found: Vec<&str> = settings
            .get(name)
            .iter()
            .map(|setting| setting.value.as_str())
            .collect();
        assert_eq!(&found, values, "{name} of {command:?}");
    }
    settings
}

#[test]
fn redis_file_includes_and_command_line() {
    let image = Image::new()
        .file(
            "/etc/redis/redis.conf",
            0o644,
            "# port 1\nport 7000\nDIR ./sub\nlogfile \"\"\ninclude /etc/redis/more/*.conf\n",
        )
        .file(
            "/etc/redis/more/a.conf",
            0o644,
            "replicaof 10.0.0.1 7001\npidfile /run/x.pid\nsentinel monitor m 10.0.0.2 6379 2\n",
        )
        .with(|config| config.working_dir = "/data".to_owned());
    let settings = check(
        "redis",
        &image,
        &[
            "redis-server",
            "/etc/redis/redis.conf",
            "--port",
            "7002",
            "--save",
            "60",
            "1",
            "--save",
            "30",
            "2",
        ],
        &[
            ("port", &["7002"]),
            ("dir", &["/data/sub"]),
            ("replicaof.2", &["7001"]),
            ("save", &["60 1", "30 2"]),
            ("pidfile", &[]),
            ("sentinel monitor", &["m 10.0.0.2 6379 2"]),
            ("config_file", &["/etc/redis/redis.conf"]),
        ],
    );
    assert_eq!(settings.get("dir")[0].from, "line 3 of /etc/redis/redis.conf");
    assert!(!settings.is_on("logfile") && settings.is_on("replicaof") && settings.unknown.is_none());
    let settings = check("redis", &image, &["redis-server", "other.conf"], &[]);
    assert_eq!(
        settings.unknown.as_deref(),
        Some("/data/other.conf is not in the image")
    );
}

#[test]
fn postgres_sample_file_and_command_line() {
    let image = Image::new()
        .file(
            "/usr/share/postgresql/15/postgresql.conf.sample",
            0o644,
            "#port = 5432\nlisten_addresses = '*'   # all\nunix_socket_directories = '/var/run/postgresql, /tmp'\nlog_directory 'log'\n\
             archive_command = 'echo ''x'''\ninclude_dir 'conf.d'\n",
        )
        .file("/usr/share/postgresql/15/conf.d/a.conf", 0o644, "max_connections = 10\n")
        .with(|config| config.env = vec!["PGDATA=/var/lib/postgresql/data".to_owned()]);
    check(
        "postgres",
        &image,
        &[
            "postgres",
            "-c",
            "port=5433",
            "--log-directory=/var/log/pg",
            "-clogging_collector=on",
            "-k",
            "/run/pg",
        ],
        &[
            ("port", &["5433"]),
            ("listen_addresses", &["*"]),
            ("unix_socket_directories", &["/run/pg"]),
            ("log_directory", &["/var/log/pg"]),
            ("archive_command", &["echo 'x'"]),
            ("max_connections", &["10"]),
        ],
    );
    check(
        "postgres",
        &image,
        &["postgres"],
        &[
            ("port", &[]),
            ("log_directory", &[]),
            ("unix_socket_directories", &["/var/run/postgresql", "/tmp"]),
        ],
    );
}

#[test]
fn nginx_blocks_includes_and_directives_on_the_command_line() {
    let image = Image::new()
        .file(
            "/etc/nginx/nginx.conf",
            0o644,
            "user www-data;\npid /run/nginx.pid; # x;\nevents { }\nhttp {\n access_log /var/log/nginx/a.log main;\n include sites/*;\n}\n",
        )
        .file(
            "/etc/nginx/sites/default",
            0o644,
            "server {\n listen 80 default_server;\n listen [::]:80;\n listen 127.0.0.1:8443 ssl;\n listen 443 quic;\n listen unix:/run/n;\n\
             location / { access_log /srv/$host/x.log; access_log off; add_header x \"a;b\"; }\n}\n",
        );
    let settings = check(
        "nginx",
        &image,
        &["nginx", "-g", "daemon off; error_log stderr"],
        &[
            ("user", &["www-data"]),
            ("pid", &["/run/nginx.pid"]),
            ("listen.port", &["80", "80", "8443"]),
            ("listen.quic_port", &["443"]),
            ("access_log", &["/var/log/nginx/a.log", "/srv/**"]),
            ("error_log", &[]),
            ("daemon", &["off"]),
            ("proxy_pass", &[]),
        ],
    );
    assert_eq!(
        settings.get("listen.port")[2].from,
        "line 4 of /etc/nginx/sites/default"
    );
    assert!(settings.unknown.is_none());
    assert!(check("nginx", &Image::new(), &["nginx"], &[]).unknown.is_some());
}

#[test]
fn words_keep_quotes_together() {
    assert_eq!(words("a  'b c' \"\" d\"e f\"g"), ["a", "b c", "", "de fg"]);
}

#[test]
fn mysql_groups_includes_and_command_line() {
    let image = Image::new()
        .file(
            "/etc/mysql/my.cnf",
            0o644,
            "[client]\nport = 1\n[mysqld]\nport = 3307 # ours\nlog-error = error.log\n!includedir /etc/mysql/conf.d/\n",
        )
        .file(
            "/etc/mysql/conf.d/a.cnf",
            0o644,
            "[mariadb-10.11]\nsocket=/run/a.sock\n[mysqldump]\nport=2\n",
        );
    check(
        "mysql",
        &image,
        &["mariadbd", "--datadir=/data", "--wsrep-on"],
        &[
            ("port", &["3307"]),
            ("socket", &["/run/a.sock"]),
            ("log_error", &["/data/error.log"]),
            ("wsrep_on", &["yes"]),
        ],
    );
    let settings = check(
        "mysql",
        &image,
        &["mysqld", "--defaults-file=/absent.cnf"],
        &[("port", &[])],
    );
    assert_eq!(settings.unknown.as_deref(), Some("/absent.cnf is not in the image"));
}

#[test]
fn haproxy_binds_servers_and_sockets() {
    let image = Image::new().file(
        "/etc/haproxy/haproxy.cfg",
        0o644,
        "global\n stats socket /run/h.sock mode 660\n log 10.0.0.1:514 local0\nfrontend f\n bind :80,*:443 ssl # both\n \
         bind quic4@:443\nbackend b\n option external-check\n server one 10.0.0.2:8080 check\n",
    );
    check(
        "haproxy",
        &image,
        &["haproxy", "-W", "-f", "/etc/haproxy/haproxy.cfg"],
        &[
            ("bind.port", &["80", "443"]),
            ("bind.quic_port", &["443"]),
            ("server.port", &["8080"]),
            ("stats socket", &["/run/h.sock"]),
            ("log.peer", &["10.0.0.1:514"]),
            ("option external-check", &["yes"]),
            ("master", &["yes"]),
        ],
    );
    let settings = check("haproxy", &image, &["haproxy", "-f", "/absent.cfg"], &[]);
    assert!(settings.unknown.is_some());
}

#[test]
fn httpd_includes_and_variables() {
    let image = Image::new()
        .file(
            "/etc/apache2/envvars",
            0o644,
            "export APACHE_RUN_DIR=/var/run/apache2$SUFFIX\nexport X=$Y\n",
        )
        .file(
            "/etc/apache2/apache2.conf",
            0o644,
            "DefaultRuntimeDir ${APACHE_RUN_DIR}\nErrorLog ${X}/e\nInclude ports.conf\nIncludeOptional mods/*.load\n",
        )
        .file(
            "/etc/apache2/ports.conf",
            0o644,
            "Listen 80\n<IfModule ssl_module>\nListen [::]:443\n</IfModule>\n",
        )
        .file(
            "/etc/apache2/mods/php.load",
            0o644,
            "LoadModule php_module /usr/lib/php.so\nCustomLog \"|/bin/log\" x\n",
        );
    check(
        "httpd",
        &image,
        &["apache2", "-DFOREGROUND"],
        &[
            ("listen.port", &["80", "443"]),
            ("defaultruntimedir", &["/var/run/apache2"]),
            ("errorlog", &["/etc/apache2/${X}/e"]),
            ("php_module", &["yes"]),
            ("piped log", &["|/bin/log"]),
        ],
    );
}

#[test]
fn flags_and_properties() {
    let command = [
        "memcached",
        "-p",
        "11212",
        "-U5",
        "--listen=0.0.0.0:99,:98",
        "-vv",
        "--user",
        "cache",
        "file",
    ];
    check(
        "memcached",
        &Image::new(),
        &command,
        &[
            ("p", &["11212"]),
            ("capital-u", &["5"]),
            ("listen.port", &["99", "98"]),
            ("vv", &["yes"]),
            ("user", &["cache"]),
            ("operand", &["file"]),
        ],
    );
    let image = Image::new().file(
        "/etc/rabbitmq/rabbitmq.conf",
        0o644,
        "# listeners.tcp.default = 1\nlisteners.tcp.default = 0.0.0.0:5673\n",
    );
    check(
        "rabbitmq",
        &image,
        &["beam.smp"],
        &[("listeners.tcp.default.port", &["5673"])],
    );
}
