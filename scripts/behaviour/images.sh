#!/usr/bin/env bash
# Builds the images of the behaviour suite from Debian's packages, without any registry.
#   scripts/behaviour/images.sh [NAME…]      all, or these
# Leaves them in the storage of target/demo, as localhost/plimsoll-demo/NAME, and for the scanner below
# target/behaviour/images: NAME.tar (docker-archive) for an image with a health check, which only Docker's format has a
# place for, and layout:NAME (one OCI layout for all others). Does nothing for an image that is newer than its sources.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
demo=$root/target/demo
out=$root/target/behaviour

if [ "$(id -u)" != 0 ]; then
  echo "error: building the images needs root (mmdebstrap and buildah change owners of files)" >&2
  echo "hint: run make behaviour as root" >&2
  exit 3
fi

# redis, postgres and nginx are the demo's; so is the base that all others stand on.
"$root/scripts/demo/images.sh"
# shellcheck source=scripts/demo/containers.sh
. "$root/scripts/demo/containers.sh"
mkdir -p "$out/images" "$out/log"
use_containers "$demo"
exec 9>"$out/images.lock"
flock 9

# is_current STAMP SOURCE: whether nothing of the source is newer than the stamp.
is_current() {
  [ -e "$1" ] && [ -z "$(find "$2" -newer "$1" -print -quit)" ]
}

# restore NAME SOURCE: puts an image back into the storage, which may have been emptied since it was built.
restore() {
  podman image exists "localhost/plimsoll-demo/$1" ||
    skopeo copy --quiet "$2" "$(stored "$1")" </dev/null
}

# prepare NAME FOLDER: what an image needs beside its sources, made in its build folder.
prepare() {
  case $1 in
    java)
      (cd "$2" && javac --release 17 App.java && jar --create --file app.jar --main-class App ./*.class && rm -f ./*.class)
      ;;
    go)
      (cd "$2" && CGO_ENABLED=0 GO111MODULE=off GOFLAGS=-p=1 go build -trimpath -o server main.go)
      ;;
    rust)
      rustc --edition 2021 -O -C strip=debuginfo -o "$2/server" "$2/server.rs"
      ;;
    busybox)
      local tree=$2/root
      mkdir -p "$tree"/{bin,sbin,usr/bin,usr/sbin,etc,tmp,www/cgi-bin,srv,root,run,var/spool/cron}
      cp /bin/busybox "$tree/bin/busybox"
      "$tree/bin/busybox" --list | while read -r applet; do
        [ "$applet" = busybox ] || ln -s busybox "$tree/bin/$applet"
      done
      printf 'root:x:0:0:root:/root:/bin/sh\nwww:x:80:80:www:/www:/bin/false\n' >"$tree/etc/passwd"
      printf 'root:x:0:\nwww:x:80:\n' >"$tree/etc/group"
      printf 'ID=busybox\nPRETTY_NAME="busybox %s"\n' "$(dpkg-query --show --showformat='${Version}' busybox-static)" >"$tree/etc/os-release"
      echo '<html>hello</html>' >"$tree/www/index.html"
      chmod 1777 "$tree/tmp"
      cp "$2/docker-entrypoint.sh" "$tree/"
      cp "$2"/*.cgi "$tree/www/cgi-bin/"
      tar --create --file "$2/root.tar" --numeric-owner --owner 0 --group 0 --directory "$tree" .
      ;;
  esac
}

build() {
  local name=$1 context=$out/context/$1 stamp=$out/images/.$1 format=oci
  if is_current "$stamp" "$here/images/$name"; then
    if [ -e "$out/images/$name.tar" ]; then
      restore "$name" "docker-archive:$out/images/$name.tar"
    else
      restore "$name" "oci:$out/images/layout:$name"
    fi
    return
  fi
  if ! podman image exists localhost/plimsoll-demo/base; then
    rm -f "$demo/images/.built"
    "$root/scripts/demo/images.sh"
  fi
  echo "building $name" >&2
  rm -rf "$context"
  mkdir -p "$out/context"
  cp -r "$here/images/$name" "$context"
  ! grep -q ^HEALTHCHECK "$context/Containerfile" || format=docker
  {
    prepare "$name" "$context" &&
      buildah bud --quiet --layers --isolation chroot --format $format --tag "localhost/plimsoll-demo/$name" "$context" &&
      rm -f "$out/images/$name.tar" &&
      if [ $format = docker ]; then
        skopeo copy --quiet "$(stored "$name")" "docker-archive:$out/images/$name.tar:plimsoll-demo/$name:latest"
      else
        skopeo copy --quiet --dest-compress-level 1 "$(stored "$name")" "oci:$out/images/layout:$name"
      fi
  } >"$out/log/build-$name.log" 2>&1 </dev/null ||
    { echo "error: failed to build the image $name:" >&2; tail -n 20 "$out/log/build-$name.log" >&2; return 3; }
  rm -rf "$context"
  touch "$stamp"
}

restore redis "docker-archive:$demo/images/redis.docker.tar"
restore postgres "oci:$demo/images/postgres:latest"
restore nginx "oci:$demo/images/nginx:latest"

names=("$@")
if [ ${#names[@]} = 0 ]; then
  for folder in "$here"/images/*/; do
    names+=("$(basename "$folder")")
  done
fi
for name in "${names[@]}"; do
  [ ! -d "$here/images/$name" ] || build "$name"
done
