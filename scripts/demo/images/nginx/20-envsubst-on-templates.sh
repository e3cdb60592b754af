#!/bin/sh
# Fills the environment into /etc/nginx/templates/*.template; only variables that are set are replaced.
set -e

templates=/etc/nginx/templates
[ -d "$templates" ] || exit 0

names=$(awk 'BEGIN { for (name in ENVIRON) printf "${%s} ", name }' </dev/null)
find "$templates" -follow -type f -name '*.template' | while read -r template; do
  target="/etc/nginx/conf.d/$(basename "$template" .template)"
  envsubst "$names" <"$template" >"$target"
done
