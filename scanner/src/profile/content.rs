//! Path, mode, size and first bytes of a file in, whether the profile needs its content out.

/// Largest file whose content the profile reads, in bytes. Entry scripts are a few KiB; PostgreSQL's sample
/// configuration is 30 KiB.
pub(crate) const MAX_CONTENT_BYTES: u64 = 512 * 1024;

/// Interpreters whose scripts the shell parser reads.
const SHELLS: &[&str] = &["sh", "bash", "dash", "ash", "ksh", "zsh"];

/// Exact paths of files that name users, groups and library folders.
const EXACT: &[&str] = &["/etc/passwd", "/etc/group", "/etc/ld.so.conf"];

/// Base names of configuration files that `config` understands.
const CONFIG_NAMES: &[&str] = &[
    "redis.conf",
    "valkey.conf",
    "postgresql.conf",
    "postgresql.conf.sample",
    "nginx.conf",
    "my.cnf",
    "mariadb.cnf",
    "haproxy.cfg",
    "httpd.conf",
    "apache2.conf",
    "rabbitmq.conf",
    "server.properties",
    "zoo.cfg",
];

/// Folders whose files belong to a configuration that `config` understands.
const CONFIG_FOLDERS: &[&str] = &[
    "/etc/ld.so.conf.d/",
    "/etc/nginx/",
    "/usr/local/nginx/conf/",
    "/etc/redis/",
    "/etc/postgresql/",
    "/etc/postgresql-common/",
    "/etc/mysql/",
    "/etc/my.cnf.d/",
    "/etc/haproxy/",
    "/usr/local/etc/haproxy/",
    "/etc/apache2/",
    "/etc/httpd/",
    "/usr/local/apache2/conf/",
    "/etc/rabbitmq/",
    "/etc/supervisor/",
];

/// Whether a scan must keep this file's content for [`super::build`].
///
/// `path` is absolute and normalised, `mode` holds permission bits, `first_bytes` is as much of the content's beginning
/// as the caller has; 64 bytes are enough.
pub fn wants_content(path: &str, mode: u32, size_bytes: u64, first_bytes: &[u8]) -> bool {
    if size_bytes == 0 || size_bytes > MAX_CONTENT_BYTES {
        return false;
    }
    if EXACT.contains(&path) {
        return true;
    }
    let name = path.rsplit('/').next().unwrap_or(path);
    if CONFIG_NAMES.contains(&name) || CONFIG_FOLDERS.iter().any(|folder| path.starts_with(folder)) {
        return !first_bytes.contains(&0);
    }
    if is_shell_script(first_bytes) {
        return true;
    }
    // Hook folders hold scripts that are sourced: no execute bit and no first line needed.
    (name.ends_with(".sh") || name.ends_with(".envsh")) && (mode & 0o111 != 0 || path.starts_with("/docker-entrypoint"))
}

fn is_shell_script(first_bytes: &[u8]) -> bool {
    let Some(rest) = first_bytes.strip_prefix(b"#!") else {
        return false;
    };
    let line = rest.split(|&byte| byte == b'\n').next().unwrap_or(rest);
    let line = String::from_utf8_lossy(line);
    line.split_whitespace()
        .take(3)
        .any(|word| SHELLS.contains(&word.rsplit('/').next().unwrap_or(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_scripts_and_known_configuration_only() {
        for (path, mode, size_bytes, first, expected) in [
            (
                "/usr/local/bin/docker-entrypoint.sh",
                0o755,
                900,
                "#!/bin/sh\nset -e\n",
                true,
            ),
            ("/entry", 0o755, 900, "#! /usr/bin/env bash\n", true),
            ("/usr/bin/lsb_release", 0o755, 900, "#! /usr/bin/python3\n", false),
            (
                "/docker-entrypoint.d/10-listen.sh",
                0o644,
                900,
                "# no first line\n",
                true,
            ),
            ("/docker-entrypoint.d/15-resolvers.envsh", 0o755, 900, "X=1\n", true),
            ("/etc/passwd", 0o644, 900, "root:x:0:0", true),
            ("/etc/passwd-", 0o644, 900, "root:x:0:0", false),
            ("/etc/nginx/sites-enabled/default", 0o644, 900, "server {", true),
            ("/etc/nginx/blob", 0o644, 900, "\0\0", false),
            (
                "/usr/share/postgresql/15/postgresql.conf.sample",
                0o644,
                29_000,
                "# --",
                true,
            ),
            ("/usr/bin/huge", 0o755, 80_000_000, "#!/bin/sh\n", false),
            ("/usr/bin/true", 0o755, 900, "\x7fELF", false),
        ] {
            assert_eq!(
                wants_content(path, mode, size_bytes, first.as_bytes()),
                expected,
                "{path}"
            );
        }
    }
}
