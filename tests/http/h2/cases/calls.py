"""gRPC's shapes of calls through the proxy: what leaves one end arrives at the other as it left, and at once."""

import struct
import threading

from .. import frames as f
from ..judge import case, need

PATIENCE = 30


def message(payload):
    return struct.pack(">BL", 0, len(payload)) + payload


def call(t, name, *more):
    """The head of a call of the handler `name`."""
    return t.fields("POST", ("content-type", "application/grpc"), ("te", "trailers"), *more, path=f"/{name}/{t.token}")


HEAD = [("content-type", "application/grpc")]
OK = [("grpc-status", "0"), ("grpc-message", "fine %E2%9C%93"), ("x-sum-bin", "AAEC/w")]


def grpc_status(stream, code):
    trailers = stream.received_trailers()
    need(trailers and (b"grpc-status", str(code).encode()) in trailers, f"trailers {trailers}")
    return trailers


def ended(stream):
    need(stream.wait(lambda: stream.ended, PATIENCE), f"no end: answer {stream.status}, reset {stream.reset}")


@case("8.1", "a unary call: head, message and undeclared trailers, both ways", needs="http2")
def unary(t):
    t.upstream.handlers["unary"] = lambda exchange: exchange.reply(200, HEAD, exchange.body()[::-1], OK)
    client = t.connect()
    stream = client.request(call(t, "unary", ("x-in-bin", "/wAB")), message(b"question"), trailers=[("x-late", "yes")])
    ended(stream)
    need(bytes(stream.kept) == message(b"question")[::-1], f"{bytes(stream.kept)!r}")
    need(sorted(grpc_status(stream, 0)) == sorted((n.encode(), v.encode()) for n, v in OK), f"{stream.sections}")
    record = t.upstream.wait_record(t.token, lambda record: record.whole)
    need(record.version == 2 and record.field(b"te") == [b"trailers"], f"te: {record.field(b'te')}")
    need(record.field(b"x-in-bin") == [b"/wAB"] and record.field(b"content-type") == [b"application/grpc"], "metadata")
    need(record.trailers == [(b"x-late", b"yes")], f"trailers at the upstream: {record.trailers}")


@case("8.1", "trailers alone end the stream in one HEADERS frame", needs="http2")
def trailers_only(t):
    def refuse(exchange):
        exchange.body()
        status = [("grpc-status", "5"), ("grpc-message", "no such")]
        exchange.stream.headers([(":status", "200"), *HEAD, *status], end=True)
    t.upstream.handlers["refuse"] = refuse
    client = t.connect()
    stream = client.request(call(t, "refuse"), message(b"x"))
    ended(stream)
    need(stream.field(b"grpc-status") == [b"5"] and stream.field(b"grpc-message") == [b"no such"], f"{stream.sections}")
    need(client.counts[f.DATA] == 0 and len(stream.sections) == 1, "more than one HEADERS frame")


@case("8.1", "messages of the server leave as they come", needs="http2")
def server_streaming(t):
    """The next message is made only when the last has arrived: one that waits for more would wait for ever."""
    arrived = threading.Semaphore(0)

    def stream_out(exchange):
        exchange.body()
        exchange.stream.headers([(":status", "200"), *HEAD])
        for i in range(100):
            exchange.stream.send(message(b"%d" % i))
            need(arrived.acquire(timeout=PATIENCE), f"message {i} did not arrive")
        exchange.stream.trailers(OK)
    t.upstream.handlers["out"] = stream_out
    client = t.connect()
    stream = client.request(call(t, "out"), message(b"all"))
    expected = b""
    for i in range(100):
        expected += message(b"%d" % i)
        need(stream.wait(lambda size=len(expected): stream.size >= size, PATIENCE), f"message {i} did not arrive")
        arrived.release()
    ended(stream)
    need(bytes(stream.kept) == expected, "other messages")
    grpc_status(stream, 0)


@case("8.1", "the head of an answer leaves before its body is there", needs="http2")
def head_first(t):
    go_on = threading.Event()

    def late(exchange):
        exchange.stream.headers([(":status", "200"), *HEAD])
        go_on.wait(PATIENCE)
        exchange.stream.trailers(OK)
    t.upstream.handlers["late"] = late
    client = t.connect()
    stream = client.request(call(t, "late"), end=False)
    need(stream.wait(lambda: stream.status == 200), "no head until the body comes")
    go_on.set()
    ended(stream)


@case("8.1", "messages of the client leave as they come, and the head before them", needs="http2")
def client_streaming(t):
    seen = threading.Semaphore(0)

    def take(exchange):
        seen.release()
        while exchange.read():
            seen.release()
        exchange.reply(200, HEAD, message(b"%d" % len(exchange.record.body)), OK)
    t.upstream.handlers["take"] = take

    client = t.connect()
    stream = client.request(call(t, "take"), end=False)
    need(seen.acquire(timeout=PATIENCE), "the head waits for the first message")
    for i in range(100):
        stream.send(message(b"m" * i))
        need(seen.acquire(timeout=PATIENCE), f"message {i} did not arrive")
    stream.send(b"", True)
    ended(stream)
    grpc_status(stream, 0)


@case("8.1", "1,000 messages back and forth", needs="http2")
def ping_pong(t):
    def pong(exchange):
        exchange.stream.headers([(":status", "200"), *HEAD])
        while (part := exchange.read()):
            exchange.stream.send(part)
        exchange.stream.trailers(OK)
    t.upstream.handlers["pong"] = pong
    client = t.connect()
    stream = client.request(call(t, "pong"), end=False)
    for i in range(1000):
        text = message(b"ball %d" % i)
        stream.send(text)
        need(stream.wait(lambda size=len(text): len(stream.kept) >= size, PATIENCE), f"ball {i} did not come back")
        need(stream.read() == text, f"ball {i} is another")
    stream.send(b"", True)
    ended(stream)
    grpc_status(stream, 0)


@case("5", "100 calls at once, answered in the reverse order, each with its own answer", needs="http2")
def reverse(t):
    count, waiting = 100, []
    lock, full = threading.Lock(), threading.Event()

    def last_first(exchange):
        body = exchange.body()
        with lock:
            waiting.append((exchange, body))
            if len(waiting) == count:
                full.set()
    t.upstream.handlers["reverse"] = last_first
    client = t.connect()
    need(client.peer.get(f.MAX_STREAMS, count) >= count, f"only {client.peer.get(f.MAX_STREAMS)} streams are allowed")
    streams = [client.request(call(t, "reverse"), message(b"%d" % i)) for i in range(count)]
    need(full.wait(PATIENCE), f"only {len(waiting)} of {count} are under way at once")
    for exchange, body in reversed(waiting):
        exchange.reply(200, HEAD, body, OK)
    for i, stream in enumerate(streams):
        ended(stream)
        need(bytes(stream.kept) == message(b"%d" % i), f"call {i} has another's answer")


@case("8.1", "an empty message, and one of 4 MiB both ways", needs="http2")
def sizes(t):
    t.upstream.handlers["unary"] = lambda exchange: exchange.reply(200, HEAD, exchange.body(), OK)
    client = t.connect()
    for size in (0, 1, f.FRAME_SIZE - 5, f.FRAME_SIZE, f.WINDOW, 4 << 20):
        text = message(b"s" * size)
        stream = client.request(call(t, "unary"), text)
        ended(stream)
        need(bytes(stream.kept) == text, f"{stream.size} octets of {len(text)}")
        grpc_status(stream, 0)
