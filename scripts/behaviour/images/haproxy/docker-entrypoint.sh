#!/bin/sh
# Runs haproxy as master with workers, in the foreground, unless told otherwise.
set -e

case "${1:-}" in
  -*) set -- haproxy "$@" ;;
esac

if [ "$1" = haproxy ]; then
  shift
  set -- haproxy -W -db "$@"
fi

exec "$@"
