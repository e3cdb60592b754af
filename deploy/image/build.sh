#!/usr/bin/env bash
# Builds a container image that holds the plimsoll binary, the libraries that it is linked with, CA certificates, and
# nothing else: no shell, no package manager.
#   deploy/image/build.sh [TAG]     needs buildah and a built target/release/plimsoll (or BINARY=path); default tag localhost/plimsoll
set -euo pipefail
cd "$(dirname "$0")/../.."
tag=${1:-localhost/plimsoll:latest}
binary=${BINARY:-target/release/plimsoll}
[ -x "$binary" ] || { echo "error: $binary is missing; hint: make build" >&2; exit 2; }

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
install -D -m 0755 "$binary" "$root/usr/bin/plimsoll"
install -D -m 0644 LICENSE "$root/usr/share/doc/plimsoll/LICENSE"
install -D -m 0644 /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
# What the dynamic linker would load, at the same paths; a static binary needs none of it.
{ ldd "$binary" 2>/dev/null || true; } | grep -oE '/[^ ]+' | sort -u | while read -r library; do
  install -D -m 0755 "$(readlink -f "$library")" "$root$library"
done
mkdir -p "$root/var/lib/plimsoll" "$root/tmp"
chmod 1777 "$root/tmp"
# One time for all files, so that the same binary gives the same image.
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
find "$root" -exec touch -h -d "@$epoch" {} +

container=$(buildah from scratch)
trap 'rm -rf "$root"; buildah rm "$container" >/dev/null' EXIT
buildah copy -q "$container" "$root" / >/dev/null
# The agent overrides the user: it has to be root.
buildah config --user 65532:65532 --entrypoint '["/usr/bin/plimsoll"]' --cmd '["--help"]' --env SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
  --label org.opencontainers.image.title=plimsoll --label org.opencontainers.image.licenses=Apache-2.0 "$container"
buildah commit -q --timestamp "$epoch" "$container" "$tag" >/dev/null
echo "$tag"
