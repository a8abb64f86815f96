"""How streams end before their time, on one side of the proxy, and what the other side learns of it."""

import threading

from .. import frames as f
from .. import hpack
from ..judge import case, need
from .calls import HEAD, OK, PATIENCE, call, ended, message

# what may stand for another code towards the client
FITTING = {f.INTERNAL_ERROR, f.CANCEL, f.PROTOCOL_ERROR, f.REFUSED_STREAM}


def cut_short(stream, codes, statuses=()):
    """No clean end: a reset, or an answer that says so where none had begun, in HTTP's way or in gRPC's."""
    stream.wait(lambda: stream.is_over(), PATIENCE)
    if stream.ended and statuses and stream.status == 200:
        need(len(stream.sections) == 1 and stream.size == 0 and stream.field(b"grpc-status") not in ([], [b"0"]),
             f"a clean end: {stream.sections}")
    elif stream.ended:
        need(stream.status in statuses, f"a clean end with {stream.status}: {bytes(stream.kept)[:60]!r}")
    elif stream.reset is not None:
        need(stream.reset in codes, f"RST_STREAM {f.code_name(stream.reset)}")
    else:
        need(False, f"no end, or that of the whole connection ({stream.endpoint.closed})")


for code in range(14):
    @case("6.4", f"a {f.code_name(code)} of the upstream in the middle of an answer is no clean end", needs="http2")
    def reset_in_answer(t, code=code):
        def begin(exchange):
            exchange.body()
            exchange.stream.headers([(":status", "200"), *HEAD])
            exchange.stream.send(message(b"part"))
            arrived.wait(PATIENCE)
            exchange.stream.cancel(code)
        arrived = threading.Event()
        t.upstream.handlers["begin"] = begin
        client = t.connect()
        stream = client.request(call(t, "begin"), message(b"x"))
        need(stream.wait(lambda: stream.size > 0, PATIENCE), "the first message did not arrive")
        arrived.set()
        cut_short(stream, FITTING | {code})
        t.still_works(client)

    @case("6.4", f"a {f.code_name(code)} of the upstream before an answer is a reset or says 5xx", needs="http2")
    def reset_before_answer(t, code=code):
        def refuse(exchange):
            exchange.body()
            exchange.stream.cancel(code)
        t.upstream.handlers["refuse"] = refuse
        client = t.connect()
        stream = client.request(call(t, "refuse"), message(b"x"))
        cut_short(stream, FITTING | {code}, range(500, 600))
        t.still_works(client)
        need(code == f.REFUSED_STREAM or len(t.upstream.records.of("/refuse/" + t.token)) == 1, "it was sent again")


for code in (f.CANCEL, f.NO_ERROR, f.INTERNAL_ERROR, 0xBEEF):
    @case("6.4", f"a {f.code_name(code)} of the client reaches the upstream, within its body and behind", needs="http2")
    def client_reset(t, code=code):
        def begin(exchange):
            exchange.stream.headers([(":status", "200"), *HEAD])
            exchange.stream.send(message(b"part"))
            exchange.wait_reset(PATIENCE)
        t.upstream.handlers["begin"] = begin
        client = t.connect()
        for whole in (False, True):
            t.upstream.records.clear()
            stream = client.request(call(t, "begin"), message(b"x"), end=whole)
            need(stream.wait(lambda s=stream: s.size > 0, PATIENCE), "no answer began")
            stream.cancel(code)
            need(t.upstream.wait_record("/begin/" + t.token, lambda record: record.reset is not None),
                 f"the upstream was not told, whole request: {whole}")
        t.still_works(client)


@case("6.4", "a client that goes away in the middle of a call takes it back from the upstream", needs="http2")
def client_gone(t):
    t.upstream.handlers["wait"] = lambda exchange: exchange.wait_reset(PATIENCE)
    client = t.connect()
    for _ in range(5):
        client.request(call(t, "wait"), message(b"x"), end=False)
    need(t.upstream.wait_record(t.token), "no call reached the upstream")
    client.is_silent()
    client.close()
    found = t.upstream.wait_record(t.token, lambda _: all(record.reset is not None
                                                         for record in t.upstream.records.of(t.token)))
    need(found, "the upstream was not told")


