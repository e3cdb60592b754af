#!/bin/sh
# Prepares the folder of uploads, then becomes the command.
set -e

mkdir -p /srv/uploads
chown www:www /srv/uploads
date >/srv/started

exec "$@"
