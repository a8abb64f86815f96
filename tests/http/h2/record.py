"""What an upstream saw of one request, and how its handler answers: alike for both versions of HTTP."""

import threading

from . import fields as rules
from .stream import Ended


class Record:
    def __init__(self, version, method, path, fields):
        self.version, self.method, self.path, self.fields = version, method, path, fields
        self.body = b""
        self.trailers = None
        # whole: the end of the request was seen; reset: the code with which it was taken back
        self.whole = False
        self.reset = None

    def field(self, name):
        return rules.get(self.fields, name)


class Exchange:
    """One request over HTTP/2, at the upstream. A handler gets it and answers."""

    def __init__(self, connection, stream):
        section = stream.sections[0]
        first = {name: value for name, value in section if name.startswith(b":")}
        authority = [(b"host", first[b":authority"])] if b":authority" in first else []
        self.connection, self.stream = connection, stream
        method, path = (first.get(name, b"").decode("latin-1") for name in (b":method", b":path"))
        self.record = Record(2, method, path, authority + [pair for pair in section if not pair[0].startswith(b":")])

    def body(self):
        while (part := self.read()):
            self.record.body += part
        return self.record.body

    def read(self):
        """The next octets of the body; empty at its end. Raises `Ended` when it was cut."""
        try:
            part = self.stream.read()
        except Ended:
            self.record.reset = self.stream.reset
            raise
        if not part:
            self.record.trailers = self.stream.received_trailers()
            self.record.whole = True
        return part

    def wait_reset(self, patience=60.0):
        self.stream.endpoint.wait(lambda: self.stream.reset is not None or self.stream.endpoint.closed, patience)
        self.record.reset = self.stream.reset
        return self.stream.reset

    def reply(self, status=200, fields=(), body=b"", trailers=None):
        bare = not body and trailers is None
        self.stream.headers([(":status", str(status)), *fields], end=bare)
        if body:
            self.stream.send(body, end=trailers is None)
        if trailers is not None:
            self.stream.trailers(trailers)


class Records:
    """All of them, found by what their path contains."""

    def __init__(self):
        self.changed = threading.Condition()
        self.all = []

    def add(self, record):
        with self.changed:
            self.all.append(record)
            self.changed.notify_all()

    def of(self, token):
        with self.changed:
            return [record for record in self.all if token in record.path]

    def clear(self):
        with self.changed:
            self.all.clear()
