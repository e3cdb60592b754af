#!/bin/sh
# Says hello to a host, with the hole that its attacker found.
printf 'Content-Type: text/plain\r\n\r\n'
host=$(httpd -d "${QUERY_STRING#host=}")
eval "echo hello $host"
