#!/bin/sh
# The site's search.
printf 'Content-Type: text/plain\r\n\r\n'
word=$(httpd -d "${QUERY_STRING#q=}")
grep -l "$word" /www/*.html
