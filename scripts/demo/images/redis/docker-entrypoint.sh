#!/bin/sh
# Starts redis-server as the user redis, whoever the container is started as.
set -e

# Only options or a configuration file given: they are redis-server's.
case "${1:-}" in
  -* | *.conf) set -- redis-server "$@" ;;
esac

if [ "${1:-}" = redis-server ] && [ "$(id -u)" = 0 ]; then
  find . \! -user redis -exec chown redis '{}' +
  exec gosu redis "$0" "$@"
fi

# Files that redis writes are for redis alone, unless somebody chose otherwise.
if [ "$(umask)" = 0022 ]; then
  umask 0077
fi

exec "$@"
