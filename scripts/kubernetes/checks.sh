# Sourced: one function per thing that a user of the cluster relies on.

passed=0
say() { printf '\n== %3d s  %s\n' "$((SECONDS - started))" "$*"; }
ok() {
  passed=$((passed + 1))
  echo "ok  $*"
}
fail() {
  echo "FAILED: $*" >&2
  tail -n 15 "$work"/*.log >&2
  exit 1
}

# refused WORD COMMAND…: it must fail and say WORD; what was said is in $said.
refused() {
  local word=$1
  shift
  if said=$("$@" 2>&1); then fail "admitted: $*: $said"; fi
  [[ $said == *"$word"* ]] || fail "refused without saying '$word': $said"
}

# admitted WORD COMMAND…: it must work and say WORD; what was said is in $said.
admitted() {
  local word=$1
  shift
  said=$("$@" 2>&1) || fail "refused: $*: $said"
  [[ $said == *"$word"* ]] || fail "admitted without saying '$word': $said"
}

# eventually WORD COMMAND…: repeats it until it says WORD. The API server hears of a changed webhook by itself.
eventually() {
  local word=$1
  shift
  wait_for "'$word' from $*" says "$word" "$@"
}
says() {
  local word=$1
  shift
  [[ $("$@" 2>&1) == *"$word"* ]]
}

# try_image NAME NAMESPACE IMAGE: a pod that is judged and not made.
try_image() { kubectl run "$1" --namespace "$2" --image "$3" --dry-run=server; }
decisions() { call GET "admission-decisions?limit=500" | jq -c '[.rows[].decision]'; }
set_image() { kubectl set image --namespace shop deployment/redis "redis=$1"; }

compare_reviews() {
  if [ "$1" = --save-reviews ]; then
    cp "$work/recorded"/*.json "$reviews/"
    ok "$(find "$work/recorded" -name '*.json' | wc -l) reviews saved"
    return
  fi
  local review
  for review in "$work/recorded"/*.json; do
    diff -u "$reviews/$(basename "$review")" "$review" ||
      fail "this API server sends another review than the recorded one: see --save-reviews"
  done
  ok "the reviews that cargo test replays are what this API server sends"
}

check_queue() {
  admitted "admitted while its scan waits" kubectl run curious --namespace lab --image "$old"
  eventually "stopped by policy" try_image curious2 lab "$old"
  ok "queue: an image that nobody scanned is admitted with a warning, scanned by the server, and then refused"
}

check_kinds() {
  local kind
  for kind in "${kinds[@]}"; do
    refused "CVE-2025-49844 in redis-server $old_version" create "$kind" "$old"
    [[ $said == *"5:7.0.15-1~deb12u6 fixes it"* && $said == *"container redis"* ]] || fail "$said"
    refused "of container prepare is stopped" create "$kind" "$fixed" "$old"
    admitted created create "$kind" "$fixed"
    if [ "$kind" = Deployment ]; then admitted_said=$said; fi
    ok "$kind: refused for its container, refused for its init container, admitted with the fixed image"
  done
  refused stopped create Deployment "$old"
  printf '\nWhat the developer reads when it is refused:\n%s\n' "$said"
  printf '\nand when it is admitted:\n%s\n\n' "$admitted_said"
}

check_update() {
  refused "stopped by policy" set_image "$old"
  admitted labeled kubectl label --namespace shop deployment/redis team=blue
  ok "update: a stopped image cannot come in, and everything else may change"
}

check_waiver() {
  waiver=$(jq -n --arg until "$(date -u -d '+5 days' +%F)" '{rule: null, subject: "CVE-2025-49844",
    image: "*/shop/redis:old", reason: "no user may run scripts", owner: "ann", until: $until}' |
    call POST waivers | jq -er .id)
  admitted "image updated" set_image "$old"
  kubectl delete --namespace shop deployment/redis >/dev/null
  admitted created create Deployment "$old"
  printf '\nA waived image, as the developer sees it:\n%s\n\n' "$said"
  decisions | jq -e '.[0].allowed and (.[0].images | tostring | contains("waived by"))' >/dev/null ||
    fail "the decision does not say who waived: $(decisions | jq -c '.[0]')"
  ok "waiver: the stopped image is admitted, and the record says by which waiver"
}

# Without the waiver, what runs stays changeable.
end_waiver() {
  call DELETE "waivers/$waiver"
  refused "stopped by policy" create Job "$old"
  admitted scaled kubectl scale --namespace shop deployment/redis --replicas=1
  admitted labeled kubectl label --namespace shop deployment/redis team=red
  ok "after the waiver: nothing new gets in, what runs can be scaled and labelled"
}

