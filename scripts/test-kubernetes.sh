#!/usr/bin/env bash
# Admission in front of a real kube-apiserver (with etcd) on loopback: what is refused, admitted, warned of, and what
# happens when the webhook is gone.
#   scripts/test-kubernetes.sh     needs etcd, kubectl, openssl, curl, jq, go; builds the API server at the first run
# PLIMSOLL (default target/debug/plimsoll) is the program under test; PLIMSOLL_CACHE keeps the API server.
set -euo pipefail
cd "$(dirname "$0")/.."

for tool in etcd kubectl openssl curl jq; do
  command -v "$tool" >/dev/null || { echo "error: $tool is missing; hint: apt-get install etcd-server kubernetes-client openssl curl jq" >&2; exit 2; }
done
cache=${PLIMSOLL_CACHE:-$HOME/.cache/plimsoll}/kubernetes
scripts/kubernetes/build-apiserver.sh "$cache"
plimsoll=${PLIMSOLL:-target/debug/plimsoll}
[ -x "$plimsoll" ] || cargo build -p plimsoll-cli

work=$(mktemp -d)
pids=()
finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait || true
  rm -rf "$work"
}
trap finish EXIT
here=$PWD
checks=0
fail() {
  echo "FAILED: $*" >&2
  tail -n 20 "$work"/*.log >&2
  exit 1
}
passed() { checks=$((checks + 1)); echo "ok  $*"; }

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
wait_for() { # wait_for SECONDS COMMAND…
  local until=$((SECONDS + $1)); shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $until ] || fail "waited in vain for: $*"
    sleep 0.2
  done
}

# --- certificates: one authority, one certificate for 127.0.0.1, a key for service accounts
cd "$work"
openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -subj /CN=test-ca -days 2 2>/dev/null
openssl req -newkey rsa:2048 -nodes -keyout tls.key -out tls.csr -subj /CN=127.0.0.1 2>/dev/null
printf 'subjectAltName=IP:127.0.0.1\n' >san
openssl x509 -req -in tls.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile san -out tls.crt 2>/dev/null
openssl genrsa -out sa.key 2048 2>/dev/null
openssl rsa -in sa.key -pubout -out sa.pub 2>/dev/null
echo 'secret-token,admin,1,system:masters' >tokens.csv

# --- etcd and the API server
etcd_port=$(free_port); peer_port=$(free_port); api_port=$(free_port)
etcd --data-dir etcd --listen-client-urls "http://127.0.0.1:$etcd_port" --advertise-client-urls "http://127.0.0.1:$etcd_port" \
  --listen-peer-urls "http://127.0.0.1:$peer_port" >etcd.log 2>&1 &
pids+=($!)
"$cache/kube-apiserver" --etcd-servers="http://127.0.0.1:$etcd_port" --bind-address=127.0.0.1 --secure-port="$api_port" \
  --tls-cert-file=tls.crt --tls-private-key-file=tls.key --service-account-key-file=sa.pub \
  --service-account-signing-key-file=sa.key --service-account-issuer=https://localhost --token-auth-file=tokens.csv \
  --authorization-mode=RBAC --service-cluster-ip-range=10.0.0.0/24 --cert-dir="$work" --advertise-address=127.0.0.1 \
  --endpoint-reconciler-type=none --disable-admission-plugins=ServiceAccount >apiserver.log 2>&1 &
pids+=($!)
export KUBECONFIG=$work/kubeconfig
kubectl config set-cluster test --server="https://127.0.0.1:$api_port" --certificate-authority="$work/ca.crt" --embed-certs >/dev/null
kubectl config set-credentials admin --token=secret-token >/dev/null
kubectl config set-context test --cluster=test --user=admin >/dev/null
kubectl config use-context test >/dev/null
wait_for 60 kubectl get --raw /readyz
kubectl create namespace shop >/dev/null
kubectl create namespace strict >/dev/null
echo "kube-apiserver $(kubectl version -o json 2>/dev/null | jq -r .serverVersion.gitVersion) is ready after ${SECONDS} s"

# --- the server, a user's token, scan reports
"$here/$plimsoll" serve --listen 127.0.0.1:0 --data "$work/data" --tls-cert tls.crt --tls-key tls.key --skip-scan-queue \
  >serve.out 2>serve.log &
server=$!
pids+=($server)
wait_for 20 grep -q listening serve.out
url=$(sed -n 's/^listening on //p' serve.out)
password=$(sed -n 's/^one-time password of admin: //p' serve.out)
call() { # call METHOD PATH [JSON]
  local answer
  answer=$(curl -sS --fail-with-body --cacert ca.crt -b cookies -c cookies -X "$1" -H "x-csrf-token: ${csrf:-}" \
    -H 'content-type: application/json' ${3:+--data-binary "$3"} "$url/api/v1$2") || fail "$1 $2: $answer"
  printf '%s' "$answer"
}
csrf=$(call POST /session "{\"name\": \"admin\", \"password\": \"$password\"}" | jq -r .csrf_token)
call POST /me/password "{\"current\": \"$password\", \"new\": \"entirely new words\"}"
report() { # report REFERENCE NUMBER stopped|clean
  jq --arg reference "$1" --arg digest "sha256:$(printf '%064d' "$2")" --arg kind "$3" \
    '.image.reference = $reference | .image.config_digest = $digest | .profile.config_digest = $digest
     | .image.manifest_digest = ($digest | sub("sha256:0"; "sha256:f")) | if $kind == "clean" then .matches = [] else . end' \
    "$here/scripts/kubernetes/report.json"
}
stopped=127.0.0.1:5000/team/redis:1
clean=127.0.0.1:5000/team/clean:1
call POST /scans "$(report $stopped 1 stopped)" >/dev/null
call POST /scans "$(report $clean 2 clean)" >/dev/null
call PUT /settings '{"unknown_image": "warn", "unknown_image_by_namespace": {"strict": "deny"}, "exempt_namespaces": ["kube-system"], "alert_retention_days": 90}' >/dev/null

hook() { # hook Fail|Ignore
  sed "s|CA_BUNDLE|$(base64 -w0 ca.crt)|; s|WEBHOOK_URL|$url/admission/v1/review|; s|FAILURE_POLICY|$1|" \
    "$here/scripts/kubernetes/webhook.yaml" | kubectl apply -f - >/dev/null
}
refuses() { # refuses WORD COMMAND…: it must fail and say WORD
  local word=$1 said; shift
  if said=$("$@" 2>&1); then fail "admitted: $* ($said)"; fi
  [[ $said == *"$word"* ]] || fail "refused without saying '$word': $said"
}
admits() { # admits WORD COMMAND…: it must work and say WORD
  local word=$1 said; shift
  said=$("$@" 2>&1) || fail "refused: $* ($said)"
  [[ $said == *"$word"* ]] || fail "admitted without saying '$word': $said"
}
workload() { # workload KIND IMAGE: that object alone, as JSON
  sed "s|IMAGE|$2|" "$here/scripts/kubernetes/workloads.yaml" | kubectl create --dry-run=client -o json -f - |
    jq -s --arg kind "$1" 'map(if .kind == "List" then .items[] else . end) | .[] | select(.kind == $kind)'
}
create() { workload "$1" "$2" | kubectl create -f -; }
decisions() { call GET "/admission-decisions?limit=500$1" | jq '.rows | length'; }

hook Fail
# The API server takes a moment to see a new webhook.
wait_for 20 bash -c "! kubectl run probe -n shop --image=$stopped --dry-run=server"

for kind in Pod PodTemplate ReplicationController Deployment ReplicaSet StatefulSet DaemonSet Job CronJob; do
  refuses "CVE-2024-1 in openssl 3.0.11-1" create "$kind" "$stopped"
  admits "created" create "$kind" "$clean"
  passed "$kind: stopped image refused, clean image admitted"
done

before=$(decisions "")
refuses "stopped by policy default" kubectl run dry -n shop --image=$stopped --dry-run=server
[ "$(decisions "")" = "$before" ] || fail "a dry run was recorded"
passed "a dry run is judged and leaves no trace"

admits "tag can move" kubectl run tagged -n shop --image=$clean
admits "created" kubectl run pinned -n shop --image="127.0.0.1:5000/team/clean@sha256:$(printf '%064d' 2)"
refuses "stopped" kubectl run pinned2 -n shop --image="127.0.0.1:5000/team/clean:1@sha256:$(printf '%064d' 1)"
passed "a digest decides, a tag is warned of"

admits "has not been scanned" kubectl run unknown -n shop --image=127.0.0.1:5000/team/unknown:1
refuses "namespace strict requires" kubectl run unknown -n strict --image=127.0.0.1:5000/team/unknown:1
passed "unknown images: warned of in shop, refused in strict"

refuses "stopped" kubectl debug w-pod -n shop --image=$stopped --container=debugger
admits "" kubectl debug w-pod -n shop --image=$clean --container=debugger
passed "ephemeral containers are judged"

refuses "stopped" kubectl set image -n shop deployment/w-deployment c=$stopped
waiver=$(call POST /waivers '{"rule": null, "subject": "CVE-2024-1", "image": "*/team/redis:*", "reason": "not reachable", "owner": "ann", "until": "2999-01-01"}' | jq -r .id)
admits "image updated" kubectl set image -n shop deployment/w-deployment c=$stopped
passed "a waiver admits"
call DELETE "/waivers/$waiver"
admits "scaled" kubectl scale -n shop deployment/w-deployment --replicas=1
admits "labeled" kubectl label -n shop deployment/w-deployment team=blue
refuses "stopped" create Job "$stopped"
passed "without the waiver, what runs stays changeable and nothing new gets in"

kill -9 $server
wait $server 2>/dev/null || true
refuses "failed calling webhook" kubectl run gone -n shop --image=$clean
hook Ignore
wait_for 20 kubectl run gone -n shop --image=$clean
passed "the webhook is gone: failurePolicy Fail refuses, Ignore admits"

echo "$checks groups of checks passed against a real API server in ${SECONDS} s"
