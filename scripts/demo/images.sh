#!/usr/bin/env bash
# Builds real redis, postgres and nginx images from Debian's packages, without any registry.
#   scripts/demo/images.sh [OUT]      OUT defaults to target/demo
# Leaves OUT/images/{redis,postgres,nginx} (OCI layouts, gzip; redis has no health check there, the format has no place for
# it), OUT/images/nginx-zstd (OCI layout, zstd) and
# OUT/images/redis.docker.tar (docker-archive). Does nothing when they are newer than their sources.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
out=${1:-$root/target/demo}
# shellcheck source=scripts/demo/containers.sh
. "$here/containers.sh"
mkdir -p "$out/images" "$out/log"
use_containers "$out"

# Two runs at once would build the same storage.
exec 9>"$out/images.lock"
flock 9

stamp=$out/images/.built
if [ -e "$stamp" ] && [ -z "$(find "$here/images" "$here/images.sh" -newer "$stamp" -print -quit)" ]; then
  exit 0
fi

if [ "$(id -u)" != 0 ]; then
  echo "error: building the images needs root (mmdebstrap and buildah change owners of files)" >&2
  echo "hint: run make demo as root" >&2
  exit 3
fi

# As Debian's slim images: no manuals, translations and documentation, and no waiting for the disk while unpacking.
base=$out/base.tar
if [ ! -e "$base" ]; then
  echo "making the base root filesystem" >&2
  mmdebstrap --quiet --mode=root --variant=minbase --skip=cleanup/apt/lists \
    --aptopt='Acquire::Languages "none"' \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --dpkgopt='force-unsafe-io' \
    bookworm "$out/base.new.tar" >"$out/log/mmdebstrap.log" 2>&1 </dev/null ||
    { tail -n 20 "$out/log/mmdebstrap.log" >&2; exit 3; }
  mv "$out/base.new.tar" "$base"
fi

# build NAME FORMAT: one image with one layer per instruction. Only Docker's format can hold a health check.
build() {
  buildah bud --quiet --layers --isolation chroot --format "$2" \
    --tag "localhost/plimsoll-demo/$1" "$here/images/$1" >"$out/log/build-$1.log" 2>&1 </dev/null ||
    { echo "error: failed to build the image $1:" >&2; tail -n 20 "$out/log/build-$1.log" >&2; return 3; }
  rm -rf "$out/images/$1"
  skopeo copy --quiet --dest-compress-level 1 "$(stored "$1")" "oci:$out/images/$1:latest" </dev/null
}

if ! buildah inspect localhost/plimsoll-demo/base >/dev/null 2>&1; then
  printf 'FROM scratch\nADD %s /\nCMD ["bash"]\n' "$(basename "$base")" >"$out/base.Containerfile"
  buildah bud --quiet --layers --format docker --tag localhost/plimsoll-demo/base \
    --file "$out/base.Containerfile" "$out" >"$out/log/build-base.log" 2>&1 </dev/null
fi

echo "building redis, postgres and nginx" >&2
build postgres oci & postgres=$!
build redis docker
build nginx oci
wait $postgres

rm -rf "$out/images/redis.docker.tar" "$out/images/nginx-zstd"
skopeo copy --quiet "$(stored redis)" "docker-archive:$out/images/redis.docker.tar:plimsoll-demo/redis:latest"
skopeo copy --quiet --dest-compress --dest-compress-format zstd --dest-compress-level 3 \
  "$(stored nginx)" "oci:$out/images/nginx-zstd:latest"
touch "$stamp"
