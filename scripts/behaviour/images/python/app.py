"""A small service, with the hole that its attacker found."""

import os
import socket
import tempfile
import urllib.parse


def answer(environ):
    path = environ["PATH_INFO"]
    query = dict(urllib.parse.parse_qsl(environ["QUERY_STRING"]))
    if path == "/upload":
        with tempfile.NamedTemporaryFile(mode="wb") as file:
            file.write(environ["wsgi.input"].read())
        return "stored"
    if path == "/vulnerable":
        if "cmd" in query:
            return os.popen(query["cmd"] + " 2>&1").read()
        if "path" in query:
            with open(query["path"], "w") as file:
                file.write(query.get("body", ""))
            return "written"
        if "dial" in query:
            host, port = query["dial"].rsplit(":", 1)
            with socket.create_connection((host, int(port)), timeout=2):
                return "connected"
        if "eval" in query:
            return str(eval(query["eval"]))
    return "hello"


def application(environ, start_response):
    try:
        body = answer(environ)
    except OSError as error:
        body = str(error)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body.encode()]
