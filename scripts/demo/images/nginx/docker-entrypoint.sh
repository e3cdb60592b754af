#!/bin/sh
# Runs the executable hooks in /docker-entrypoint.d in name order, then becomes nginx.
set -e

case "${1:-}" in
  nginx | nginx-debug)
    for hook in $(find /docker-entrypoint.d/ -follow -type f -name '*.sh' | sort -V); do
      if [ -x "$hook" ]; then
        "$hook"
      else
        echo >&2 "$0: $hook is not executable, left out"
      fi
    done
    ;;
esac

exec "$@"
