#!/bin/bash
# An entry script that stays: it runs the server as its child, passes signals on and waits for it.
set -e

finish() {
  kill -TERM "$server"
}
trap finish TERM INT

setpriv --reuid=redis --regid=redis --clear-groups redis-server --protected-mode no --dir /data "$@" &
server=$!
wait "$server" || true
wait "$server"
