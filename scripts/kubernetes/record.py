#!/usr/bin/env python3
"""A webhook that admits everything and keeps what it was asked.

record.py FOLDER CERTIFICATE KEY    prints its port; writes FOLDER/0001.json, FOLDER/0002.json, … in order of arrival
"""

import http.server
import json
import pathlib
import ssl
import sys

folder, certificate, key = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
count = 0


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        global count
        body = self.rfile.read(int(self.headers["content-length"]))
        review = json.loads(body)
        count += 1
        # Renamed when it is whole: whoever waits for a file may read it at once.
        unfinished = folder / "unfinished"
        unfinished.write_bytes(body)
        unfinished.rename(folder / f"{count:04}.json")
        answer = json.dumps({
            "apiVersion": review["apiVersion"],
            "kind": review["kind"],
            "response": {"uid": review["request"]["uid"], "allowed": True},
        }).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
