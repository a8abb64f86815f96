"""RFC 9113, section 8.1: messages as wholes: bodies, lengths, trailers, many at once."""

from .. import frames as f
from .. import hpack
from ..judge import case, need
from .framing import block


def post(t, *more):
    return t.fields("POST", *more)


@case("8.1", "a body without a length passes")
def no_length(t):
    client = t.connect()
    t.answered(client, client.request(post(t), b"body"), b"body", method="POST")


@case("8.1", "a body with its length passes")
def with_length(t):
    client = t.connect()
    t.answered(client, client.request(post(t, ("content-length", "4")), b"body"), b"body", method="POST")
    need(t.upstream.wait_record(t.token).field(b"content-length") in ([b"4"], []), "another length")


@case("8.1", "empty DATA frames within and at the end of a body are no harm")
def empty_data(t):
    client = t.connect()
    stream = client.stream()
    client.send(f.headers(1, block(t, method="POST"), end=False) + f.data(1) + f.data(1, b"ab") + f.data(1) +
                f.data(1, b"c") + f.data(1, b"", True))
    t.answered(client, stream, b"abc", method="POST")


@case("8.1", "a body of 3 MiB comes back whole")
def large(t):
    client = t.connect()
    body = bytes(range(256)) * (3 << 12)
    t.answered(client, client.request(post(t), body), body, method="POST")


@case("8.1", "a GET may have a body")
def get_with_body(t):
    client = t.connect()
    t.answered(client, client.request(t.fields(), b"body"), b"body")


for length, parts in ((1, [b"test"]), (1, [b"te", b"st"]), (10, [b"test"]), (0, [b"x"]), (5, [b"te", b"", b"st"])):
    @case("8.1.1", f"a length of {length} for {sum(map(len, parts))} octets in {len(parts)} frames is malformed")
    def mismatch(t, length=length, parts=parts):
        client = t.connect()
        stream = client.stream()
        frames = [f.data(1, part, part is parts[-1]) for part in parts]
        head = block(t, ("content-length", str(length)), method="POST")
        client.send(f.headers(1, head, end=False) + b"".join(frames))
        t.malformed(client, stream, seen_before=True)


@case("8.1.1", "a length that trailers prove wrong is malformed")
def mismatch_by_trailers(t):
    client = t.connect()
    stream = client.request(post(t, ("content-length", "9")), b"test", trailers=[("x-a", "1")])
    t.malformed(client, stream, seen_before=True)


# -- trailers

@case("8.1", "trailers of a request end it, and its body is whole")
def trailers(t):
    client = t.connect()
    stream = client.request(post(t, ("te", "trailers"), ("trailer", "x-sum")), b"body", trailers=[("x-sum", "1")])
    t.answered(client, stream, b"body", method="POST")


@case("8.1", "trailers without a body end a request")
def only_trailers(t):
    client = t.connect()
    stream = client.request(post(t), trailers=[("x-sum", "1")])
    t.answered(client, stream, method="POST")


@case("8.1", "a second HEADERS without END_STREAM is malformed")
def second_headers(t):
    client = t.connect()
    stream = client.stream()
    client.send(f.headers(1, block(t, method="POST"), end=False) + f.data(1, b"test") +
                f.headers(1, hpack.block([("x-test", "ok")]), end=False) + f.data(1, b"", True))
    t.malformed(client, stream, seen_before=True)


@case("8.1", "the head of another request as a second HEADERS is malformed")
def second_head(t):
    client = t.connect()
    stream = client.stream()
    client.send(f.headers(1, block(t, method="POST"), end=False) + f.headers(1, block(t, method="POST"), end=True))
    t.malformed(client, stream, seen_before=True)


