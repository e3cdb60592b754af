#!/usr/bin/env bash
# Uses a running server's dashboard in a real Chromium, as a person would.
#   scripts/test-browser.sh URL ONE_TIME_PASSWORD [FOLDER_OF_SCREENSHOTS]
# The server holds the demo's scans and alerts (scripts/demo/run.sh --in-browser calls this).
set -euo pipefail
cd "$(dirname "$0")/../web/ui"

npm ci --silent --no-progress </dev/null
BASE_URL=$1 PASSWORD=$2 SCREENSHOTS=${3:-} node --test tests/dashboard.mjs

# What is committed must be what the sources give. Vite needs a newer Node.js than Debian 12 has.
if node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)'; then
  npm run --silent check
  npm run --silent types
  fresh=$(mktemp -d)
  trap 'rm -rf "$fresh"' EXIT
  npx vite build --logLevel error --outDir "$fresh" --emptyOutDir
  if ! diff -r "$fresh" dist; then
    echo "error: web/ui/dist is not what its sources give" >&2
    echo "hint: npm ci && npm run build in web/ui, and commit dist" >&2
    exit 1
  fi
else
  echo "SKIPPED: dist is not compared with its sources: Node.js $(node --version) is too old for Vite" >&2
fi
