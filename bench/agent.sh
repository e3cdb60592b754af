#!/usr/bin/env bash
# What the agent costs a redis server: redis-benchmark GET with the agent on and off in turns.
#   bench/agent.sh [PAIRS]      as root, on a kernel with BPF; prints a Markdown table
#   PLIMSOLL=FILE measures that command and builds none
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install.sh
scripts/demo/images.sh
plimsoll=${PLIMSOLL:-$PWD/target/release/plimsoll}
[ -n "${PLIMSOLL:-}" ] || cargo build --release --locked --quiet -p plimsoll-cli
out=$PWD/target/demo
# shellcheck source=scripts/demo/containers.sh
. scripts/demo/containers.sh
use_containers "$out"
export DISABLE_HC_SYSTEMD=true
reports=$(mktemp -d "$PWD/target/bench.XXXXXX")
id=
trap 'rm -rf "$reports"; [ -z "$id" ] || podman rm --force --time 1 "$id" >/dev/null' EXIT
"$plimsoll" scan --skip-vulnerabilities "docker-archive:$out/images/redis.docker.tar" --output "json=$reports/redis.json" >/dev/null
id=$(podman run --detach localhost/plimsoll-demo/redis:latest)
pid=$(podman inspect --format '{{.State.Pid}}' "$id")
until [ "$(nsenter --net --target "$pid" redis-cli PING 2>/dev/null)" = PONG ]; do
  kill -0 "$pid"
done
python3 bench/agent.py "$plimsoll" "$pid" "$reports" "${1:-7}"