for what, tail in (("a pseudo-field", (":method", "GET")), (":path", (":path", "/")), (":status", (":status", "200")),
                   ("a capital letter", ("X-Sum", "1")), ("transfer-encoding", ("transfer-encoding", "chunked")),
                   ("connection", ("connection", "close")), ("CRLF in a value", ("x-a", "1\r\nx-b: 2")),
                   ("NUL in a value", ("x-a", "\0")), ("a space in a name", ("x a", "1"))):
    @case("8.1", f"trailers with {what} are malformed")
    def bad_trailers(t, tail=tail):
        client = t.connect()
        stream = client.request(post(t, ("trailer", "x-a")), b"body", trailers=[tail])
        t.malformed(client, stream, seen_before=True)


for name, value in (("content-length", "99"), ("host", "evil.example"), ("authorization", "Bearer x")):
    @case("8.1", f"{name} as a trailer does not become one of the head")
    def late_field(t, name=name, value=value):
        client = t.connect()
        stream = client.request(post(t, ("trailer", name)), b"body", trailers=[(name, value)])
        client.wait(lambda: stream.is_over() or client.goaway)
        record = t.upstream.wait_record(t.token)
        need(record is None or value.encode() not in record.field(name.encode()), f"{record and record.fields}")


# -- many at once

def all_answered(t, streams, texts):
    for stream, text in zip(streams, texts):
        need(stream.wait(lambda s=stream: s.ended, 60), f"stream {stream.number}: reset {stream.reset}")
        kept = bytes(stream.kept)
        need(kept.endswith(text), f"stream {stream.number} has another's answer: {kept[:80]!r}")


@case("5", "200 requests at once each get their own answer")
def at_once(t):
    client = t.connect()
    limit = client.most_streams(200)
    paths = [f"{t.path}/{i}" for i in range(200)]
    for begin in range(0, 200, limit):
        part = paths[begin:begin + limit]
        streams = [client.request(t.fields(path=path)) for path in part]
        all_answered(t, streams, [f"GET {path}\n".encode() for path in part])


@case("5", "bodies whose frames alternate are kept apart")
def interleaved(t):
    client = t.connect()
    count = client.most_streams(50)
    streams = [client.request(t.fields("POST", path=f"{t.path}/{i}"), end=False) for i in range(count)]
    for part in range(5):
        for i, stream in enumerate(streams):
            client.send(f.data(stream.number, b"%03d-%d " % (i, part), part == 4))
    all_answered(t, streams, [b"".join(b"%03d-%d " % (i, part) for part in range(5)) for i in range(count)])


@case("5", "300 requests one after the other on one connection are answered")
def in_a_row(t):
    client = t.connect()
    for _ in range(300):
        t.answered(client, client.request(t.fields()))


@case("5", "a stalled answer does not hold up the others")
def no_head_of_line(t):
    t.upstream.handlers["big"] = lambda exchange: (exchange.body(), exchange.reply(200, (), bytes(1 << 20)))
    client = t.connect()
    client.auto_stream = False
    stalled = client.request(t.fields(path=f"/big/{t.token}"))
    need(client.wait(lambda: stalled.size == f.WINDOW), f"{stalled.size} octets instead of {f.WINDOW}")
    for _ in range(20):
        t.answered(client, client.request(t.fields()))
    stalled.credit(1 << 20)
    need(stalled.wait(lambda: stalled.ended) and stalled.size == 1 << 20, f"{stalled.size} octets")


@case("8.1", "an answer before the end of the request comes through")
def early_answer(t):
    def early(exchange):
        exchange.reply(413 if exchange.record.method == "POST" else 200, (), b"too large")
    t.upstream.handlers["early"] = early
    if t.upstream.protocol == "http1":
        return
    client = t.connect()
    stream = client.request(t.fields("POST", path=f"/early/{t.token}"), b"begun", end=False)
    need(stream.wait(lambda: stream.size == 9) and stream.status == 413, f"{stream.status}, reset {stream.reset}")
    need(stream.reset in (None, f.NO_ERROR), f"reset {stream.reset}")
    t.still_works(client)
