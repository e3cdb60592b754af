#!/usr/bin/env bash
# Admission in front of a real kube-apiserver and etcd on loopback: real images are scanned into a real server, and the
# API server refuses, admits and warns; then the webhook is stale, expired, stuck and gone.
#   scripts/test-kubernetes.sh                   as root on Debian 12; needs Go 1.24 or newer the first time
#   scripts/test-kubernetes.sh --save-reviews    also keeps the reviews of this API server as web/tests/fixtures/reviews
#   PLIMSOLL=FILE scripts/test-kubernetes.sh     with that command, building none
# Everything it builds and keeps is below target/. Two runs at once do not meet.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
here=$top/scripts/kubernetes
cd "$top"

"$top/scripts/install.sh" --kubernetes
binaries=$top/target/kubernetes
"$here/build.sh" "$binaries"
PATH=$binaries:$PATH
plimsoll=${PLIMSOLL:-$top/target/debug/plimsoll}
[ -n "${PLIMSOLL:-}" ] || cargo build --locked --quiet -p plimsoll-cli

work=$(mktemp -d)
servers=0
started=$SECONDS
kinds=(Pod PodTemplate ReplicationController Deployment ReplicaSet StatefulSet DaemonSet Job CronJob)
# shellcheck source=scripts/demo/registry.sh
. "$top/scripts/demo/registry.sh"
# shellcheck source=scripts/kubernetes/cluster.sh
. "$here/cluster.sh"
# shellcheck source=scripts/kubernetes/server.sh
. "$here/server.sh"
# shellcheck source=scripts/kubernetes/reviews.sh
. "$here/reviews.sh"
# shellcheck source=scripts/kubernetes/checks.sh
. "$here/checks.sh"
clean_up() {
  stop_all
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

say "images, registry, vulnerability data, plimsoll serve"
make_authority
make_images
"$plimsoll" db import --db "$work/vulnerabilities.db" "$here/advisories" >/dev/null
export PLIMSOLL_DB=$work/vulnerabilities.db
certificate webhook
start_webhook "$plimsoll" serve --data "$work/data" --tls-cert "$work/webhook.crt" --tls-key "$work/webhook.key"
server_pid=$webhook_pid server_url=$webhook_url
token=$("$plimsoll" token --data "$work/data" api --role admin --valid-days 1 test)

say "etcd and kube-apiserver"
audit_back_end "$server_url/api/v1/kubernetes/audit/test" "$token"
start_cluster "$binaries"
kubectl create namespace shop >/dev/null
kubectl create namespace strict >/dev/null
kubectl create namespace lab >/dev/null
kubectl create namespace exempt >/dev/null
echo "kube-apiserver $(kubectl version -o json | jq -r .serverVersion.gitVersion), $(etcd --version | head -n 1)"

say "what this API server sends"
record_all
compare_reviews "${1:-}"

say "the server judges"
jq -n '{unknown_image: "warn", unknown_image_by_namespace: {strict: "deny", lab: "queue"},
  exempt_namespaces: ["exempt"], alert_retention_days: 90}' | call PUT settings >/dev/null
scan 0 "$fixed"
hook "$server_url/admission/v1/review"
eventually "has not been scanned" try_image unscanned shop 127.0.0.1:9/nobody/knows:1

say "verdicts"
check_queue
check_kinds
check_update
check_digest_and_tag
check_unknown
check_ephemeral
check_hostile
check_dry_run
check_waiver

say "objects and requests"
check_objects
check_audit

say "when something is wrong"
check_stale
check_expired_certificate
check_stuck
check_gone

say "$passed checks held against a real API server"
