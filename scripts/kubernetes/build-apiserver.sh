#!/usr/bin/env bash
# Builds a real kube-apiserver from the Go module proxy, once.
#   scripts/kubernetes/build-apiserver.sh FOLDER    leaves FOLDER/kube-apiserver; needs go (1.24 or newer) and jq
set -euo pipefail

version=1.34.4
folder=$1
binary=$folder/kube-apiserver-$version
if [ -x "$binary" ]; then
  ln -sf "kube-apiserver-$version" "$folder/kube-apiserver"
  exit 0
fi
command -v go >/dev/null || { echo "error: go is missing; hint: apt-get install golang-go, or put Go 1.24 on the PATH" >&2; exit 2; }

mkdir -p "$folder/build"
cd "$folder/build"
rm -f go.mod go.sum
printf 'module plimsoll/kubernetes\n\ngo 1.24.0\n\nrequire k8s.io/kubernetes v%s\n' "$version" >go.mod
# Kubernetes keeps its own modules beside itself; published, they carry the same version with another major.
mod=$(go mod download -json "k8s.io/kubernetes@v$version" | jq -r .GoMod)
{ grep -oE '^\s+k8s\.io/[a-z-]+ v0\.0\.0$' "$mod" || true; } | awk '{print $1}' | sort -u | while read -r module; do
  echo "replace $module => $module v0.${version#1.}" >>go.mod
done
echo "building kube-apiserver $version: about ten minutes on two cores" >&2
CGO_ENABLED=0 GOFLAGS="-mod=mod -buildvcs=false" \
  go build -trimpath -ldflags "-s -w" -o "$binary.new" k8s.io/kubernetes/cmd/kube-apiserver
mv "$binary.new" "$binary"
ln -sf "kube-apiserver-$version" "$folder/kube-apiserver"
