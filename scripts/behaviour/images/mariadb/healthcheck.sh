#!/bin/bash
# Whether the server takes connections, over its socket.
set -eo pipefail

connect() {
  mariadb --protocol=socket --user=healthcheck --password=healthcheck --batch --skip-column-names -e 'select 1' | grep -q '^1$'
}

while [ $# -gt 0 ]; do
  case $1 in
    --connect) connect ;;
    *) echo "unknown test $1" >&2; exit 1 ;;
  esac
  shift
done