@case("8.1", "a reset with NO_ERROR behind a whole answer leaves the answer whole", needs="http2")
def early_and_reset(t):
    def early(exchange):
        exchange.reply(200, HEAD, message(b"enough"), OK)
        exchange.stream.cancel(f.NO_ERROR)
    t.upstream.handlers["early"] = early
    client = t.connect()
    stream = client.request(call(t, "early"), end=False)
    need(stream.wait(lambda: stream.size == len(message(b"enough"))), f"{stream.size} octets, reset {stream.reset}")
    need(stream.wait(lambda: stream.ended or stream.reset == f.NO_ERROR), f"reset {stream.reset}")
    need(stream.received_trailers(), "the trailers are lost")
    t.still_works(client)


@case("5.4", "an upstream that closes in the middle of an answer is no clean end", needs="http2")
def upstream_gone(t):
    def vanish(exchange):
        exchange.body()
        exchange.stream.headers([(":status", "200"), *HEAD])
        exchange.stream.send(message(b"part"))
        arrived.wait(PATIENCE)
        exchange.connection.close()
    arrived = threading.Event()
    t.upstream.handlers["vanish"] = vanish
    client = t.connect()
    stream = client.request(call(t, "vanish"), message(b"x"))
    need(stream.wait(lambda: stream.size > 0, PATIENCE), "the first message did not arrive")
    arrived.set()
    cut_short(stream, FITTING | {f.CONNECT_ERROR})
    t.still_works(client)


# -- GOAWAY of the upstream

@case("6.8", "requests that a GOAWAY leaves out are sent again, those within it finish", needs="http2")
def goaway(t):
    """The third on a connection is left out the first time it comes."""
    lock, seen, go_on = threading.Lock(), [], threading.Event()

    def handler(exchange):
        exchange.body()
        with lock:
            seen.append(exchange.record.path)
            again = seen.count(exchange.record.path) > 1
        if exchange.record.path.endswith("/left-out") and not again:
            exchange.connection.write(f.goaway(max(0, exchange.stream.number - 2)))
            go_on.set()
            return
        go_on.wait(PATIENCE)
        exchange.reply(200, (), exchange.record.path.encode())
    t.upstream.handlers["goaway"] = handler
    client = t.connect()
    # of gRPC's type, so that it goes out over HTTP/2 whatever the other end of the proxy may know
    paths = [f"/goaway/{t.token}/{name}" for name in ("first", "second", "left-out")]
    streams = []
    for path in paths:
        streams.append(client.request(t.fields("GET", ("content-type", "application/grpc"), path=path)))
        need(t.upstream.wait_record(path), f"{path} did not arrive")
    for path, stream in zip(paths, streams):
        stream.wait(stream.is_over, PATIENCE)
        need(stream.status == 200 and bytes(stream.kept) == path.encode(),
             f"{path}: {stream.status}, reset {stream.reset}, seen {seen.count(path)} times")
    need([seen.count(path) for path in paths] == [1, 1, 2], f"{seen}")


@case("6.8", "a graceful GOAWAY loses nothing of 200 requests, whatever it falls between", needs="http2")
def graceful(t):
    def sometimes(exchange):
        exchange.body()
        number = exchange.stream.number
        if number % 15 == 0:
            exchange.connection.write(f.goaway(f.LARGEST_WINDOW))
            exchange.reply(200)
            exchange.connection.write(f.goaway(exchange.connection.newest))
            return
        exchange.reply(200)
    t.upstream.handlers["sometimes"] = sometimes
    client = t.connect()
    lost = 0
    for _ in range(50):
        streams = [client.request(t.fields("GET", ("content-type", "application/grpc"), path=f"/sometimes/{t.token}"))
                   for _ in range(4)]
        for stream in streams:
            stream.wait(stream.is_over, PATIENCE)
            lost += stream.status != 200
    need(lost == 0, f"{lost} of 200 lost")


@case("6.8", "after a GOAWAY the next requests go out on another connection", needs="http2")
def after_goaway(t):
    connections = []

    def last(exchange):
        exchange.body()
        connections.append(exchange.connection)
        exchange.connection.write(f.goaway(exchange.stream.number))
        exchange.reply(200)
    t.upstream.handlers["last"] = last
    client = t.connect()
    for _ in range(10):
        stream = client.request(call(t, "last"), message(b"x"))
        ended(stream)
        need(stream.status == 200, f"{stream.status}")
    need(len(set(map(id, connections))) == 10, f"{len(set(map(id, connections)))} connections for 10 last requests")


