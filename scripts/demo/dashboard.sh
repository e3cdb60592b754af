# Sourced: the server with its dashboard, fed by the demo's own scans and agent.

# start_server: a new server on a free port of loopback; sets server_url, server_password, server_pid and the tokens that
# a pipeline and an agent would be given.
start_server() {
  local said=$demo_out/log/server.txt
  rm -rf "$demo_out/server" "$demo_out/agent-state"
  "$plimsoll" serve --data "$demo_out/server" --listen "127.0.0.1:${PORT:-0}" --skip-scan-queue \
    >"$said" 2>"$demo_out/log/server.log" </dev/null &
  server_pid=$!
  wait_until "the server" sh -c "grep -q ^listening '$said' || ! kill -0 $server_pid"
  if ! kill -0 "$server_pid" 2>/dev/null; then
    cat "$demo_out/log/server.log" >&2
    return 5
  fi
  server_url=$(sed -n 's/^listening on //p' "$said")
  server_password=$(sed -n 's/^one-time password of admin: //p' "$said")
  PLIMSOLL_TOKEN=$("$plimsoll" token --data "$demo_out/server" api demo)
  export PLIMSOLL_TOKEN
  enrolment_token=$("$plimsoll" token --data "$demo_out/server" enrolment)
}

# ask PATH: what the server's API answers the demo's token.
ask() {
  curl --silent --show-error --fail --header "authorization: Bearer $PLIMSOLL_TOKEN" "$server_url/api/v1$1"
}

server_has_alerts() { [ "$(ask '/alerts?limit=100' | jq '.rows | length')" -ge "$1" ]; }

# The agent says about twice a minute which containers it holds to which profile.
agent_has_reported() { [ "$(ask /workloads | jq '[.rows[] | select(.profile)] | length')" -ge 3 ]; }

# check_dashboard: the pages are served, and hold what the demo made.
check_dashboard() {
  local script
  wait_until "every alert on the server" server_has_alerts "${#acts[@]}"
  wait_until "the agent's report" agent_has_reported
  script=$(curl --silent --fail "$server_url/" | sed -n 's/.*src="\(\/assets\/[^"]*\)".*/\1/p')
  curl --silent --fail --output /dev/null "$server_url$script"
  if [ "$(ask /images | jq '.rows | length')" != 3 ]; then
    echo "error: the server does not hold the three images" >&2
    return 5
  fi
  echo "dashboard: 3 images, $(ask '/alerts?limit=100' | jq '.rows | length') alerts, agent $(ask /agents | jq -r '.[0].node')"
}

# serve_until_interrupted: for a person at a terminal.
serve_until_interrupted() {
  cat <<TEXT

  Dashboard   $server_url
  Name        admin
  Password    $server_password   (works once; you choose your own then)

Ctrl-C stops it. Everything that the demo made is below ${demo_out#"$top"/}.
TEXT
  wait "$server_pid"
}
