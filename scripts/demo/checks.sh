# Sourced: plimsoll's part of the demo, and what must be true of its alerts.

# The bad acts, in order, with what the one alert about each must say: image, phase, observed.
acts=(foreign_module shell_under_redis shell_by_exec copy_from_program dial_out write_below_usr_bin another_module
  dropped_binary)
declare -A must_say=(
  [foreign_module]='redis serving /acts/shell\.so'
  [shell_under_redis]='redis serving exec.*(dash|/sh)'
  [shell_by_exec]='redis session dash|/sh'
  [copy_from_program]='postgres serving dash|/sh'
  [dial_out]='postgres serving 10\.77\.0\.1:4444'
  [write_below_usr_bin]='nginx serving /usr/bin/implant'
  [another_module]='redis serving /acts/drop\.so'
  [dropped_binary]='redis serving kinsing'
)
alerts_seen=0
alerts=$demo_out/alerts.jsonl  # every alert as JSON, one a line
explained=$demo_out/alerts.txt # the same for people

# import_advisories [--save-recording]: real records where they are at hand; what is committed must stand on our own.
import_advisories() {
  local shared=$top/../shared/data/advisories/debian records=("$demo_scripts/advisories")
  if [ -d "$shared" ] && [ "$1" != --save-recording ]; then
    records=("$shared"/*osv*.jsonl.zst)
  fi
  rm -f "$demo_out/plimsoll.db"
  "$plimsoll" db import --db "$demo_out/plimsoll.db" "${records[@]}"
}

scan_images() {
  local name
  for name in redis postgres nginx; do
    "$plimsoll" scan --db "$demo_out/plimsoll.db" --output "json=$demo_out/reports/$name.json" --output table \
      --policy default --server "$server_url" "$registry_address/plimsoll-demo/$name:1" >"$demo_out/log/scan-$name.txt" ||
      [ $? = 1 ] # stopped by policy, and only that: the demo runs the image all the same
    head -n 12 "$demo_out/log/scan-$name.txt"
  done
  # The same image with another compression, and as an archive: the same contents, so the same profile.
  "$plimsoll" scan --skip-vulnerabilities "oci:$demo_out/images/nginx-zstd" --output "cyclonedx=$demo_out/log/nginx.cdx.json"
  "$plimsoll" scan --skip-vulnerabilities "docker-archive:$demo_out/images/redis.docker.tar" \
    --output "json=$demo_out/log/redis-archive.json"
  diff <(jq .sbom.packages "$demo_out/reports/redis.json") <(jq .sbom.packages "$demo_out/log/redis-archive.json")
  echo "nginx from an OCI layout (zstd): $(jq '.components | length' "$demo_out/log/nginx.cdx.json") CycloneDX components;" \
    "redis from a docker-archive: the same packages as from the registry"
}

start_agent() {
  local log=$demo_out/log/agent.log
  rm -f "$alerts" "$explained" "$demo_out/recording.plimsoll"
  : >"$alerts"
  "$plimsoll" agent --node demo --images "$demo_out/reports" --record "$demo_out/recording.plimsoll" --alert-file "$alerts" \
    --server "$server_url" --enrolment-token "$enrolment_token" --state "$demo_out/agent-state" --explain >"$explained" 2>"$log" </dev/null &
  agent_pid=$!
  wait_until "the agent's readiness" sh -c "grep -q ^ready '$log' || ! kill -0 $agent_pid"
  if ! kill -0 "$agent_pid" 2>/dev/null; then
    cat "$log" >&2
    return 5
  fi
}

stop_agent() {
  kill -INT "$agent_pid"
  wait "$agent_pid" || true
  agent_pid=
  tail -n 1 "$demo_out/log/agent.log"
}

# Alerts about the demo's own containers, one a line: others may run on this machine, and the agent sees them all.
our_alerts() {
  jq --compact-output --arg ids "${container_ids[*]}" \
    'select(.container_id as $id | $id and ($ids | split(" ") | index($id)))' "$alerts"
}

has_alerts() { [ "$(our_alerts | wc -l)" -gt "$1" ]; }

# show ID: what the agent printed for people about one alert.
show() { awk -v id="$1" '/^[^ ]/ { ours = index($0, id) } ours' "$explained"; }

expect_silence() {
  if has_alerts 0; then
    echo "error: normal work raised alerts:" >&2
    cat "$explained" >&2
    return 5
  fi
  echo "no alert"
}

# expect_alert ACT: the next alert is there and says what it must: image, package, phase, expectation, evidence.
expect_alert() {
  local act=$1 image phase observed alert
  read -r image phase observed <<<"${must_say[$act]}"
  printf '\n-- %s\n' "${act//_/ }"
  wait_until "the alert about ${act//_/ }" has_alerts "$alerts_seen"
  alerts_seen=$((alerts_seen + 1))
  alert=$(our_alerts | sed -n "${alerts_seen}p")
  show "$(jq --raw-output .id <<<"$alert")"
  jq --exit-status --arg image "$image" --arg phase "$phase" --arg observed "$observed" '
    (.image.reference | contains("/" + $image)) and .phase == $phase and (.observed | test($observed))
    and (.expected | all(.evidence | length > 0))
    and ([.reasons[].deviation | select(.) | .evidence[]] | length > 0)
    and (.image.config_digest | startswith("sha256:")) and .count == 1
    and (.executable | .package or (.is_in_image | not)) and .lost_events == 0' >/dev/null <<<"$alert" || {
    echo "error: this alert does not say what it must about ${act//_/ } ($image, $phase, $observed)" >&2
    return 5
  }
}

expect_nothing_else() {
  if has_alerts "${#acts[@]}"; then
    echo "error: more alerts than bad acts:" >&2
    cat "$explained" >&2
    return 5
  fi
}

# replay REPORTS RECORDING: the same agent without a kernel; its alerts take the place of the live ones.
replay() {
  rm -f "$alerts" "$explained"
  "$plimsoll" agent --images "$1" --replay "$2" --alert-file "$alerts" --explain >"$explained" 2>"$demo_out/log/replay.log"
}

expect_same_from_replay() {
  local live
  live=$(our_alerts | jq .id)
  replay "$demo_out/reports" "$demo_out/recording.plimsoll"
  diff <(echo "$live") <(our_alerts | jq .id)
  tail -n 1 "$demo_out/log/replay.log"
}

# save_recording FOLDER: this run, for machines without BPF.
save_recording() {
  local name
  rm -rf "$1"
  mkdir -p "$1"
  # Of this machine it holds the containers alone, and who brought them in by name.
  cp "$demo_out/recording.plimsoll" "$1/recording.plimsoll"
  printf '%s\n' "${container_ids[@]}" >"$1/containers"
  for name in redis postgres nginx; do
    zstd --quiet -19 -o "$1/$name.json.zst" "$demo_out/reports/$name.json"
  done
}

# replay_recording FOLDER: shows a saved run and checks its alerts.
replay_recording() {
  local name
  mkdir -p "$demo_out/recorded-reports"
  for name in redis postgres nginx; do
    zstd --quiet --force --decompress -o "$demo_out/recorded-reports/$name.json" "$1/$name.json.zst"
  done
  mapfile -t container_ids <"$1/containers"
  replay "$demo_out/recorded-reports" "$1/recording.plimsoll"
  for act in "${acts[@]}"; do
    expect_alert "$act"
  done
  expect_nothing_else
  container_ids=()
}
