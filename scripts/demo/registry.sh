# Sourced: a real registry (Debian's docker-registry) on loopback, plain HTTP, data below one folder.

# start_registry FOLDER: sets registry_address and registry_pid once it answers.
start_registry() {
  local folder=$1 port try
  mkdir -p "$folder"
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  registry_address=127.0.0.1:$port
  cat >"$folder/config.yml" <<CONF
version: 0.1
log: { level: error, accesslog: { disabled: true } }
storage: { filesystem: { rootdirectory: $folder/data } }
http: { addr: $registry_address }
CONF
  docker-registry serve "$folder/config.yml" >"$folder/log" 2>&1 </dev/null &
  registry_pid=$!
  for try in $(seq 100); do
    if curl -fs -o /dev/null "http://$registry_address/v2/"; then
      return 0
    fi
    kill -0 "$registry_pid" 2>/dev/null || break
    sleep 0.05
  done
  echo "error: docker-registry did not start:" >&2
  tail -n 5 "$folder/log" >&2
  return 3
}

# push NAME: an image from the demo's storage to that registry, as NAME:1; its manifest digest goes to log/NAME.digest.
push() {
  skopeo copy --quiet --dest-tls-verify=false --dest-compress-level 1 --digestfile "$demo_out/log/$1.digest" \
    "$(stored "$1")" "docker://$registry_address/plimsoll-demo/$1:1" </dev/null
}
