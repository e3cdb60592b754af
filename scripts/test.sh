#!/usr/bin/env bash
# The whole test run: style, lints, unit and golden tests, then real registries and, as root with BPF, real kernels.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install.sh --tests

echo "== format" >&2
cargo fmt --all --check

# Images take a minute of mostly waiting for dpkg: make them beside the compiler. Without root the tests that need them
# say so.
images=
if [ "$(id -u)" = 0 ]; then
  # The demo's, and the cheap ones of the behaviour suite.
  scripts/behaviour/images.sh busybox memcached nginx-proxy </dev/null &
  images=$!
fi

echo "== clippy" >&2
cargo clippy --workspace --all-targets --locked -- -D warnings

echo "== build the command that the integration tests run" >&2
cargo build --locked -p plimsoll-cli

if [ -n "$images" ]; then
  wait "$images"
fi

# Official schemas come with packages of other languages; without them the tests that need them say that they are skipped.
echo "== validators of reports" >&2
scripts/validators.sh </dev/null

echo "== tests" >&2
# With the output of tests that passed, too: one that was skipped says why.
cargo test --workspace --locked -- --show-output 2>&1 | tee target/test.log
echo "== skipped" >&2
grep 'SKIPPED' target/test.log >&2 || echo "nothing" >&2

# The whole line from image to dashboard, with the command that was just built. Without BPF it replays a recorded run.
echo "== the demo, its dashboard in a real browser" >&2
PLIMSOLL=target/debug/plimsoll scripts/demo/run.sh --in-browser </dev/null
