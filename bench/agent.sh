#!/usr/bin/env bash
# What the agent costs a redis container and the machine, and how fast it is: with the agent on and off in turns.
#   bench/agent.sh [PAIRS] [SECTION...]      as root, on a kernel with BPF; prints Markdown tables
#   sections: redis operations loss alert cpu memory files; all without arguments
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
work=$(mktemp -d "$PWD/target/bench.XXXXXX")
id=
trap 'rm -rf "$work"; [ -z "$id" ] || podman rm --force --time 1 "$id" >/dev/null' EXIT
mkdir "$work/reports" "$work/tools"
for tool in workload fanotify; do
  cc -O2 -Wall -static -o "$work/tools/$tool" "bench/$tool.c"
done
"$plimsoll" scan --skip-vulnerabilities "docker-archive:$out/images/redis.docker.tar" --output "json=$work/reports/redis.json" >/dev/null
id=$(podman run --detach --volume "$work/tools:/bench:ro" localhost/plimsoll-demo/redis:latest)
pid=$(podman inspect --format '{{.State.Pid}}' "$id")
until [ "$(nsenter --net --target "$pid" redis-cli PING 2>/dev/null)" = PONG ]; do
  kill -0 "$pid"
done
python3 bench/agent.py "$plimsoll" "$pid" "$work/reports" "$work/tools" "${1:-7}" "${@:2}"
