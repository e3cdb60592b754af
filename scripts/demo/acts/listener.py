"""Takes one connection on ADDRESS PORT and closes it: the far end of an unwanted connection. Says `listening` when it is."""
import socket
import sys

with socket.create_server((sys.argv[1], int(sys.argv[2]))) as server:
    server.settimeout(60)
    print("listening", flush=True)
    peer, _ = server.accept()
    peer.close()
