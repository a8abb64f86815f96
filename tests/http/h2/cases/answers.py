"""What passes from an upstream of HTTP/2 to the client, how far it may run ahead, and what either may ask for."""

import hashlib
import threading
import time

from .. import fields as rules
from .. import frames as f
from ..client import http1
from ..judge import case, need
from .abuse import Watch
from .calls import HEAD, OK, PATIENCE, call, ended, message

STREAM = 64 << 20
# what both windows, the sockets' buffers and the proxy may hold together
AHEAD = 12 << 20
GROWTH = 16 << 20
PART = 1 << 16


def part_of(i):
    """No two parts are alike."""
    return hashlib.sha256(b"%d" % i).digest() * (PART // 32)


def whole():
    digest = hashlib.sha256()
    for i in range(STREAM // PART):
        digest.update(part_of(i))
    return digest.digest()


def settle(watch, progress):
    """Until it has not moved for half a second."""
    last, since = progress(), time.monotonic()
    while time.monotonic() - since < 0.5:
        time.sleep(0.05)
        watch.look()
        if progress() != last:
            last, since = progress(), time.monotonic()


@case("6.9", "64 MiB to a client that does not read stop at the upstream, and are whole once it reads", needs="http2")
def stalled_client(t):
    state = {"sent": 0}

    def pour(exchange):
        exchange.body()
        exchange.stream.headers([(":status", "200"), *HEAD])
        for i in range(STREAM // PART):
            exchange.stream.send(part_of(i), patience=120)
            state["sent"] += PART
        exchange.stream.trailers(OK)
    t.upstream.handlers["pour"] = pour
    watch = Watch(t, GROWTH)
    client = t.connect(auto_window=False)
    stream = client.request(call(t, "pour"), message(b"x"))
    settle(watch, lambda: state["sent"])
    need(state["sent"] <= AHEAD, f"{state['sent'] >> 20} MiB were taken for a client that reads nothing")
    digest = hashlib.sha256()
    client.auto_connection = client.auto_stream = True
    client.credit(f.WINDOW - client.room)
    stream.credit(f.WINDOW - stream.room)
    while (part := stream.read(PATIENCE)):
        digest.update(part)
        watch.look()
    need(digest.digest() == whole(), f"{stream.size} octets, not those that were sent")
    need(stream.received_trailers(), "no trailers")
    watch.end()


@case("6.9", "64 MiB for an upstream that does not read stop at the client, and are whole once it reads", needs="http2")
def stalled_upstream(t):
    state, go_on = {"sent": 0}, threading.Event()

    def drink(exchange):
        go_on.wait(PATIENCE)
        digest = hashlib.sha256()
        while (part := exchange.stream.read()):
            digest.update(part)
        exchange.reply(200, HEAD, digest.digest(), OK)
    t.upstream.handlers["drink"] = drink

    def pour():
        for i in range(STREAM // PART):
            stream.send(part_of(i), patience=120)
            state["sent"] += PART
        stream.send(b"", True)
    watch = Watch(t, GROWTH)
    client = t.connect()
    stream = client.request(call(t, "drink"), end=False)
    threading.Thread(target=pour, daemon=True).start()
    settle(watch, lambda: state["sent"])
    need(state["sent"] <= AHEAD, f"{state['sent'] >> 20} MiB were taken for an upstream that reads nothing")
    go_on.set()
    while not stream.wait(stream.is_over, 0.2) and state["sent"] < STREAM:
        watch.look()
    stream.wait(stream.is_over, PATIENCE)
    need(bytes(stream.kept) == whole(), f"answer {stream.status}, reset {stream.reset}, {state['sent']} octets sent")
    watch.end()


@case("6.9", "one stalled stream leaves the others of the same upstream alone", needs="http2")
def others_go_on(t):
    t.upstream.handlers["never"] = lambda exchange: exchange.wait_reset(PATIENCE)
    client = t.connect()
    stalled = client.request(call(t, "never"), end=False)

    def pour():
        try:
            stalled.send(bytes(4 << 20), patience=5)
        except Exception:
            return
    thread = threading.Thread(target=pour, daemon=True)
    thread.start()
    need(t.upstream.wait_record("/never/" + t.token), "it did not arrive")
    time.sleep(0.3)
    with_own = t.connect()
    for _ in range(20):
        t.answered(with_own, with_own.request(t.fields("GET", ("content-type", "application/grpc"))))
    stalled.cancel()
    thread.join(10)


@case("8.1", "1xx come before the answer or not at all, and never for it", needs="http2")
def informational(t):
    def hints(exchange):
        exchange.body()
        for status in ("103", "103", "110"):
            exchange.stream.headers([(":status", status), ("link", "</a>; rel=next")])
        exchange.reply(200, HEAD, b"answer", OK)
    t.upstream.handlers["hints"] = hints
    client = t.connect()
    stream = client.request(call(t, "hints"), message(b"x"))
    ended(stream)
    need(stream.status == 200 and bytes(stream.kept) == b"answer", f"{stream.status} {bytes(stream.kept)!r}")
    need(stream.received_trailers() and not stream.field(b"link"), "fields of the 1xx are in the answer")


@case("8.2", "an answer's fields pass unchanged, each cookie for itself, 30 KiB of them", needs="http2")
def answer_fields(t):
    more = [("set-cookie", "a=1"), ("set-cookie", "b=2"), ("x-high", "\xe9\xff"), ("x-empty", ""),
            ("x-long", "v" * 30_000), *((f"x-{i}", str(i)) for i in range(80))]
    t.upstream.handlers["many"] = lambda exchange: (exchange.body(), exchange.reply(200, more, b"x"))
    client = t.connect()
    stream = client.request(call(t, "many"), message(b"x"))
    ended(stream)
    for name in {name for name, _ in more}:
        expected = [value.encode("latin-1") for key, value in more if key == name]
        need(stream.field(name.encode()) == expected, f"{name}: {stream.field(name.encode())!r:.200}")


@case("8.2", "a request with 30 KiB of fields passes", needs="http2")
def long_request(t):
    client = t.connect()
    t.answered(client, client.request([*t.fields(), ("content-type", "application/grpc"), ("x-long", "v" * 30_000)]))
    need(t.upstream.wait_record(t.token).field(b"x-long") == [b"v" * 30_000], "another value")


BARE = [("HEAD", 200, [("content-length", "1234")]), ("HEAD", 200, []), ("GET", 204, []),
        ("GET", 304, [("etag", '"a"')]), ("GET", 304, [("content-length", "99")]),
        ("GET", 200, [("content-length", "0")]), ("GET", 200, []),
        ("HEAD", 404, [("content-length", "7")]), ("GET", 205, []), ("GET", 302, [("location", "/b")]),
        ("GET", 599, [])]

for method, status, more in BARE:
    @case("8.1", f"{status} for {method} with {dict(more) or 'no fields'} ends at once and without a body")
    def bare(t, method=method, status=status, more=more):
        t.upstream.handlers["bare"] = lambda exchange: (exchange.body(), exchange.reply(status, more))
        client = t.connect()
        stream = client.request(t.fields(method, path=f"/bare/{t.token}"))
        ended(stream)
        need(stream.status == status and stream.size == 0, f"{stream.status}, {stream.size} octets")
        for name, value in more:
            need(stream.field(name.encode()) == [value.encode()], f"{name}: {stream.field(name.encode())}")
        t.still_works(client)


@case("8.1", "trailers of an upstream, declared or not, reach the client", needs="http2")
def trailers(t):
    for declared in ([], [("trailer", "x-sum")]):
        t.upstream.handlers["sum"] = lambda exchange, more=declared: (
            exchange.body(), exchange.reply(200, more, b"body", [("x-sum", "1"), ("x-sum", "2")]))
        client = t.connect()
        stream = client.request(t.fields("GET", ("content-type", "application/grpc"), path=f"/sum/{t.token}"))
        ended(stream)
        need(stream.received_trailers() == [(b"x-sum", b"1"), (b"x-sum", b"2")], f"{stream.received_trailers()}")


# -- what the upstream asks for

def with_settings(values):
    """For the connections to the upstream that are opened from now on; those there are, are told to end."""
    def register(run):
        def wrapped(t):
            t.upstream.values = values
            retire(t.upstream)
            try:
                run(t)
            finally:
                t.upstream.values = {}
                retire(t.upstream)
        wrapped.__module__ = run.__module__
        return wrapped
    return register


def retire(upstream):
    for connection in upstream.connections:
        connection.write_if_open(f.goaway(connection.newest))
    time.sleep(0.2)
    for connection in upstream.connections:
        connection.close()
    time.sleep(0.1)


@case("5.1.2", "no more streams than an upstream allows are opened at once, all are answered", needs="http2")
@with_settings({f.MAX_STREAMS: 2})
def upstream_limit(t):
    most, now, lock = [0], {}, threading.Lock()

    def counted(exchange):
        with lock:
            now[exchange.connection] = now.get(exchange.connection, 0) + 1
            most[0] = max(most[0], now[exchange.connection])
        exchange.body()
        time.sleep(0.01)
        with lock:
            now[exchange.connection] -= 1
        exchange.reply(200, HEAD, b"", OK)
    t.upstream.handlers["counted"] = counted
    client = t.connect()
    # the limit is known once a connection has carried a request
    ended(client.request(call(t, "counted"), message(b"x")))
    streams = [client.request(call(t, "counted"), message(b"x")) for _ in range(40)]
    for stream in streams:
        stream.wait(stream.is_over, PATIENCE)
    need([stream.status for stream in streams] == [200] * 40, f"{[stream.status for stream in streams]}")
    need(most[0] <= 2, f"{most[0]} streams at once on a connection that allows 2")


@case("6.9.2", "an upload keeps to a window of 1,000 octets at the upstream", needs="http2")
@with_settings({f.INITIAL_WINDOW: 1000})
def small_window(t):
    client = t.connect()
    body = bytes(range(250)) * 400
    stream = client.request([*t.fields("POST"), ("content-type", "application/grpc")], body)
    t.answered(client, stream, body, method="POST")


@case("6.5.2", "no dynamic table is used for an upstream that allows none", needs="http2")
@with_settings({f.TABLE_SIZE: 0})
def upstream_table(t):
    t.upstream.table_limit = 0
    try:
        client = t.connect()
        for _ in range(10):
            t.answered(client, client.request([*t.fields(), ("content-type", "application/grpc")]))
    finally:
        t.upstream.table_limit = None


@case("6.7", "PING and SETTINGS of an upstream are answered", needs="http2")
def upstream_ping(t):
    result = {}

    def ask(exchange):
        exchange.body()
        exchange.connection.send_settings({f.MAX_FIELDS: 1 << 20})
        result["silent"] = exchange.connection.is_silent()
        result["acks"] = exchange.connection.acks >= exchange.connection.sent_settings
        exchange.reply(200, HEAD, b"", OK)
    t.upstream.handlers["ask"] = ask
    client = t.connect()
    ended(client.request(call(t, "ask"), message(b"x")))
    need(result == {"silent": True, "acks": True}, f"{result}")


# -- HTTP/1.1 beside it

@case("9.1", "a client of HTTP/1.1 is served as ever, whatever the upstream speaks")
def old_client(t):
    status, head, body = http1(t.port, t.path, "POST", b"body")
    need((status, body) == (200, f"POST {t.path}\nbody".encode()), f"{status} {body[:100]!r}")
    need(len(rules.get(head, b"content-length") + rules.get(head, b"transfer-encoding")) == 1, f"{head}")
    record = t.upstream.wait_record(t.token)
    need(len(record.field(b"host")) == 1, f"{record.fields}")


@case("9.1", "clients of either version at once, 20 each, get their own answers")
def both_at_once(t):
    wrong = []

    def old(i):
        path = f"{t.path}/old{i}"
        for _ in range(10):
            if http1(t.port, path)[2] != f"GET {path}\n".encode():
                wrong.append(path)
    threads = [threading.Thread(target=old, args=(i,)) for i in range(20)]
    for thread in threads:
        thread.start()
    client = t.connect()
    for i in range(200):
        path = f"{t.path}/new{i}"
        stream = client.request(t.fields(path=path))
        ended(stream)
        if bytes(stream.kept) != f"GET {path}\n".encode():
            wrong.append(path)
    for thread in threads:
        thread.join(PATIENCE)
    need(not wrong, f"{wrong}")