check_digest_and_tag() {
  local digest
  digest=$(digest_of "$fixed")
  admitted "$digest; a tag can move" try_image tagged shop "$fixed"
  admitted created try_image pinned shop "${fixed%:*}@$digest"
  [[ $said != *"can move"* ]] || fail "a digest does not move: $said"
  refused stopped try_image mixed shop "$fixed@$(digest_of "$old")"
  ok "digest: it decides alone; a tag is judged as scanned last, with a warning that names the digest"
  local moving=${fixed%:*}:stable
  push_as old "$moving"
  scan 1 "$moving"
  refused stopped try_image moving shop "$moving"
  push_as fixed "$moving"
  scan 0 "$moving"
  admitted created try_image moving shop "$moving"
  refused stopped try_image moving shop "${fixed%:*}@$(digest_of "$old")"
  ok "plimsoll scan --policy default ends with 1 for the image that the cluster refuses, with 0 for the other"
  ok "tag: after it moved and was scanned again, its new image counts, and the old one's digest stays refused"
}

check_unknown() {
  admitted "has not been scanned and is admitted unseen" try_image unknown shop "$registry_address/shop/new:1"
  refused "has not been scanned, which namespace strict requires" try_image unknown strict "$registry_address/shop/new:1"
  [[ $said == *"plimsoll scan"* ]] || fail "it does not say what to do: $said"
  admitted created try_image exempt exempt "$old"
  admitted created try_image system kube-system "$old"
  ok "unknown image: a warning in shop, refused in strict; namespaces that are left out are left out"
}

check_ephemeral() {
  admitted created kubectl run debugged --namespace shop --image "$fixed"
  refused "stopped by policy" kubectl set image --namespace shop pod/debugged "debugged=$old"
  refused "of container debugger is stopped" \
    kubectl debug debugged --namespace shop --image "$old" --container debugger --quiet
  admitted "" kubectl debug debugged --namespace shop --image "$fixed" --container debugger --quiet
  ok "kubectl debug: refused with a stopped image, admitted with the fixed one"
}

check_hostile() {
  local pod='{apiVersion: "v1", kind: "Pod", metadata: {name: "hostile", namespace: "shop"}, spec: {containers: $containers}}'
  refused "has no valid reference" kubectl create -f <(jq -n \
    '[{name: "c", image: "a\u001b[31mred\nError from server: no"}] as $containers | '"$pod")
  [[ $said != *$'\e'* && $(wc -l <<<"$said") = 1 ]] || fail "what the object says reaches the terminal: $said"
  refused "too many containers" kubectl create -f <(jq -n --arg image "$fixed" \
    '[range(501) | {name: "c\(.)", image: $image}] as $containers | '"$pod")
  ok "hostile objects: an image's name reaches no terminal as it is, and 501 containers are too many"
}

check_dry_run() {
  local before
  before=$(decisions)
  refused "stopped by policy" try_image dry shop "$old"
  admitted "its scan waits" try_image dry lab "$registry_address/shop/never:1"
  [ "$(decisions)" = "$before" ] || fail "a dry run was recorded"
  call GET scan-requests | jq -e '[.rows[].reference] | all(contains("never") | not)' >/dev/null ||
    fail "a dry run was queued"
  refused "stopped by policy" kubectl run wet --namespace shop --image "$old"
  decisions | jq -e '.[0] | .user == "ann" and .kind == "Pod" and .name == "wet" and .namespace == "shop"
    and (.allowed | not)' >/dev/null || fail "not the decision that was made: $(decisions | jq -c '.[0]')"
  ok "dry run: judged, and neither recorded nor queued; the real thing is recorded with who asked"
}

# plimsoll admission alone, by a policy that judges objects beside images.
check_objects() {
  local policy=$top/rules/content/policy pod='{apiVersion: "v1", kind: "Pod", metadata: {name: "node", namespace: "shop"},
    spec: {containers: [{name: "c", image: $image}]}}'
  start_webhook "$plimsoll" admission --db "$work/data/plimsoll.db" --tls-cert "$work/webhook.crt" \
    --tls-key "$work/webhook.key" --policy "$policy/default.yaml" --policy "$policy/pod-security.yaml"
  hook "$webhook_url/admission/v1/review"
  eventually "set runAsNonRoot" try_image plain shop "$fixed"
  refused "a container is privileged" kubectl create -f <(jq -n --arg image "$fixed" \
    "$pod"' | .spec.containers[0].securityContext.privileged = true')
  refused "container engine's socket" kubectl create -f <(jq -n --arg image "$fixed" \
    "$pod"' | .spec.volumes = [{name: "s", hostPath: {path: "/run/containerd/containerd.sock"}}]')
  admitted "named by tag" kubectl create -f <(jq -n --arg image "$fixed" "$pod")
  ok "objects: a privileged pod and an engine's socket are refused, a plain pod is admitted with what it leaves open"
  hook "$server_url/admission/v1/review"
}

