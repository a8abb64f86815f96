"""Cases, what they have at hand, and which reactions pass.

A connection error is a GOAWAY with a fitting code, or the general PROTOCOL_ERROR, and then the end of the
connection, or the end alone (RFC 9113, 5.4.1). `EXACT_CODES` asks for the code that the section names. A stream error may be taken for one of the connection (5.4.1). A malformed request may
also be answered with 4xx (8.1.1). Whatever happens, what the proxy sends must be right, at both ends.
"""

import itertools

from . import fields as rules
from . import frames as f
from .client import HOST, Client, http1
from .stream import Ended

CASES = []
# whether a connection error must have the code of its section; else PROTOCOL_ERROR stands for any
EXACT_CODES = False
_tokens = itertools.count(1)


class Wrong(AssertionError):
    """The proxy did what it must not."""


def need(condition, message):
    if not condition:
        raise Wrong(message() if callable(message) else message)


class Case:
    def __init__(self, section, sentence, run, needs):
        self.section, self.sentence, self.run, self.needs = section, sentence, run, needs
        self.group = run.__module__.rpartition(".")[2]

    @property
    def name(self):
        return f"{self.group}: {self.section}: {self.sentence}"


def case(section, sentence, needs=None):
    """Registers a case. `section`: of RFC 9113, or `HPACK 6.3` of RFC 7541. `needs`: `http2`, an
    upstream of HTTP/2, or `head_timeout`, the proxy's deadline for a head."""
    def register(run):
        CASES.append(Case(section, sentence, run, needs))
        return run
    return register


class Test:
    """What a case gets: a client, a path of its own, the upstream, and the reactions to demand."""

    def __init__(self, port, upstream, pid=None, head_timeout=None):
        self.port, self.upstream, self.pid, self.head_timeout = port, upstream, pid, head_timeout
        self.token = f"t{next(_tokens)}-"
        self.path = f"/echo/{self.token}"
        self.clients = []

    def connect(self, values=None, **options):
        client = Client(self.port, values, **options)
        self.clients.append(client)
        need(not client.closed, "the connection was closed after a good preface")
        return client

    def fields(self, method="GET", *more, path=None):
        return [(":method", method), (":scheme", "http"), (":path", path or self.path),
                (":authority", f"{HOST}:{self.port}"), *more]

    # -- reactions

    def _wait(self, client, stream):
        """Until there is any reaction; says which."""
        def reaction():
            if client.goaway:
                return f"GOAWAY {f.code_name(client.goaway)}"
            if stream is not None and stream.reset is not None:
                return f"RST_STREAM {f.code_name(stream.reset)}"
            if client.closed:
                return "closed"
            if stream is not None and stream.ended:
                return f"answer {stream.status}"
            return None
        client.wait(reaction)
        return reaction() or f"nothing (answer so far: {stream.status if stream else None})"

    def connection_error(self, client, *codes):
        seen = self._wait(client, None)
        self._ends(client, seen, codes)

    def _ends(self, client, seen, codes):
        allowed = codes if EXACT_CODES else {*codes, f.PROTOCOL_ERROR}
        need(seen == "closed" or client.goaway in allowed,
             f"{seen} instead of a connection error {'/'.join(map(f.code_name, codes))}")
        need(client.wait(lambda: client.closed), "a GOAWAY for an error, and the connection stays open")

    def stream_error(self, client, stream, *codes, answers=()):
        """`answers`: statuses that will also do."""
        seen = self._wait(client, stream)
        if client.goaway:
            self._ends(client, seen, codes)
        elif stream.reset is not None:
            need(stream.reset in codes or stream.status in answers,
                 f"{seen} instead of {'/'.join(map(f.code_name, codes))}")
        elif stream.ended:
            need(stream.status in answers, f"{seen} instead of a stream error {'/'.join(map(f.code_name, codes))}")
        else:
            self._ends(client, seen, codes)

    def connection_or_stream(self, client, stream, *codes):
        """An error with one of these codes on a stream that may be closed already."""
        client.wait(lambda: client.goaway or client.closed or stream.reset is not None)
        need(client.goaway or client.closed or stream.reset is not None, "no reaction")
        if stream.reset is not None:
            need(stream.reset in codes, f"RST_STREAM {f.code_name(stream.reset)}")
        else:
            self._ends(client, f"GOAWAY {client.goaway}" if client.goaway else "closed", codes)

    def malformed(self, client, stream, seen_before=False):
        """Refused, and not passed on. `seen_before`: its head may have been, before the fault came."""
        self.stream_error(client, stream, f.PROTOCOL_ERROR, answers=range(400, 500))
        self.not_passed_on(seen_before)

    def not_passed_on(self, begun=False):
        # a request that follows on another connection is seen later than anything passed on
        self.clean_http2()
        for record in self.upstream.records.of(self.token):
            need(begun and not record.whole, f"passed on: {record.method} {record.path} {record.fields}")

    def answered(self, client, stream, body=b"", status=200, method="GET"):
        """The echo of exactly this request."""
        seen = self._wait(client, stream)
        need(stream.ended and stream.status == status, f"{seen} instead of {status}")
        if status == 200 and method != "HEAD":
            expected = f"{method} {self.path}\n".encode() + body
            need(bytes(stream.kept) == expected, f"{bytes(stream.kept)[:200]!r} instead of {expected[:200]!r}")
        return stream

    def still_works(self, client):
        """The connection takes further requests."""
        need(client.is_silent(), lambda: f"no answer to PING: {self._wait(client, None)}")
        self.answered(client, client.request(self.fields()))

    # -- afterwards

    def clean_http1(self):
        path = f"/echo/clean{next(_tokens)}-"
        status, _, body = http1(self.port, path)
        need((status, body) == (200, f"GET {path}\n".encode()), f"a clean request of HTTP/1.1: {status} {body[:200]!r}")

    def clean_http2(self):
        path = f"/echo/clean{next(_tokens)}-"
        with Client(self.port) as client:
            try:
                stream = client.request(self.fields(path=path))
            except Ended as error:
                raise Wrong(f"a clean request of HTTP/2: {error}") from None
            stream.wait(lambda: stream.ended)
            need((stream.status, bytes(stream.kept)) == (200, f"GET {path}\n".encode()),
                 f"a clean request of HTTP/2: {self._wait(client, stream)} {bytes(stream.kept)[:200]!r}")
            need(not client.breaches, f"client, clean request: {client.breaches}")

    def close(self):
        for client in self.clients:
            client.close()

    def breaches(self):
        return [f"client: {text}" for client in self.clients for text in client.breaches]


def judge(one, port, upstream, pid=None, head_timeout=None):
    """Runs a case; gives what was wrong, or nothing."""
    test = Test(port, upstream, pid, head_timeout)
    upstream.breaches.clear()
    wrong = []
    try:
        one.run(test)
    except (Wrong, Ended, OSError, ValueError) as error:
        wrong.append(f"{type(error).__name__}: {error}")
    wrong += test.breaches()
    test.close()
    try:
        test.clean_http1()
        test.clean_http2()
    except (Wrong, OSError, ValueError) as error:
        wrong.append(f"afterwards: {error}")
    wrong += upstream.breaches
    upstream.records.clear()
    upstream.idle()
    return wrong
