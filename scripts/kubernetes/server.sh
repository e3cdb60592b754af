# Sourced: real images in a real registry, and plimsoll as its users start it.

# The version that Debian had before it fixed CVE-2025-49844.
readonly old_version='5:7.0.15-1~deb12u5'

# make_images: the demo's redis as $fixed, and with the package database of an old redis as $old, which has a vulnerability.
make_images() {
  local layout=$work/images blob
  "$top/scripts/demo/images.sh"
  skopeo copy --quiet "oci:$top/target/demo/images/redis:latest" "oci:$layout:fixed"
  umoci tag --image "$layout:fixed" old
  # The last layer that holds the package database has it as the image shows it.
  for blob in $(skopeo inspect "oci:$layout:fixed" | jq -r '.Layers[] | sub(":"; "/")'); do
    if tar -xzOf "$layout/blobs/$blob" var/lib/dpkg/status >"$work/status.layer" 2>/dev/null; then
      mv "$work/status.layer" "$work/status"
    fi
  done
  mkdir -p "$work/layer/var/lib/dpkg"
  sed -E "/^Package: redis-/,/^\$/ s/^Version: .*/Version: $old_version/" "$work/status" >"$work/layer/var/lib/dpkg/status"
  tar -C "$work/layer" -cf "$work/layer.tar" --owner=0 --group=0 var/lib/dpkg/status
  umoci raw add-layer --image "$layout:old" "$work/layer.tar" >/dev/null
  start_registry "$work/registry"
  running+=("$registry_pid")
  fixed=$registry_address/shop/redis:fixed
  old=$registry_address/shop/redis:old
  push_as fixed "$fixed"
  push_as old "$old"
}

# push_as TAG REFERENCE: an image of that layout; prints nothing.
push_as() { skopeo copy --quiet --dest-tls-verify=false "oci:$work/images:$1" "docker://$2"; }

# digest_of REFERENCE: of its manifest, as the registry says.
digest_of() { skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$1"; }

# start_webhook COMMAND…: a server on a free port; sets webhook_pid and webhook_url.
start_webhook() {
  local out=$work/server.$((++servers))
  "$@" --listen 127.0.0.1:0 >"$out.out" 2>"$out.log" </dev/null &
  webhook_pid=$!
  running+=("$webhook_pid")
  wait_for "start of ${*: -4}" grep -q ^listening "$out.out"
  webhook_url=$(sed -n 's/^listening on //p' "$out.out")
}

# call METHOD PATH: the API, with the token in $token; the body of anything but GET and DELETE is standard input.
call() {
  local body=()
  case $1 in GET | DELETE) ;; *) body=(-H 'content-type: application/json' --data-binary @-) ;; esac
  curl -sS --fail-with-body --cacert "$work/ca.crt" -X "$1" -H "authorization: Bearer $token" "${body[@]}" \
    "$server_url/api/v1/$2"
}

# scan EXPECTED REFERENCE: reads the image from the registry, judges it as CI would, and hands the report to the server.
scan() {
  local code=0
  PLIMSOLL_TOKEN=$token "$plimsoll" scan "$2" --policy default --server "$server_url" --server-ca "$work/ca.crt" \
    --output table="$work/scan.log" 2>>"$work/scan.log" || code=$?
  [ $code = "$1" ] || fail "scan of $2 ended with $code, not $1"
}