# The API server's audit webhook and its log, judged by the shipped rules.
check_audit() {
  local told
  kubectl create clusterrolebinding eve --clusterrole=cluster-admin --user=eve >/dev/null
  wait_for "the alert about cluster-admin" alerted "ann binds cluster-admin"
  told=$("$plimsoll" audit --cluster test "$work/audit.jsonl") || fail "the audit log is not read: $told"
  [[ $told == *"ann binds cluster-admin"* ]] || fail "the audit log says nothing of it: $told"
  ok "audit: a new cluster administrator is an alert, by the API server's webhook and from its log"
}
alerted() { call GET alerts | jq -e --arg words "$1" '[.rows[].summary] | any(contains($words))'; }

# plimsoll admission alone, over the server's database, nine days from now.
check_stale() {
  admitted created try_image waived shop "$old"
  # Not the command faketime: it stays between us and the server, which would outlive it.
  local library=(/usr/lib/*/faketime/libfaketimeMT.so.1)
  start_webhook env LD_PRELOAD="${library[0]}" FAKETIME=+9d FAKETIME_DONT_FAKE_MONOTONIC=1 "$plimsoll" admission \
    --db "$work/data/plimsoll.db" --tls-cert "$work/webhook.crt" --tls-key "$work/webhook.key"
  hook "$webhook_url/admission/v1/review"
  eventually "is 9 days old" try_image stale shop "$fixed"
  admitted "vulnerability data of $fixed is 9 days old" try_image stale shop "$fixed"
  refused "stopped by policy" try_image stale shop "$old"
  ok "nine days later: the fixed image is admitted with the warning that its data is stale, and the waiver is over"
  hook "$server_url/admission/v1/review"
  eventually created try_image fresh shop "$old"
  end_waiver
}

check_expired_certificate() {
  certificate expired faketime -f -10d
  start_webhook "$plimsoll" admission --db "$work/data/plimsoll.db" --tls-cert "$work/expired.crt" --tls-key "$work/expired.key"
  hook "$webhook_url/admission/v1/review"
  eventually "certificate has expired" try_image expired shop "$fixed"
  refused 'failed calling webhook "images.plimsoll.dev"' try_image expired shop "$fixed"
  ok "expired certificate: failurePolicy Fail refuses, and the API server says why"
  hook "$webhook_url/admission/v1/review" Ignore
  eventually created try_image expired shop "$old"
  ok "expired certificate: failurePolicy Ignore admits"
  hook "$webhook_url/admission/v1/review"
  eventually "certificate has expired" try_image expired shop "$fixed"
  cp "$work/webhook.key" "$work/expired.key"
  cp "$work/webhook.crt" "$work/expired.crt"
  eventually created try_image renewed shop "$fixed"
  refused "stopped by policy" try_image renewed shop "$old"
  ok "renewed certificate: read without a restart"
}

check_stuck() {
  hook "$server_url/admission/v1/review"
  eventually "stopped by policy" try_image moved shop "$old"
  kill -STOP "$server_pid"
  refused "context deadline exceeded" try_image stuck shop "$fixed"
  kill -CONT "$server_pid"
  admitted created try_image awake shop "$fixed"
  ok "stuck webhook: refused after its timeout, and all is well when it goes on"
}

check_gone() {
  kill -9 "$server_pid"
  wait "$server_pid" 2>/dev/null || true
  refused "connection refused" kubectl run gone --namespace shop --image "$fixed"
  admitted created kubectl run other --namespace kube-system --image "$fixed"
  hook "$server_url/admission/v1/review" Ignore
  eventually created try_image gone shop "$old"
  ok "webhook gone: Fail refuses in the namespaces that it covers, Ignore admits"
  start_webhook "$plimsoll" serve --data "$work/data" --tls-cert "$work/webhook.crt" --tls-key "$work/webhook.key"
  hook "$webhook_url/admission/v1/review"
  eventually "stopped by policy" try_image back shop "$old"
  ok "webhook back after kill -9: it knows what it knew"
}
