"""A strict upstream for HTTP/1.1 and HTTP/2 with prior knowledge on one port, told apart by the preface.

The first part of a path names the handler: `/echo/<token>`. One that is not known gets an empty 200,
as a model server's probes do. Every breach of either protocol by the other end is kept.
"""

import socket
import threading
import time

from . import frames as f
from . import hpack, http1
from .endpoint import Endpoint
from .record import Exchange, Records
from .stream import Ended

HANDLERS = {}
FIRST = b"PRI * HTTP/2.0\r\n\r\n"


def handler(function):
    HANDLERS[function.__name__] = function
    return function


@handler
def echo(exchange):
    """Answers with method, path and body, so that nobody can take it for another's."""
    body = exchange.body()
    text = f"{exchange.record.method} {exchange.record.path}\n".encode("latin-1")
    exchange.reply(200, [("content-type", "text/plain")], b"" if exchange.record.method == "HEAD" else text + body)


def _nothing(exchange):
    exchange.body()
    exchange.reply(200)


class Upstream:
    def __init__(self, port, protocol="both", values=None):
        """`protocol`: `both`, or `http1`: then the preface of HTTP/2 is a bad request, as to any old server."""
        self.protocol, self.values = protocol, values or {}
        self.records = Records()
        self.handlers = dict(HANDLERS)
        # what the peer's HPACK table may have, where a case changes that
        self.table_limit = None
        self.breaches = []
        self.connections = []
        self.accepted = 0
        self.listener = socket.create_server(("127.0.0.1", port), backlog=1024)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        try:
            begun = b""
            while self.protocol != "http1" and FIRST.startswith(begun) and len(begun) < len(f.PREFACE):
                part = sock.recv(len(f.PREFACE) - len(begun))
                if not part:
                    return
                begun += part
                if not FIRST.startswith(begun[:len(FIRST)]):
                    break
            if begun == f.PREFACE:
                self._serve_http2(sock)
            else:
                http1.serve(sock, begun, self)
        except OSError:
            pass

    def _serve_http2(self, sock):
        connection = Endpoint(sock, False, values=self.values)
        # a handler that does not read holds up its own stream alone
        connection.auto_stream = False
        connection.on_stream = lambda stream: self._on_stream(connection, stream)
        connection.breaches = Noted(self.breaches, "upstream, HTTP/2: ")
        if self.table_limit is not None:
            connection.decoder = hpack.Decoder(self.table_limit)
        self.connections.append(connection)
        connection.send_settings(self.values)
        connection.start()

    def _on_stream(self, connection, stream):
        exchange = Exchange(connection, stream)
        self.records.add(exchange.record)
        threading.Thread(target=self._answer, args=(exchange,), daemon=True).start()

    def _answer(self, exchange):
        self.answer(exchange)
        stream = exchange.stream
        # a handler may answer before the request has ended
        stream.wait(lambda: stream.ended, 1.0)
        exchange.record.whole |= stream.ended
        exchange.record.reset = stream.reset if exchange.record.reset is None else exchange.record.reset

    def answer(self, exchange):
        name = exchange.record.path.strip("/").partition("/")[0].partition("?")[0]
        try:
            self.handlers.get(name, _nothing)(exchange)
        except (Ended, OSError):
            pass

    def wait_record(self, token, condition=lambda record: True, patience=15.0):
        """The one record whose path contains `token`, once the condition holds."""
        end = time.monotonic() + patience
        while True:
            found = [record for record in self.records.of(token) if condition(record)]
            if found or time.monotonic() > end:
                return found[0] if found else None
            time.sleep(0.005)

    def idle(self):
        """Forgets the ends that are gone."""
        self.connections = [connection for connection in self.connections if not connection.closed]

    def close(self):
        self.listener.close()
        for connection in self.connections:
            connection.close()


class Noted(list):
    """A list whose entries are also kept elsewhere, with where they came from."""

    def __init__(self, all_of_them, origin):
        super().__init__()
        self.all_of_them, self.origin = all_of_them, origin

    def append(self, text):
        super().append(text)
        self.all_of_them.append(self.origin + text)
