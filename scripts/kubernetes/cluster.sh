# Sourced: a real etcd and kube-apiserver on free ports of loopback, everything of theirs below $work. What is started goes
# into the array `running` and is stopped by id.

running=()
stop_all() {
  local pid
  for pid in "${running[@]}"; do
    kill -CONT "$pid" 2>/dev/null || true
    kill "$pid" 2>/dev/null || true
  done
  for pid in "${running[@]}"; do
    wait "$pid" 2>/dev/null || true
  done
}

# wait_for WHAT COMMAND…: repeats the command until it succeeds, at most a minute.
wait_for() {
  local what=$1 end=$((SECONDS + 60))
  shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || fail "$what did not happen within a minute"
    sleep 0.1
  done
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# certificate NAME [PREFIX…]: NAME.crt and NAME.key for 127.0.0.1, signed by ca.crt; PREFIX may turn the clock.
certificate() {
  local name=$1
  shift
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/$name.key" -out "$work/$name.csr" \
    -subj /CN=127.0.0.1 2>/dev/null
  "$@" openssl x509 -req -in "$work/$name.csr" -CA "$work/ca.crt" -CAkey "$work/ca.key" -CAcreateserial -days 2 \
    -extfile <(echo subjectAltName=IP:127.0.0.1) -out "$work/$name.crt" 2>/dev/null
}

# audit_back_end URL TOKEN: configuration by which the API server posts its audit events there.
audit_back_end() {
  jq -n '{apiVersion: "audit.k8s.io/v1", kind: "Policy", omitStages: ["RequestReceived"], rules: [
    {level: "RequestResponse", resources: [{group: "rbac.authorization.k8s.io"}, {group: "", resources: ["pods"]}]},
    {level: "Metadata"}]}' >"$work/audit-policy.json"
  jq -n --arg url "$1" --arg token "$2" --arg ca "$work/ca.crt" '{apiVersion: "v1", kind: "Config",
    clusters: [{name: "plimsoll", cluster: {server: $url, "certificate-authority": $ca}}],
    users: [{name: "api-server", user: {token: $token}}],
    contexts: [{name: "audit", context: {cluster: "plimsoll", user: "api-server"}}],
    "current-context": "audit"}' >"$work/audit-back-end.json"
}

# make_authority: ca.crt, which signs every certificate of the test.
make_authority() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/ca.key" -out "$work/ca.crt" \
    -subj /CN=test-ca -days 30 2>/dev/null
}

# start_cluster BINARIES: exports KUBECONFIG, whose user ann may do everything.
start_cluster() {
  local binaries=$1 etcd_port peer_port api_port
  certificate api
  openssl ecparam -name prime256v1 -genkey -noout -out "$work/accounts.key" 2>/dev/null
  openssl ec -in "$work/accounts.key" -pubout -out "$work/accounts.pub" 2>/dev/null
  local token
  token=$(openssl rand -hex 16)
  echo "$token,ann,ann,system:masters" >"$work/tokens.csv"

  etcd_port=$(free_port)
  peer_port=$(free_port)
  etcd --data-dir "$work/etcd" --unsafe-no-fsync --listen-client-urls "http://127.0.0.1:$etcd_port" \
    --advertise-client-urls "http://127.0.0.1:$etcd_port" --listen-peer-urls "http://127.0.0.1:$peer_port" \
    >"$work/etcd.log" 2>&1 </dev/null &
  running+=($!)
  api_port=$(free_port)
  "$binaries/kube-apiserver" --etcd-servers="http://127.0.0.1:$etcd_port" --bind-address=127.0.0.1 \
    --secure-port="$api_port" --advertise-address=127.0.0.1 --endpoint-reconciler-type=none \
    --tls-cert-file="$work/api.crt" --tls-private-key-file="$work/api.key" --cert-dir="$work" \
    --service-account-key-file="$work/accounts.pub" --service-account-signing-key-file="$work/accounts.key" \
    --service-account-issuer=https://localhost --token-auth-file="$work/tokens.csv" --authorization-mode=RBAC \
    --service-cluster-ip-range=10.0.0.0/24 --disable-admission-plugins=ServiceAccount --allow-privileged=true \
    --audit-policy-file="$work/audit-policy.json" --audit-log-path="$work/audit.jsonl" \
    --audit-webhook-config-file="$work/audit-back-end.json" --audit-webhook-batch-max-wait=1s \
    >"$work/apiserver.log" 2>&1 </dev/null &
  running+=($!)

  export KUBECONFIG=$work/kubeconfig
  kubectl config set-cluster test --server="https://127.0.0.1:$api_port" --certificate-authority="$work/ca.crt" >/dev/null
  kubectl config set-credentials ann --token="$token" >/dev/null
  kubectl config set-context test --cluster=test --user=ann >/dev/null
  kubectl config use-context test >/dev/null
  wait_for "an answer of the API server" kubectl get --raw /readyz
  wait_for "namespace kube-system" kubectl get namespace kube-system
}

# hook URL [FAILURE_POLICY]: the example of deploy/ with that address.
hook() {
  kubectl create -f "$top/deploy/kubernetes/webhook.yaml" --dry-run=client -o json |
    jq --arg url "$1" --arg policy "${2:-Fail}" --arg authority "$(base64 -w0 "$work/ca.crt")" \
      '.webhooks[].clientConfig = {url: $url, caBundle: $authority} | .webhooks[].failurePolicy = $policy
       | .webhooks[].timeoutSeconds = 5' |
    kubectl apply -f - >/dev/null
}

# create KIND IMAGE [INIT_IMAGE] [OPTION…]: one object of that kind; the init container has image $fixed otherwise.
create() {
  local kind=$1 image=$2 init_image=${3:-$fixed}
  shift 2
  [ $# -eq 0 ] || shift
  jq -n --arg kind "$kind" --arg image "$image" --arg init_image "$init_image" -f "$here/workloads.jq" |
    kubectl create -f - "$@"
}
