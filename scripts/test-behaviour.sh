#!/usr/bin/env bash
# The behaviour suite: builds its images, runs normal work and attacks in all of them under a real agent, and writes
# docs/behaviour.md. Needs root and BTF.
#   scripts/test-behaviour.sh [option of plimsoll-behaviour…]
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install.sh --behaviour
scripts/behaviour/images.sh
cargo build --locked -p plimsoll-cli
cargo build --locked -p plimsoll-tests --bin plimsoll-behaviour

suites=(--suites tests/behaviour)
if [ -d ../shared/data/workloads ]; then
  suites+=(--suites ../shared/data/workloads)
else
  echo "note: ../shared/data/workloads is not here; only the suite's own files are run" >&2
fi
target/debug/plimsoll-behaviour "${suites[@]}" --jobs 2 --table docs/behaviour.md "$@"
