#!/usr/bin/env bash
# Measures the server on loopback: alerts acknowledged per second, dashboard queries over them, admission reviews.
#   bench/server.sh [ALERTS] [REVIEWS]     default 100000 and 4000; builds in release mode (PROFILE=dev for a quick look)
set -euo pipefail
cd "$(dirname "$0")/.."
profile=${PROFILE:-release}
cargo build --quiet --profile "$profile" -p plimsoll-web --examples
folder=target/$([ "$profile" = dev ] && echo debug || echo "$profile")/examples

work=$(mktemp -d)
: >"$work/out"
"$folder/server" "$work/plimsoll.db" 0 >"$work/out" &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait || true; rm -rf "$work"' EXIT
until grep -q address "$work/out"; do kill -0 "$server"; sleep 0.1; done
"$folder/load" "$(sed -n 's/^address //p' "$work/out")" "$(sed -n 's/^password //p' "$work/out")" "${1:-100000}" "${2:-4000}"
echo "server: $(awk '/VmHWM/ {print $2 / 1024}' /proc/$server/status) MiB at most, database $(du -m "$work/plimsoll.db" | cut -f1) MiB"
