"""The HTTP/1.1 side of the upstream. What comes must be canonical: no reader could take it otherwise."""

import re
import select
import socket

from .record import Record
from .stream import Ended

FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ?([^\0\r\n]*)\Z")
LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21-\x7e]+) HTTP/1\.1\Z")


class Bad(Exception):
    pass


class Reader:
    def __init__(self, sock, begun):
        self.sock, self.buffer = sock, bytearray(begun)

    def _fill(self):
        part = self.sock.recv(65536)
        if not part:
            raise Ended("closed")
        self.buffer += part

    def line(self):
        while b"\n" not in self.buffer:
            self._fill()
        line = bytes(self.buffer[:self.buffer.index(b"\n") + 1])
        del self.buffer[:len(line)]
        if not line.endswith(b"\r\n"):
            raise Bad(f"a line without CR: {line[:80]!r}")
        return line[:-2]

    def exactly(self, count):
        while len(self.buffer) < count:
            self._fill()
        part = bytes(self.buffer[:count])
        del self.buffer[:count]
        return part

    def fields(self):
        found = []
        while (line := self.line()):
            match = FIELD.match(line)
            if not match:
                raise Bad(f"field {line[:80]!r}")
            found.append((match[1].lower(), match[2].strip()))
        return found


class Exchange1:
    """One request over HTTP/1.1; the handlers of the upstream that stream are for HTTP/2 alone."""

    def __init__(self, reader, upstream):
        line = reader.line()
        match = LINE.match(line)
        if not match:
            raise Bad(f"request line {line[:80]!r}")
        self.reader = reader
        self.record = Record(1, match[1].decode(), match[2].decode(), reader.fields())
        upstream.records.add(self.record)
        length, coding = self.record.field(b"content-length"), self.record.field(b"transfer-encoding")
        if len(self.record.field(b"host")) != 1 or len(length) + len(coding) > 1 or coding not in ([], [b"chunked"]):
            raise Bad(f"host or framing: {self.record.fields}")
        self.left = int(length[0]) if length else 0
        self.chunked = bool(coding)

    def body(self):
        if not self.record.whole:
            try:
                self.record.body = b"".join(iter(self._chunk, b"")) if self.chunked else self.reader.exactly(self.left)
            except ValueError as error:
                raise Bad(f"chunk: {error}") from None
            if self.chunked:
                self.record.trailers = self.reader.fields() or None
            self.record.whole = True
        return self.record.body

    def _chunk(self):
        line = self.reader.line()
        if not re.fullmatch(rb"[0-9A-Fa-f]+", line):
            raise Bad(f"chunk size {line[:40]!r}")
        size = int(line, 16)
        if not size:
            return b""
        part = self.reader.exactly(size)
        if self.reader.exactly(2) != b"\r\n":
            raise Bad("a chunk without CRLF")
        return part

    def wait_reset(self, patience=60.0):
        """Until the other end has closed, which is how a request is taken back here."""
        sock = self.reader.sock
        if select.select([sock], [], [], patience)[0] and not sock.recv(1, socket.MSG_PEEK):
            self.record.reset = "closed"
        return self.record.reset

    def reply(self, status=200, fields=(), body=b"", trailers=None):
        self.body()
        head = [f"HTTP/1.1 {status} Fine"] + [f"{name}: {value}" for name, value in fields]
        if trailers is not None:
            head += ["Transfer-Encoding: chunked", "Trailer: " + ", ".join(name for name, _ in trailers)]
            body = (b"%x\r\n%s\r\n" % (len(body), body) if body else b"") + b"0\r\n"
            body += "".join(f"{name}: {value}\r\n" for name, value in trailers).encode() + b"\r\n"
        elif status >= 200 and status not in (204, 304) and not (
                self.record.method == "HEAD" and any(name == "content-length" for name, _ in fields)):
            head.append(f"Content-Length: {len(body)}")
        self.reader.sock.sendall("\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body)


def serve(sock, begun, upstream):
    reader = Reader(sock, begun)
    try:
        while True:
            exchange = Exchange1(reader, upstream)
            upstream.answer(exchange)
            exchange.body()
    except Bad as error:
        if not str(error).startswith("request line b'PRI * HTTP/2.0"):
            upstream.breaches.append(f"upstream, HTTP/1.1: {error}")
        sock.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    except Ended:
        pass
    finally:
        sock.close()
