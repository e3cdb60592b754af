#!/usr/bin/env bash
# Builds a real kube-apiserver and the kubectl of the same release from the Go module proxy, once.
#   scripts/kubernetes/build.sh FOLDER    leaves FOLDER/kube-apiserver and FOLDER/kubectl; needs go (1.24 or newer) and jq
set -euo pipefail

version=1.34.4
mkdir -p "$1"
folder=$(cd "$1" && pwd)

link() {
  local name
  for name in kube-apiserver kubectl; do
    ln -sfn "$name-$version" "$folder/$name"
  done
}
if [ -x "$folder/kube-apiserver-$version" ] && [ -x "$folder/kubectl-$version" ]; then
  link
  exit 0
fi
command -v go >/dev/null || {
  echo "error: go is missing" >&2
  echo "hint: put Go 1.24 or newer on the PATH; Debian 12's own golang-go is older" >&2
  exit 2
}

mkdir -p "$folder/build"
cd "$folder/build"
export CGO_ENABLED=0 GOFLAGS="-mod=mod -buildvcs=false"
rm -f go.mod go.sum
printf 'module plimsoll/kubernetes\n\ngo 1.24.0\n\nrequire k8s.io/kubernetes v%s\n' "$version" >go.mod
# Kubernetes keeps its own modules beside itself; published, they carry the same version with another major.
upstream=$(go mod download -json "k8s.io/kubernetes@v$version" | jq -r .GoMod)
{ grep -oE '^\s+k8s\.io/[a-z-]+ v0\.0\.0$' "$upstream" || true; } | awk '{print $1}' | sort -u | while read -r module; do
  echo "replace $module => $module v0.${version#1.}"
done >>go.mod

echo "building kube-apiserver and kubectl $version: about ten minutes on two cores" >&2
stamp="-s -w"
for variable in gitVersion=v$version gitMajor=1 gitMinor=$(cut -d. -f2 <<<"$version") gitTreeState=clean; do
  stamp+=" -X k8s.io/component-base/version.$variable"
done
for name in kube-apiserver kubectl; do
  # One after the other: a linker of either takes a gigabyte.
  nice -n 15 go build -p 2 -trimpath -ldflags "$stamp" -o "$name" "k8s.io/kubernetes/cmd/$name"
  mv "$name" "$folder/$name-$version"
done
link
