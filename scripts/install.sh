#!/usr/bin/env bash
# Installs, on a bare Debian 12, what building, testing and the demo need from Debian. Silent when all is there.
#   scripts/install.sh [--tests | --behaviour | --kubernetes]          as root
set -euo pipefail

# One line per need: the command (or file) that shows it is there, and Debian's package.
needs=(
  "cc:gcc"                      # linker of every Rust program
  "clang:clang"                 # compiles runtime/bpf/*.bpf.c
  "cmake:cmake"                 # builds aws-lc (TLS)
  "make:make"
  "git:git"
  "/usr/include/linux/bpf.h:linux-libc-dev"
  "podman:podman"
  "runc:runc"
  "conmon:conmon"
  "/usr/lib/podman/netavark:netavark"
  "mmdebstrap:mmdebstrap"       # root filesystem of the demo's images
  "buildah:buildah"
  "skopeo:skopeo"
  "docker-registry:docker-registry"
  "redis-benchmark:redis-tools"
  "psql:postgresql-client"
  "jq:jq"
  "curl:curl"
  "zstd:zstd"
  "nsenter:util-linux"
  "ip:iproute2"
  "python3:python3"
)

if [ "${1:-}" = --tests ]; then
  needs+=(
    "chromium:chromium"         # the dashboard, used as a person would
    "node:nodejs"
    "npm:npm"
    "nats-server:nats-server"   # the agent's NATS output
    "promtool:prometheus"       # reads the server's metrics
    "umoci:umoci"               # bundles for plain runc
    "/usr/lib/python3.11/ensurepip:python3-venv" # validators from the Python index
    "htpasswd:apache2-utils"    # a registry with passwords; HTTP load
    "/bin/busybox:busybox-static" # an image without a distribution
    "pgbench:postgresql-contrib"
    "/usr/sbin/apparmor_parser:apparmor" # scripts/test-hardening.sh
  )
elif [ "${1:-}" = --behaviour ]; then
  needs+=(
    "/bin/busybox:busybox-static"
    "javac:default-jdk-headless"
    "go:golang-go"
    "ab:apache2-utils"          # HTTP load
    "mariadb-slap:mariadb-client"
    "sysbench:sysbench"
    "pgbench:postgresql-contrib"
  )
elif [ "${1:-}" = --kubernetes ]; then
  needs+=(
    "etcd:etcd-server"          # what kube-apiserver keeps its objects in
    "openssl:openssl"
    "umoci:umoci"               # adds a layer to an image
    "faketime:faketime"         # certificates of last week, a webhook of next week
  )
fi

missing=()
for need in "${needs[@]}"; do
  probe=${need%%:*}
  package=${need#*:}
  case $probe in
    /*) [ -e "$probe" ] || missing+=("$package") ;;
    *) command -v "$probe" >/dev/null || missing+=("$package") ;;
  esac
done

if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" != 0 ]; then
    echo "error: missing: ${missing[*]}" >&2
    echo "hint: run scripts/install.sh as root, or install these packages" >&2
    exit 2
  fi
  if ! command -v apt-get >/dev/null; then
    echo "error: missing: ${missing[*]}, and this system has no apt-get" >&2
    echo "hint: install what these Debian packages hold with your system's own tool" >&2
    exit 2
  fi
  echo "installing: ${missing[*]}" >&2
  # A package's daemon must not start on this machine: the demo starts its own on ports of its own. A policy that is
  # already there is the administrator's and stays.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
  fi
  export DEBIAN_FRONTEND=noninteractive
  log=$(mktemp)
  if ! { apt-get update -q && apt-get install -q -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    echo "error: failed to install ${missing[*]}" >&2
    echo "hint: the whole log is $log" >&2
    exit 3
  fi
  rm -f "$log"
fi

if ! command -v cargo >/dev/null && [ ! -x "$HOME/.cargo/bin/cargo" ]; then
  echo "error: cargo is missing" >&2
  echo "hint: install Rust $(sed -n 's/^channel = "\(.*\)"/\1/p' "$(dirname "$0")/../rust-toolchain.toml") or newer with rustup" >&2
  exit 2
fi
