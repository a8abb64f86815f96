"""A client that does as it is told, and a plain request of HTTP/1.1."""

import re
import socket

from . import frames as f
from .endpoint import Endpoint
from .stream import Stream

HOST = "127.0.0.1"


class Client(Endpoint):
    """Connects. `ready` sends the preface; without it a case sends what it likes."""

    def __init__(self, port, values=None, ready=True, **options):
        super().__init__(socket.create_connection((HOST, port), timeout=30), True, values=values, **options)
        self.sock.settimeout(None)
        self.port = port
        self.next = 1
        self.start()
        if ready:
            self.send_settings(self.values, f.PREFACE)
            # theirs, and the acknowledgement of ours
            self.wait(lambda: self.counts[f.SETTINGS] >= 2 and self.acks >= 1 or self.closed)

    def begin(self, payload):
        """The preface with an empty SETTINGS and `payload` at once."""
        self.expect_ack()
        self.write(f.PREFACE + f.settings() + payload)

    def expect_ack(self):
        """Of an empty SETTINGS that a case sends itself."""
        with self.changed:
            self.sent_settings += 1
            self._values.append({})

    def stream(self, number=None):
        """A stream that is known to the books, nothing sent yet."""
        with self.changed:
            number = number or self.next
            self.next = max(self.next, number + 2)
            self.newest = max(self.newest, number)
            return self.streams.setdefault(number, Stream(self, number))

    def most_streams(self, wanted):
        """As many at once as are wanted and allowed."""
        return min(wanted, self.peer.get(f.MAX_STREAMS, wanted))

    def request(self, fields, body=None, end=True, trailers=None):
        """A whole request, or its head with `end=False`."""
        stream = self.stream()
        stream.headers(fields, end and not body and trailers is None)
        if body:
            stream.send(body, end and trailers is None)
        if trailers is not None:
            stream.trailers(trailers)
        return stream

    def request_on(self, number, fields):
        stream = self.stream(number)
        stream.headers(fields, True)
        return stream

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def http1(port, path, method="GET", body=b"", fields=(), patience=30):
    """Status, fields and body of one request on a connection of its own."""
    with socket.create_connection((HOST, port), timeout=patience) as sock:
        lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}:{port}", "Connection: close",
                 f"Content-Length: {len(body)}", *(f"{name}: {value}" for name, value in fields)]
        sock.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        reader = sock.makefile("rb")
        status = re.match(rb"HTTP/1\.1 (\d{3})", reader.readline())
        if not status:
            raise ValueError("no answer of HTTP/1.1")
        head = []
        while (line := reader.readline().strip()):
            name, _, value = line.partition(b":")
            head.append((name.lower(), value.strip()))
        return int(status[1]), head, _body(reader, dict(head))


def _body(reader, head):
    if head.get(b"transfer-encoding") == b"chunked":
        parts = []
        while (size := int(reader.readline(), 16)):
            parts.append(reader.read(size))
            reader.readline()
        return b"".join(parts)
    return reader.read(int(head[b"content-length"])) if b"content-length" in head else reader.read()
