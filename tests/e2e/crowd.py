"""Thousands of connections held by one process."""

import json
import resource
import selectors
import socket
import time

import harness as h
from harness import check, equal, request, wait_until

# A connection takes one descriptor here, and two of the agent, which keeps some for itself.
KEPT = 400
# setsockopt(2): the port is chosen at the connect, so that addresses share ports
IP_BIND_ADDRESS_NO_PORT = 24
BATCH = 250
CONNECTIONS = 10_000
GATHERING = h.E2E / "gathering.py"


def most(wanted):
    """As many of `wanted` connections as an agent with two threads accepts on this machine for sure.

    The system spreads connections over its threads by chance, and each takes half of what all may.
    """
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if limit == resource.RLIM_INFINITY:
        return wanted
    half = (limit - KEPT) // 4
    # five standard deviations of the share that one thread gets
    return min(wanted, int(2 * (half - 2.5 * (2 * half) ** 0.5)))


class Crowd:
    """`count` connections to one port, from addresses of their own."""

    def __init__(self, port, count):
        self.port, self.sockets = port, []
        for number in range(count):
            self.sockets.append(self._connect(f"127.0.0.{2 + number % 50}"))

    def _connect(self, address):
        client = socket.socket()
        client.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        client.bind((address, 0))
        client.settimeout(h.PATIENCE)
        client.connect((h.HOST, self.port))
        return client

    def __len__(self):
        return len(self.sockets)

    def ask(self, request_of, after_batch=lambda sent: None):
        """Sends one request on each; `after_batch` is told how many were sent so far."""
        for number, client in enumerate(self.sockets):
            client.sendall(request_of(number))
            if (number + 1) % BATCH == 0:
                after_batch(number + 1)
        after_batch(len(self.sockets))

    def answers(self, patience=h.PATIENCE):
        """One whole answer from each, in order: status line and body."""
        found, held = {}, [b""] * len(self.sockets)
        with selectors.DefaultSelector() as selector:
            for number, client in enumerate(self.sockets):
                selector.register(client, selectors.EVENT_READ, number)
            end = time.monotonic() + patience
            while len(found) < len(self.sockets):
                check(time.monotonic() < end, lambda: f"{len(found)} of {len(self.sockets)} answers")
                for key, _ in selector.select(1):
                    data = key.fileobj.recv(1 << 16)
                    check(data, lambda: f"connection {key.data} was closed after {held[key.data]!r}")
                    held[key.data] += data
                    answer = _whole(held[key.data])
                    if answer:
                        found[key.data] = answer
                        selector.unregister(key.fileobj)
                        end = time.monotonic() + patience
        return [found[number] for number in range(len(self.sockets))]

    def close(self):
        for client in self.sockets:
            client.close()
        self.sockets = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _whole(held):
    head, found, body = held.partition(b"\r\n\r\n")
    if not found:
        return None
    lines = head.decode("latin-1").lower().split("\r\n")
    lengths = [int(line.partition(":")[2]) for line in lines if line.startswith("content-length:")]
    check(lengths, lambda: f"an answer without a length: {head!r}")
    return (lines[0], body) if len(body) == lengths[0] else None


def post(number):
    body = b'{"petal_length":1.4}'
    return (b"POST /predict HTTP/1.1\r\nHost: a\r\nX-Request-ID: c%d\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (number, len(body), body))


def all_at_once(upstream, clients):
    """One request on each connection, none of which is answered before all are there."""
    equal(request(upstream.port, "GET", f"/expect?{len(clients)}").status, 200, "status")

    def arrived(sent):
        # the last one is answered at once
        if sent < len(clients):
            wait_until(lambda: request(upstream.port, "GET", "/waiting").json()["waiting"] >= sent,
                       f"{sent} requests to arrive")
    clients.ask(post, arrived)
    for number, (status, body) in enumerate(clients.answers()):
        equal(status, "http/1.1 200 ok", "status")
        equal(json.loads(body)["id"], f"c{number}", "whose answer it is")