@case("8.7", "a REFUSED_STREAM is sent again, or the client learns that it may", needs="http2")
def refused(t):
    tries = []

    def once(exchange):
        exchange.body()
        tries.append(1)
        if len(tries) == 1:
            exchange.stream.cancel(f.REFUSED_STREAM)
        else:
            exchange.reply(200, HEAD, b"second")
    t.upstream.handlers["once"] = once
    client = t.connect()
    stream = client.request(t.fields("GET", ("content-type", "application/grpc"), path=f"/once/{t.token}"))
    stream.wait(stream.is_over, PATIENCE)
    need(len(tries) == 2 and stream.status == 200 or stream.reset == f.REFUSED_STREAM,
         f"{stream.sections}, reset {stream.reset and f.code_name(stream.reset)}, sent {len(tries)} times")


# -- an upstream that breaks the rules

def bad_section(*pairs, end=True):
    return lambda number: f.headers(number, hpack.block(pairs), end=end)


WRONG = {
    "no :status": bad_section(("x-a", "1")), "two :status": bad_section((":status", "200"), (":status", "200")),
    "a :status of abc": bad_section((":status", "abc")), "a :status of 99": bad_section((":status", "99")),
    "a :path": bad_section((":status", "200"), (":path", "/")),
    ":status behind a field": bad_section(("x-a", "1"), (":status", "200")),
    "a capital letter": bad_section((":status", "200"), ("X-A", "1")),
    "connection: close": bad_section((":status", "200"), ("connection", "close")),
    "transfer-encoding: chunked": bad_section((":status", "200"), ("transfer-encoding", "chunked")),
    "CRLF in a value": bad_section((":status", "200"), ("x-a", "1\r\nx-b: 2")),
    "NUL in a value": bad_section((":status", "200"), ("x-a", "\0")),
    "a space in a name": bad_section((":status", "200"), ("x a", "1")),
    "status 101": bad_section((":status", "101")),
    "a length that is no number": bad_section((":status", "200"), ("content-length", "x")),
    "DATA before HEADERS": lambda number: f.data(number, b"x", True),
    "a block that cannot be decoded": lambda number: f.headers(number, hpack.indexed(0)),
    "a frame that is too large": lambda number: f.frame(0xEE, 0, 0, bytes(1 << 20)),
    "HTTP/1.1": lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" + bytes(9),
}

for what, make in WRONG.items():
    @case("8.1.1", f"an answer with {what} is not passed on", needs="http2")
    def bad_answer(t, make=make):
        def wrong(exchange):
            exchange.body()
            exchange.stream.sent_reset = True
            exchange.connection.write(make(exchange.stream.number))
        t.upstream.handlers["wrong"] = wrong
        client = t.connect()
        stream = client.request(call(t, "wrong"), message(b"x"))
        cut_short(stream, FITTING, range(500, 600))
        t.still_works(client)


@case("8.4", "a push of the upstream does not reach the client", needs="http2")
def push(t):
    promised = b"\0\0\0\2" + hpack.block([(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a")])

    def pushing(exchange):
        exchange.body()
        exchange.connection.write(f.frame(f.PUSH_PROMISE, f.END_HEADERS, exchange.stream.number, promised))
        exchange.reply(200, HEAD, b"answer", OK)
    t.upstream.handlers["pushing"] = pushing
    client = t.connect()
    stream = client.request(call(t, "pushing"), message(b"x"))
    stream.wait(stream.is_over, PATIENCE)
    need(stream.reset is not None or stream.status in (200, 502), f"answer {stream.status}")
    t.still_works(client)


CUT = {
    "fewer octets than its length": [("content-length", "9")], "more octets than its length": [("content-length", "2")]}

for what, more in CUT.items():
    @case("8.1.1", f"an answer with {what} has no clean end", needs="http2")
    def bad_length(t, more=more):
        t.upstream.handlers["wrong"] = lambda exchange: (exchange.body(), exchange.reply(200, more, b"four"))
        client = t.connect()
        stream = client.request(call(t, "wrong"), message(b"x"))
        cut_short(stream, FITTING, range(500, 600))
        t.still_works(client)


@case("8.1", "trailers of the upstream with a pseudo-field are no clean end", needs="http2")
def bad_trailers(t):
    t.upstream.handlers["wrong"] = lambda exchange: (exchange.body(),
                                                     exchange.reply(200, HEAD, b"four", [(":status", "200")]))
    client = t.connect()
    stream = client.request(call(t, "wrong"), message(b"x"))
    cut_short(stream, FITTING, range(500, 600))
    t.still_works(client)
