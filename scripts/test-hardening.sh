#!/usr/bin/env bash
# Holds the demo's real workloads to what `plimsoll profile harden` writes: seccomp, the listed capabilities and a read-only
# root by podman; AppArmor's own parser; a real kube-apiserver where scripts/kubernetes/build.sh has built one.
#   scripts/test-hardening.sh                   as root, after scripts/demo/images.sh
#   PLIMSOLL=FILE scripts/test-hardening.sh     with that command, building none
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top"
plimsoll=${PLIMSOLL:-$top/target/debug/plimsoll}
[ -n "${PLIMSOLL:-}" ] || cargo build --locked --quiet -p plimsoll-cli
# shellcheck source=scripts/demo/containers.sh
. "$top/scripts/demo/containers.sh"
use_containers "$top/target/demo"
# There is no systemd that could run health checks.
export DISABLE_HC_SYSTEMD=true
work=$(mktemp -d)
container=""
clean_up() {
  [ -z "$container" ] || podman rm --force --time 1 "$container" >/dev/null 2>&1 || true
  [ "$(type -t stop_all)" != function ] || stop_all
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM
say() { printf '== %s\n' "$*" >&2; }
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }

# inside COMMAND…: in the container's network.
inside() { nsenter --net --target "$pid" "$@"; }
# until_true COMMAND…: at most half a minute.
until_true() {
  local end=$((SECONDS + 30))
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || fail "$image $how: $* never succeeded: $(podman logs "$container" 2>&1 | tail -n 3)"
    sleep 0.2
  done
}

work_of() {
  case $1 in
    redis)
      until_true inside redis-cli ping
      inside redis-benchmark -q -n 5000 -t get,set,lpush | tr '\r' '\n' | grep -c 'requests per second' | grep -qx 3
      [ "$(inside redis-cli SAVE)" = OK ] || fail "redis $how: SAVE"
      ;;
    nginx)
      until_true inside curl -fs http://127.0.0.1/
      inside ab -q -n 2000 -c 20 http://127.0.0.1/ 2>&1 | grep -q 'Failed requests: *0$' || fail "nginx $how: ab"
      ;;
    postgres)
      export PGHOST=127.0.0.1 PGUSER=postgres
      until_true inside psql -c 'select 1'
      inside pgbench -i -q postgres 2>/dev/null
      inside pgbench -T 2 -c 4 postgres 2>/dev/null | grep -q 'failed transactions: 0 ' || fail "postgres $how: pgbench"
      inside psql -qAtc 'vacuum analyze' && inside psql -qAtc checkpoint
      ;;
  esac
}

for image in redis nginx postgres; do
  "$plimsoll" scan "oci:target/demo/images/$image" --skip-vulnerabilities -o "json=$work/$image.json"
  for format in seccomp apparmor kubernetes; do
    "$plimsoll" profile harden "report:$work/$image.json" --format "$format" --name "$image" >"$work/$image.$format"
  done
  capabilities=$(sed -n 's/^            - //p' "$work/$image.kubernetes" | paste -sd,)
  mapfile -t folders < <(sed -n 's/.*mountPath: "\(.*\)"/\1/p' "$work/$image.kubernetes")
  for how in seccomp read-only; do
    options=(--security-opt "seccomp=$work/$image.seccomp" --env POSTGRES_HOST_AUTH_METHOD=trust)
    if [ $how = read-only ]; then
      options+=(--security-opt no-new-privileges --cap-drop ALL --cap-add "$capabilities" --read-only --read-only-tmpfs=false)
      # As an emptyDir is: nothing of the image's folder is in it.
      for folder in "${folders[@]}"; do options+=(--tmpfs "$folder:rw,mode=1777,notmpcopyup"); done
    fi
    container=$(podman run --detach "${options[@]}" "localhost/plimsoll-demo/$image:latest")
    pid=$(podman inspect --format '{{.State.Pid}}' "$container")
    work_of "$image"
    grep -qx 'Seccomp:[[:space:]]2' "/proc/$pid/status" || fail "$image $how: no filter"
    podman rm --force --time 1 "$container" >/dev/null
    container=""
    echo "$image $how: works"
  done
done

if command -v apparmor_parser >/dev/null; then
  for image in redis nginx postgres; do
    apparmor_parser --skip-kernel-load --skip-cache "$work/$image.apparmor" 2>/dev/null || fail "$image: AppArmor's parser"
    echo "$image apparmor: accepted"
  done
else
  echo "SKIPPED apparmor: apparmor_parser is not installed (package apparmor)" >&2
fi

binaries=$top/target/kubernetes
if [ -x "$binaries/kube-apiserver" ] && command -v etcd >/dev/null; then
  PATH=$binaries:$PATH
  # shellcheck source=scripts/kubernetes/cluster.sh
  . "$top/scripts/kubernetes/cluster.sh"
  say "etcd and kube-apiserver"
  make_authority
  # Nobody listens there, and nothing here reads what is posted.
  audit_back_end http://127.0.0.1:9 none
  start_cluster "$binaries"
  kubectl create namespace shop >/dev/null
  for image in redis nginx postgres; do
    kubectl create --namespace shop --dry-run=server --validate=strict --filename "$work/$image.kubernetes" --output name
  done
else
  echo "SKIPPED kubernetes: scripts/kubernetes/build.sh has built no kube-apiserver" >&2
fi
