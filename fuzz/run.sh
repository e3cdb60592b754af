#!/usr/bin/env bash
# Fuzzes every reader for SECONDS each (30), or only those that are named: fuzz/run.sh [SECONDS] [NAME…]. Needs a nightly
# compiler and `cargo install cargo-fuzz`; the first build takes some ten minutes of two processors and 2 GB. A crash, an
# input that takes more than two seconds and one that takes more than a gibibyte end in fuzz/artifacts/NAME/; minimise it
# (`PARSER=NAME cargo +nightly fuzz tmin --sanitizer none parser FILE`), put it into fuzz/corpus/NAME/ under a name that
# says what it is, and mend the reader: tests/tests/corpus.rs holds it from then on.
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:-30}
shift || true

cargo +nightly fuzz build --sanitizer none parser
parser=target/x86_64-unknown-linux-gnu/release/parser
failed=0
for name in ${*:-$("$parser")}; do
  mkdir -p "target/found/$name" "artifacts/$name"
  PARSER=$name SEEDS=target/seeds/$name "$parser"
  PARSER=$name "$parser" -max_total_time="$seconds" -timeout=2 -rss_limit_mb=1024 -max_len=65536 \
    -artifact_prefix="artifacts/$name/" "target/found/$name" "target/seeds/$name" >"target/$name.log" 2>&1 || failed=1
  echo "$name: $(grep -aE 'DONE|SUMMARY' "target/$name.log" | tail -n 2 | tr '\n' ' ')"
done
exit $failed
