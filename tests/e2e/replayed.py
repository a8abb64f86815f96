"""Both ends of a replay: an upstream that answers what was recorded, and clients that send what was recorded."""

import http.client
import socket
import sys
import time

import harness as h
from harness import check

sys.path.insert(0, str(h.ROOT / "tests" / "http"))

from h2.client import Client  # noqa: E402 - found by the path above
from h2.upstream import Upstream  # noqa: E402

# the pause between two pieces, so that they are not read as one
PAUSE = 0.001
PATIENCE = 30


class Answers(Upstream):
    """Answers each request by its id with what it was told; keeps what came."""

    def __init__(self):
        super().__init__(0)
        self.answers, self.seen = {}, {}

    def answer(self, exchange):
        found = exchange.record.field(b"x-request-id")
        pair, message = self.answers.get(found[0].decode(), (None, None)) if found else (None, None)
        if pair is None:
            super().answer(exchange)
            return
        exchange.body()
        self.seen[found[0].decode()] = exchange.record
        if exchange.record.version == 2:
            answer_http2(exchange.stream, message)
        else:
            answer_http1(exchange.reader.sock, pair, message)


def answer_http1(sock, pair, message):
    head = [f"HTTP/1.1 {pair.status} {pair.reason}", *(f"{name}: {value}" for name, value in message.fields)]
    send_http1(sock, head, message)


def send_http1(sock, head, message):
    """A head, then the body piece by piece: as chunks where the fields say so."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    is_chunked = message.field("transfer-encoding") == "chunked"
    sock.sendall("\r\n".join(head).encode("latin-1") + b"\r\n\r\n")
    for piece in message.pieces:
        if piece:
            time.sleep(PAUSE)
            sock.sendall(b"%x\r\n%s\r\n" % (len(piece), piece) if is_chunked else piece)
    if is_chunked:
        sock.sendall(b"0\r\n\r\n")


def answer_http2(stream, message):
    """An answer without body and trailers is the trailers-only of gRPC."""
    bare = not message.body and message.trailers is None
    stream.headers(message.fields, end=bare)
    if not bare:
        send_pieces(stream, message, end=message.trailers is None)
    if message.trailers is not None:
        stream.trailers(message.trailers)


def send_pieces(stream, message, end):
    pieces = [piece for piece in message.pieces if piece] or [b""]
    for number, piece in enumerate(pieces, 1):
        stream.send(piece, end and number == len(pieces))
        time.sleep(PAUSE)


class Got:
    """An answer as the client saw it."""

    def __init__(self, status, fields, body, trailers=()):
        self.status, self.fields, self.body, self.trailers = status, fields, body, trailers


def ask_http1(port, pair, message):
    with socket.create_connection((h.HOST, port), timeout=PATIENCE) as sock:
        head = [f"{pair.method} {pair.path} HTTP/1.1", *(f"{name}: {value}" for name, value in message.fields)]
        send_http1(sock, head, message)
        response = http.client.HTTPResponse(sock, method=pair.method)
        response.begin()
        return Got(response.status, response.getheaders(), response.read())


def ask_http2(port, pair, message):
    with Client(port) as client:
        stream = client.request(message.fields, end=not message.body)
        if message.body:
            send_pieces(stream, message, end=True)
        body = stream.whole(PATIENCE)
        check(not client.breaches, lambda: f"{pair.id}: {client.breaches}")
        return Got(stream.status, text(stream.final()), body, text(stream.received_trailers() or ()))


def text(fields):
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in fields]
