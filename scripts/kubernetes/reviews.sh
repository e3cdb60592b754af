# Sourced: what this API server sends to a webhook, compared with web/tests/fixtures/reviews, which `cargo test` replays.

reviews=$top/web/tests/fixtures/reviews
# The fixtures' own names: nothing is pulled, and nothing is judged here.
readonly recorded_image=127.0.0.1:5000/team/redis:1 recorded_init=127.0.0.1:5000/team/init:1
readonly recorded_clean=127.0.0.1:5000/team/clean:1

# record NAME COMMAND…: the one review that the command causes, as NAME.json.
record() {
  local name=$1 review
  shift
  recorded=$((recorded + 1))
  review=$(printf '%s/arrived/%04d.json' "$work" "$recorded")
  "$@" >"$work/record.log" 2>&1 || fail "$name: $(cat "$work/record.log")"
  [ -e "$review" ] || fail "$name: the API server asked nobody"
  jq -f "$here/scrub.jq" "$review" >"$work/recorded/$name.json"
}

create_recorded() { create "$1" "$recorded_image" "$recorded_init" "${@:2}"; }
run_clean() { kubectl run debugged --namespace shop --image "$recorded_clean"; }
debug() { kubectl debug debugged --namespace shop --image "$recorded_image" --container debugger --quiet; }
apply() {
  jq -n --arg kind Deployment --arg image "$recorded_image" --arg init_image "$recorded_init" -f "$here/workloads.jq" |
    jq '.metadata.name = "applied"' | kubectl apply --server-side -f -
}

record_all() {
  local kind recorder
  mkdir "$work/arrived" "$work/recorded"
  recorded=0
  python3 "$here/record.py" "$work/arrived" "$work/api.crt" "$work/api.key" >"$work/recorder.out" 2>"$work/recorder.log" &
  recorder=$!
  running+=("$recorder")
  wait_for "the recorder's port" grep -q . "$work/recorder.out"
  hook "https://127.0.0.1:$(cat "$work/recorder.out")/"
  wait_for "the first review" eval \
    'kubectl run probe --namespace shop --image "$recorded_clean" --dry-run=server && [ -e "$work/arrived/0001.json" ]'
  recorded=$(find "$work/arrived" -name '*.json' | wc -l)

  record deployment-dry-run create_recorded Deployment --dry-run=server
  for kind in "${kinds[@]}"; do
    record "${kind,,}" create_recorded "$kind"
  done
  record pod-clean run_clean
  record ephemeral debug
  record deployment-apply apply
  record deployment-label kubectl label --namespace shop deployment/redis team=blue
  record deployment-image kubectl set image --namespace shop deployment/redis "redis=$recorded_clean"
  record job-from-cronjob kubectl create job --namespace shop --from=cronjob/redis now

  kubectl delete validatingwebhookconfiguration plimsoll >/dev/null
  kubectl delete --namespace shop --all --wait=false --force --grace-period=0 \
    pods,podtemplates,rc,deployments,replicasets,statefulsets,daemonsets,jobs,cronjobs >/dev/null 2>&1
  kill "$recorder"
}
