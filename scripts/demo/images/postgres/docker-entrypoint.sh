#!/usr/bin/env bash
# Makes a database cluster in $PGDATA when there is none, runs the hooks in /docker-entrypoint-initdb.d against a server
# that only listens on its socket, then becomes postgres.
set -Eeo pipefail

prepare_folders() {
  mkdir -p "$PGDATA" /var/run/postgresql
  chmod 0700 "$PGDATA"
  chmod 03775 /var/run/postgresql
  if [ "$(id -u)" = 0 ]; then
    find "$PGDATA" \! -user postgres -exec chown postgres '{}' +
    find /var/run/postgresql \! -user postgres -exec chown postgres '{}' +
  fi
}

require_password() {
  if [ -z "$POSTGRES_PASSWORD" ] && [ "$POSTGRES_HOST_AUTH_METHOD" != trust ]; then
    echo >&2 "error: set POSTGRES_PASSWORD, or POSTGRES_HOST_AUTH_METHOD=trust where anyone may be superuser"
    exit 1
  fi
}

make_cluster() {
  initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") --no-sync >/dev/null
  printf '\nhost all all all %s\n' "${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}" >>"$PGDATA/pg_hba.conf"
}

run_hooks() {
  local hook
  for hook in /docker-entrypoint-initdb.d/*; do
    case $hook in
      *.sh) . "$hook" ;;
      *.sql) psql -v ON_ERROR_STOP=1 --no-psqlrc -U "$POSTGRES_USER" -d "$POSTGRES_DB" -f "$hook" ;;
      *.sql.gz) gunzip -c "$hook" | psql -v ON_ERROR_STOP=1 --no-psqlrc -U "$POSTGRES_USER" -d "$POSTGRES_DB" ;;
    esac
  done
}

first_start() {
  require_password
  make_cluster
  pg_ctl -D "$PGDATA" -o "-c listen_addresses=''" -w start >/dev/null
  if [ "$POSTGRES_DB" != postgres ]; then
    createdb -U "$POSTGRES_USER" "$POSTGRES_DB"
  fi
  run_hooks
  pg_ctl -D "$PGDATA" -m fast -w stop >/dev/null
}

case "${1:-}" in
  -*) set -- postgres "$@" ;;
esac

if [ "$1" = postgres ]; then
  : "${POSTGRES_USER:=postgres}" "${POSTGRES_DB:=$POSTGRES_USER}" "${POSTGRES_PASSWORD:=}" "${POSTGRES_HOST_AUTH_METHOD:=}"
  prepare_folders
  if [ "$(id -u)" = 0 ]; then
    exec gosu postgres "$BASH_SOURCE" "$@"
  fi
  if [ ! -s "$PGDATA/PG_VERSION" ]; then
    first_start
  fi
fi

exec "$@"
