#!/usr/bin/env bash
# Builds three images from Debian's packages for bench/scan.sh, as OCI layouts with gzip layers.
#   bench/scan-images.sh OUT      as root; the large one needs some 8 GiB of disk meanwhile and leaves 1.5
# OUT/small: a slim system; OUT/medium: runtimes of four languages and servers; OUT/large: compilers, scientific libraries
# and what npm and pip install, with documentation. What is there is not built again.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$1
mkdir -p "$out"
root=$out/root

# One command in the root file system, in name spaces of its own.
inside() {
  # shellcheck disable=SC2016
  unshare --mount --pid --fork bash -ec '
    mount -t proc proc "$1/proc"
    mount --rbind /dev "$1/dev"
    exec chroot "$1" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive \
      HOME=/root LC_ALL=C sh -ec "$2"' inside "$root" "$1" >>"$out/build.log" 2>&1 </dev/null ||
    { tail -n 20 "$out/build.log" >&2; return 3; }
}

# pack IMAGE SECONDS: everything that changed since then becomes one more layer of the image.
pack() {
  local number
  number=$(find "$out/$1.parts" -name '*.tgz' | wc -l)
  (cd "$root" && find . -mindepth 1 \( -path ./proc -o -path ./dev -o -path ./sys -o -path ./tmp -o -path ./root/.npm \
    -o -path ./root/.cache -o -path ./var/cache/apt -o -path ./var/lib/apt/lists \) -prune -o -newerct "@$2" -print0) |
    tar -C "$root" -c --sort=name --numeric-owner --no-recursion --null -T - |
    tee >(sha256sum | cut -d ' ' -f 1 >"$out/$1.parts/$number.diff") | gzip -n -5 >"$out/$1.parts/$number.tgz"
}

# layer IMAGE COMMAND: runs it and packs what it changed.
layer() {
  local since
  since=$(date +%s)
  sleep 1.1 # change times have the resolution of the kernel's clock, the option of find seconds
  inside "$2"
  pack "$1" "$since"
}

start() {
  rm -rf "$root" "$out/$1.parts"
  mkdir -p "$out/$1.parts"
  mmdebstrap --quiet --mode=root --variant=minbase --skip=cleanup/apt/lists --aptopt='Acquire::Languages "none"' \
    --aptopt='APT::Install-Recommends "false"' --dpkgopt='force-unsafe-io' "${@:2}" bookworm "$root" \
    >"$out/build.log" 2>&1 </dev/null
  cp /etc/resolv.conf /etc/hosts "$root/etc/"
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod +x "$root/usr/sbin/policy-rc.d"
  pack "$1" 0
}

finish() {
  python3 "$here/scan_layout.py" "$out/$1.parts" "$out/$1"
  rm -rf "$out/$1.parts" "$root"
}

slim=(--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*'
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright')
if [ ! -e "$out/small" ]; then
  start small "${slim[@]}"
  finish small
fi
if [ ! -e "$out/medium" ]; then
  start medium "${slim[@]}"
  # Links to manuals shall have a folder: without it Java's packages do not configure.
  mkdir -p "$root/usr/share/man/man1"
  layer medium 'apt-get install -q -y openjdk-17-jre-headless nodejs python3-pip python3-requests ruby nginx-light git'
  layer medium 'apt-get install -q -y postgresql-15 redis-server curl'
  finish medium
fi
if [ ! -e "$out/large" ]; then
  start large
  layer large 'apt-get install -q -y openjdk-17-jdk-headless nodejs npm ruby-full golang-1.19 libboost-all-dev maven \
    python3-scipy python3-pandas python3-matplotlib python3-pip python3-sklearn rustc cargo'
  # The registries of languages may be out of reach: it is large without them, too. This machine's clients know the way.
  since=$(date +%s)
  sleep 1.1
  mkdir -p "$root/opt/node" "$root/opt/py"
  (cd "$root/opt/node" && echo '{"name":"bench","version":"1.0.0"}' >package.json &&
    npm install --ignore-scripts --no-audit --no-fund --cache "$out/npm" webpack express react react-dom typescript eslint \
      >>"$out/build.log" 2>&1) || true
  pip install --quiet --no-cache-dir --target "$root/opt/py" flask django requests sqlalchemy >>"$out/build.log" 2>&1 || true
  rm -rf "$out/npm"
  pack large "$since"
  finish large
fi
