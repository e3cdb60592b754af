# Sourced: plimsoll's part of the demo, and what must be true of its alerts.

# The six acts, in order, with what the one alert about each must say: image, phase, observed.
acts=(shell_under_redis shell_by_exec copy_from_program dial_out write_below_usr_bin dropped_binary)
declare -A must_say=(
  [shell_under_redis]='redis serving dash|/sh'
  [shell_by_exec]='redis session dash|/sh'
  [copy_from_program]='postgres serving dash|/sh'
  [dial_out]='postgres serving 10\.77\.0\.1:4444'
  [write_below_usr_bin]='nginx serving /usr/bin/implant'
  [dropped_binary]='redis serving kinsing'
)
alerts_seen=0

import_advisories() {
  local records=$top/../shared/data/advisories/debian
  if [ ! -d "$records" ]; then
    records=$demo_scripts/advisories
  fi
  "$plimsoll" db import --db "$demo_out/plimsoll.db" "$records"
}

scan_images() {
  local name
  for name in redis postgres nginx; do
    "$plimsoll" scan --db "$demo_out/plimsoll.db" -o "json=$demo_out/reports/$name.json" \
      "$registry_address/plimsoll-demo/$name:1" >"$demo_out/log/scan-$name.txt"
    head -n 12 "$demo_out/log/scan-$name.txt"
  done
  "$plimsoll" scan "oci:$demo_out/images/nginx-zstd" -o "cyclonedx=$demo_out/reports/nginx.cdx" >/dev/null
  "$plimsoll" scan "docker-archive:$demo_out/images/redis.docker.tar" >/dev/null
}

# check_bpf: says why this machine cannot load programs, and fails; else says nothing.
check_bpf() {
  if [ "$(id -u)" != 0 ]; then
    echo "loading BPF programs needs root"
    return 1
  fi
  if [ ! -e /sys/kernel/btf/vmlinux ]; then
    echo "this kernel has no type information (/sys/kernel/btf/vmlinux)"
    return 1
  fi
}

start_agent() {
  local log=$demo_out/log/agent.log
  : >"$alerts"
  "$plimsoll" agent --reports "$demo_out/reports" --record "$demo_out/recording.plimsoll" --output json \
    >"$alerts" 2>"$log" </dev/null &
  agent_pid=$!
  wait_until "the agent's readiness" sh -c "grep -q ready '$log' || ! kill -0 $agent_pid"
  if ! kill -0 "$agent_pid" 2>/dev/null; then
    cat "$log" >&2
    return 5
  fi
}

stop_agent() {
  kill -INT "$agent_pid"
  wait "$agent_pid" || true
  agent_pid=
}

show() { jq --raw-output --from-file "$demo_scripts/alert.jq"; }

expect_silence() {
  if [ -s "$alerts" ]; then
    echo "error: normal work raised alerts:" >&2
    show <"$alerts" >&2
    return 5
  fi
  echo "no alert"
}

has_alerts() { [ "$(wc -l <"$alerts")" -gt "$1" ]; }

# expect_alert ACT: the next alert is there and says what it must: image, package, phase, expectation, evidence.
expect_alert() {
  local act=$1 image phase observed alert
  read -r image phase observed <<<"${must_say[$act]}"
  printf '%s\n' "${act//_/ }"
  wait_until "the alert about ${act//_/ }" has_alerts "$alerts_seen"
  alerts_seen=$((alerts_seen + 1))
  alert=$(sed -n "${alerts_seen}p" "$alerts")
  show <<<"$alert"
  jq --exit-status --arg image "$image" --arg phase "$phase" --arg observed "$observed" '
    (.image.reference | contains("/" + $image)) and .phase == $phase and (.observed | test($observed))
    and (.expected | all(.evidence | length > 0))
    and ([.reasons[].deviation | select(.) | .evidence[]] | length > 0)
    and (.executable | .package or (.is_in_image | not)) and .lost_events == 0' >/dev/null <<<"$alert" || {
    echo "error: this alert does not say what it must about ${act//_/ } ($image, $phase, $observed)" >&2
    return 5
  }
}

expect_nothing_else() {
  if has_alerts "${#acts[@]}"; then
    echo "error: more alerts than bad acts:" >&2
    tail -n "+$((${#acts[@]} + 1))" "$alerts" | show >&2
    return 5
  fi
}

expect_same_from_replay() {
  "$plimsoll" agent --reports "$demo_out/reports" --replay "$demo_out/recording.plimsoll" --output json \
    >"$demo_out/replayed.jsonl" 2>"$demo_out/log/replay.log"
  diff <(jq .id "$alerts") <(jq .id "$demo_out/replayed.jsonl")
  echo "the same ${#acts[@]} alert ids"
}

# save_recording FOLDER: this run, for machines without BPF.
save_recording() {
  rm -rf "$1"
  mkdir -p "$1"
  cp "$demo_out/recording.plimsoll" "$1/"
  for name in redis postgres nginx; do
    zstd --quiet -19 -o "$1/$name.json.zst" "$demo_out/reports/$name.json"
  done
}

# replay_recording FOLDER: shows a saved run and checks its alerts.
replay_recording() {
  local reports name
  reports=$(mktemp -d)
  for name in redis postgres nginx; do
    zstd --quiet --decompress -o "$reports/$name.json" "$1/$name.json.zst"
  done
  "$plimsoll" agent --reports "$reports" --replay "$1/recording.plimsoll" --output json >"$alerts"
  rm -r "$reports"
  for act in "${acts[@]}"; do
    expect_alert "$act"
  done
  expect_nothing_else
}
