#!/usr/bin/env python3
"""A client of AMQP 0-9-1, as small as it can be: `amqp.py N` declares a queue on 127.0.0.1:5672, publishes N messages to it
and gets them back (https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf)."""

import socket
import struct
import sys

METHOD, HEADER, BODY = 1, 2, 3


def short(text):
    return bytes([len(text)]) + text.encode()


class Client:
    def __init__(self):
        self.socket = socket.create_connection(("127.0.0.1", 5672), timeout=10)
        self.file = self.socket.makefile("rb")
        self.socket.sendall(b"AMQP\0\0\x09\x01")
        self.expect(10, 10)
        login = b"\0guest\0guest"
        self.method(0, 10, 11, struct.pack(">I", 0) + short("PLAIN") + struct.pack(">I", len(login)) + login + short("en_US"))
        tune = self.expect(10, 30)
        self.method(0, 10, 31, tune[:6] + struct.pack(">H", 0))
        self.method(0, 10, 40, short("/") + short("") + b"\0")
        self.expect(10, 41)
        self.method(1, 20, 10, short(""))
        self.expect(20, 11)

    def frame(self, kind, channel, payload):
        self.socket.sendall(struct.pack(">BHI", kind, channel, len(payload)) + payload + b"\xce")

    def method(self, channel, group, number, arguments):
        self.frame(METHOD, channel, struct.pack(">HH", group, number) + arguments)

    def read(self):
        kind, _, size = struct.unpack(">BHI", self.file.read(7))
        return kind, self.file.read(size + 1)[:-1]

    def expect(self, group, number):
        kind, payload = self.read()
        found = struct.unpack(">HH", payload[:4])
        assert kind == METHOD and found == (group, number), found
        return payload[4:]

    def declare(self, queue):
        self.method(1, 50, 10, struct.pack(">H", 0) + short(queue) + b"\x02" + struct.pack(">I", 0))
        self.expect(50, 11)

    def publish(self, queue, body):
        self.method(1, 60, 40, struct.pack(">H", 0) + short("") + short(queue) + b"\0")
        # Delivery mode 2: to the disk.
        self.frame(HEADER, 1, struct.pack(">HHQHB", 60, 0, len(body), 0x1000, 2))
        self.frame(BODY, 1, body)

    def get(self, queue):
        self.method(1, 60, 70, struct.pack(">H", 0) + short(queue) + b"\x01")
        self.expect(60, 71)
        self.read()
        return self.read()[1]


def main():
    client, count = Client(), int(sys.argv[1])
    client.declare("work")
    for number in range(count):
        client.publish("work", b"message %d" % number)
    for number in range(count):
        assert client.get("work") == b"message %d" % number
    print(f"delivered {count}")


main()
