#!/usr/bin/env python3
"""Talks to memcached on 127.0.0.1:11211: `memcache.py WORDS…` sends one line; `memcache.py --load N` stores and fetches N
values over 8 connections."""

import socket
import sys


def connect():
    return socket.create_connection(("127.0.0.1", 11211), timeout=10).makefile("rwb")


def ask(peer, line, end=(b"END\r\n", b"STORED\r\n", b"OK\r\n", b"ERROR\r\n")):
    peer.write(line.encode() + b"\r\n")
    peer.flush()
    answer = b""
    while not answer.endswith(end) and not answer.startswith(b"VERSION"):
        answer += peer.readline()
    return answer.decode()


def main():
    if sys.argv[1] == "--load":
        peers = [connect() for _ in range(8)]
        for number in range(int(sys.argv[2])):
            peer = peers[number % len(peers)]
            ask(peer, f"set key{number % 500} 0 0 5\r\nhello")
            assert "hello" in ask(peer, f"get key{number % 500}")
        print("stored and fetched")
    else:
        print(ask(connect(), " ".join(sys.argv[1:])))


main()
