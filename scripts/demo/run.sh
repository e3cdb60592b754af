#!/usr/bin/env bash
# The whole line on real parts: builds real images, scans them, runs them, watches them, lets them misbehave and shows
# what was flagged. Ends with 0 only when normal work raised nothing and each bad act was flagged exactly once.
#   scripts/demo/run.sh                   as root on Debian 12; everything it makes is below target/demo
#   scripts/demo/run.sh --save-recording  also keeps this run as scripts/demo/recording, for machines without BPF
#   scripts/demo/run.sh --in-browser      also uses the dashboard in a real Chromium; screenshots go to target/demo/screenshots
#   PLIMSOLL=FILE scripts/demo/run.sh     with that command, building none
# Without root or BPF it says why and replays that recording.
set -euo pipefail
mode=${1:-}
demo_scripts=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$demo_scripts/../.." && pwd)
demo_out=$top/target/demo
plimsoll=${PLIMSOLL:-$top/target/release/plimsoll}
cd "$top"
mkdir -p "$demo_out/log" "$demo_out/reports"
# shellcheck source=scripts/demo/containers.sh
. "$demo_scripts/containers.sh"
# shellcheck source=scripts/demo/registry.sh
. "$demo_scripts/registry.sh"
# shellcheck source=scripts/demo/workload.sh
. "$demo_scripts/workload.sh"
# shellcheck source=scripts/demo/checks.sh
. "$demo_scripts/checks.sh"
# shellcheck source=scripts/demo/dashboard.sh
. "$demo_scripts/dashboard.sh"

started=$SECONDS
say() { printf '\n== %3d s  %s\n' "$((SECONDS - started))" "$*"; }

clean_up() {
  local id
  for id in "${container_ids[@]}"; do
    podman rm --force --time 2 "$id" >/dev/null 2>&1 || true
  done
  for id in ${agent_pid:-} ${server_pid:-} ${registry_pid:-}; do
    kill "$id" 2>/dev/null && wait "$id" 2>/dev/null || true
  done
  rm -rf "${registry_folder:-}"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

say "install what is missing"
"$top/scripts/install.sh"

# Images wait for dpkg, the compiler for the processor: side by side.
if [ "$(id -u)" = 0 ]; then
  "$demo_scripts/images.sh" </dev/null &
  images=$!
fi
if [ -z "${PLIMSOLL:-}" ]; then
  say "build plimsoll (and, as root, the images)"
  cargo build --release --locked --quiet -p plimsoll-cli
  started=$SECONDS
fi

if ! "$plimsoll" agent doctor >"$demo_out/log/doctor.txt"; then
  if [ -n "${images:-}" ]; then
    kill "$images" 2>/dev/null || true
    wait "$images" || true
  fi
  say "this machine does not let us watch containers"
  grep '^  NO' "$demo_out/log/doctor.txt"
  say "so replay the recorded run instead"
  replay_recording "$demo_scripts/recording"
  say "done: in the recorded run, ${#acts[@]} bad acts were flagged once each"
  exit
fi

wait "$images"
say "a registry on loopback, the images on it"
use_containers "$demo_out"
export DISABLE_HC_SYSTEMD=true # health checks run when asked for, not by a timer of systemd
registry_folder=$(mktemp -d "$demo_out/registry.XXXXXX")
start_registry "$registry_folder"
for name in redis postgres nginx; do
  push "$name"
done

say "vulnerability database"
import_advisories "$mode"

say "a server with the dashboard"
start_server
echo "$server_url"

say "scan: from the registry, an OCI layout, a docker-archive"
scan_images

say "what redis is expected to do"
"$plimsoll" profile "$registry_address/plimsoll-demo/redis:1" >"$demo_out/log/profile.txt"
head -n 40 "$demo_out/log/profile.txt"

say "watch"
start_agent
say "start redis, postgres and nginx"
make_acts
start_containers
say "normal work: redis-benchmark, background saves, pgbench, HTTP requests, a reload, a health check"
normal_work
expect_silence

say "${#acts[@]} bad acts"
for act in "${acts[@]}"; do
  "act_$act"
  expect_alert "$act"
done
say "the dashboard has all of it"
check_dashboard
if [ "$mode" = --in-browser ]; then
  "$top/scripts/test-browser.sh" "$server_url" "$server_password" "$demo_out/screenshots"
fi
stop_agent
expect_nothing_else

say "the same run, replayed from its recording, says the same"
expect_same_from_replay
if [ "$mode" = --save-recording ]; then
  save_recording "$demo_scripts/recording"
fi
say "done: normal work raised nothing, ${#acts[@]} bad acts were flagged once each"
if [ -t 0 ] && [ -t 1 ]; then
  serve_until_interrupted
fi
