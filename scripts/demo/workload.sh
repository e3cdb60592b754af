# Sourced: the three containers of the demo, their normal work, and the bad acts. Every function waits for what it
# started, so the order of events is the order of calls.

container_ids=()

# wait_until WHAT COMMAND…: repeats the command until it succeeds, at most 30 s.
wait_until() {
  local what=$1 try
  shift
  for try in $(seq 600); do
    if "$@" >/dev/null 2>&1; then
      return 0
    fi
    sleep 0.05
  done
  echo "error: $what did not happen within 30 s" >&2
  return 5
}

# start NAME [podman option…] -- [argument…]: runs the image from the registry in the background.
start() {
  local name=$1 options=()
  shift
  while [ $# -gt 0 ] && [ "$1" != -- ]; do
    options+=("$1")
    shift
  done
  container_ids+=("$(podman run --detach --tls-verify=false --name "plimsoll-demo-$name-$$" "${options[@]}" \
    "$registry_address/plimsoll-demo/$name:1" "${@:2}" 2>>"$demo_out/log/podman.log" </dev/null)")
}

# inside NAME COMMAND…: runs a program of this machine in the container's network, not as a process of the container.
inside() {
  local name=$1
  shift
  nsenter --net --target "$(podman inspect --format '{{.State.Pid}}' "plimsoll-demo-$name-$$")" "$@"
}

sql() {
  PGPASSWORD=demo inside postgres psql --host=127.0.0.1 --username=postgres --quiet --tuples-only --no-align "$@"
}

background_save_ended() { inside redis redis-cli INFO persistence | grep -q rdb_bgsave_in_progress:0; }
redis_answers() { [ "$(inside redis redis-cli PING)" = PONG ]; }

start_containers() {
  start redis --volume "$demo_out/acts:/acts:ro" -- redis-server --protected-mode no --enable-module-command yes
  start postgres --env POSTGRES_PASSWORD=demo --
  start nginx --volume "$demo_scripts/acts/nginx.conf:/etc/nginx/nginx.conf:ro" --
  wait_until "PING of redis" redis_answers
  wait_until "an HTTP answer of nginx" inside nginx curl -fs http://127.0.0.1/
  wait_until "an answer of postgres" sql --command 'select 1'
}

# What these programs do all day: nothing of it may raise an alert.
normal_work() {
  local tree
  inside redis redis-benchmark -q -n 100000 -c 20 -t get,set,lpush,incr >"$demo_out/log/redis-benchmark.log"
  inside redis redis-cli SAVE >/dev/null
  inside redis redis-cli BGSAVE >/dev/null
  wait_until "the end of redis' background save" background_save_ended
  podman healthcheck run "plimsoll-demo-redis-$$" >/dev/null

  tree=$(podman mount "plimsoll-demo-postgres-$$")
  PGPASSWORD=demo inside postgres chroot "$tree" /usr/lib/postgresql/15/bin/pgbench --host=127.0.0.1 --username=postgres \
    --initialize --quiet postgres >"$demo_out/log/pgbench.log" 2>&1
  PGPASSWORD=demo inside postgres chroot "$tree" /usr/lib/postgresql/15/bin/pgbench --host=127.0.0.1 --username=postgres \
    --client=4 --time=3 postgres >>"$demo_out/log/pgbench.log" 2>&1
  podman unmount "plimsoll-demo-postgres-$$" >/dev/null
  sql --command 'create extension dblink' --command 'vacuum analyze' --command 'checkpoint'

  inside nginx curl -fs 'http://127.0.0.1/?page=[1-200]' >/dev/null
  inside nginx curl -s -o /dev/null http://127.0.0.1/not-there
  podman kill --signal HUP "plimsoll-demo-nginx-$$" >/dev/null
  wait_until "an answer after nginx' reload" inside nginx curl -fs http://127.0.0.1/
}

# Refused by design of the module; what counts is what it did while it was loaded.
load_module() { inside redis redis-cli MODULE LOAD "/acts/$1.so" >/dev/null; }

act_foreign_module() { load_module shell; }
# What the module did.
act_shell_under_redis() { :; }
act_shell_by_exec() { podman exec "plimsoll-demo-redis-$$" sh -c id >/dev/null; }
act_copy_from_program() {
  sql --command 'create temp table output (line text)' --command "copy output from program 'id'"
}
act_dial_out() {
  local listener ready=$demo_out/log/listener
  inside postgres ip address add 10.77.0.1/32 dev lo
  inside postgres python3 "$demo_scripts/acts/listener.py" 10.77.0.1 4444 >"$ready" &
  listener=$!
  wait_until "the listener" grep -q listening "$ready"
  # The far end hangs up, so the statement fails; the connection was made.
  sql --command "select dblink_connect('host=10.77.0.1 port=4444 user=x password=x connect_timeout=5')" 2>"$demo_out/log/dial-out.txt" || true
  if ! wait "$listener"; then
    cat "$demo_out/log/dial-out.txt" >&2
    return 5
  fi
}
act_write_below_usr_bin() { inside nginx curl -fs 'http://127.0.0.1/trap?log=implant'; }
act_another_module() { load_module drop; }
# What that one did.
act_dropped_binary() { :; }

# The tools of the bad acts, made from their sources here.
make_acts() {
  local acts=$demo_scripts/acts
  mkdir -p "$demo_out/acts"
  cc -O1 -Wall -Wextra -Werror -shared -fPIC -DACT_SHELL -o "$demo_out/acts/shell.so" "$acts/module.c"
  cc -O1 -Wall -Wextra -Werror -shared -fPIC -DACT_DROP -o "$demo_out/acts/drop.so" "$acts/module.c"
  cc -O1 -Wall -Wextra -Werror -static -o "$demo_out/acts/payload" "$acts/payload.c"
  chmod 755 "$demo_out"/acts/*
}
