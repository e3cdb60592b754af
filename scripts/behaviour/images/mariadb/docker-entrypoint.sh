#!/bin/bash
# Makes the system tables when there are none, sets the root password with a server that listens on its socket only, runs
# the hooks, then becomes mariadbd.
set -eo pipefail
shopt -s nullglob

note() { printf '%s [note] %s\n' "$(date --rfc-3339=seconds)" "$*"; }
fail() { note "$*" >&2; exit 1; }

data_folder() {
  "$@" --verbose --help 2>/dev/null | awk '$1 == "datadir" { print $2; exit }'
}

as_mysql() {
  if [ "$(id -u)" = 0 ]; then
    mkdir -p "$DATADIR" "${SOCKET%/*}"
    find "$DATADIR" \! -user mysql -exec chown mysql: '{}' +
    find "${SOCKET%/*}" -maxdepth 0 \! -user mysql -exec chown mysql: '{}' \;
    note "switching to the user mysql"
    exec gosu mysql "${BASH_SOURCE[0]}" "$@"
  fi
}

start_for_a_moment() {
  "$@" --skip-networking --default-time-zone=SYSTEM --socket="$SOCKET" --wsrep_on=OFF --skip-log-bin &
  server=$!
  for i in {60..0}; do
    if mariadb --protocol=socket -uroot -hlocalhost --socket="$SOCKET" --database=mysql -e 'SELECT 1' >/dev/null 2>&1; then
      return
    fi
    sleep 0.5
  done
  fail "the server did not start"
}

set_up_users() {
  local password="${MARIADB_ROOT_PASSWORD//\\/\\\\}"
  mariadb --protocol=socket -uroot -hlocalhost --socket="$SOCKET" --database=mysql <<-SQL
	ALTER USER root@localhost IDENTIFIED BY '${password//\'/\\\'}';
	CREATE USER root@'%' IDENTIFIED BY '${password//\'/\\\'}';
	GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;
	DROP USER IF EXISTS root@'127.0.0.1', root@'::1';
	CREATE USER healthcheck@localhost IDENTIFIED BY 'healthcheck';
SQL
}

run_hooks() {
  local hook
  for hook in /docker-entrypoint-initdb.d/*; do
    case $hook in
      *.sh) . "$hook" ;;
      *.sql) mariadb -uroot -p"$MARIADB_ROOT_PASSWORD" --socket="$SOCKET" <"$hook" ;;
      *.sql.gz) gunzip -c "$hook" | mariadb -uroot -p"$MARIADB_ROOT_PASSWORD" --socket="$SOCKET" ;;
    esac
  done
}

case "${1:-}" in
  -*) set -- mariadbd "$@" ;;
esac

if [ "$1" = mariadbd ] || [ "$1" = mysqld ]; then
  DATADIR=/var/lib/mysql
  SOCKET=/run/mysqld/mysqld.sock
  as_mysql "$@"
  if [ ! -d "$DATADIR/mysql" ]; then
    [ -n "${MARIADB_ROOT_PASSWORD:-}" ] || fail "set MARIADB_ROOT_PASSWORD"
    note "making the system tables"
    mariadb-install-db --datadir="$DATADIR" --skip-test-db --auth-root-authentication-method=normal \
      --old-mode='UTF8_IS_UTF8MB3' --default-time-zone=SYSTEM --enforce-storage-engine= --skip-log-bin >/dev/null
    start_for_a_moment "$@"
    set_up_users
    run_hooks
    kill "$server"
    wait "$server"
  fi
fi

exec "$@"
