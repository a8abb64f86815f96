"""RFC 9113, sections 5 and 6.1 to 6.4: states and numbers of streams, and the frames that live on them."""

from .. import frames as f
from .. import hpack
from ..judge import case, need
from .framing import block


def slow(t, *more, method="GET"):
    """A block whose request is answered only after it was let go: the stream is half-closed until then."""
    return hpack.block(t.fields(method, *more, path=f"/held/{t.token}"))


def hold(t):
    """Lets `/held` wait until the case is over."""
    def held(exchange):
        exchange.body()
        exchange.wait_reset(3.0)
        exchange.reply(200)
    t.upstream.handlers["held"] = held


def reset_after_end(t, client, stream):
    """RST_STREAM has left, and a PING shows that it was read."""
    client.send(f.rst_stream(stream.number, f.CANCEL))
    stream.sent_reset = True
    need(client.is_silent(), "an error after RST_STREAM")


IDLE = (("DATA", f.data(1, b"x", True)), ("RST_STREAM", f.rst_stream(1)), ("WINDOW_UPDATE", f.window_update(1, 100)))

for name, frame in IDLE:
    @case("5.1", f"{name} on an idle stream is a connection error")
    def idle(t, frame=frame):
        client = t.connect()
        client.send(frame)
        t.connection_error(client, f.PROTOCOL_ERROR)


@case("5.1", "CONTINUATION on an idle stream is a connection error")
def idle_continuation(t):
    client = t.connect()
    client.send(f.frame(f.CONTINUATION, f.END_HEADERS, 1, block(t)))
    t.connection_error(client, f.PROTOCOL_ERROR)
    t.not_passed_on()


@case("5.1", "RST_STREAM on an idle stream above one that is in use is a connection error")
def idle_above(t):
    client = t.connect()
    t.answered(client, client.request(t.fields()))
    client.send(f.rst_stream(5))
    t.connection_error(client, f.PROTOCOL_ERROR)


CLOSED = (f.STREAM_CLOSED, f.PROTOCOL_ERROR)

for name, make in (("DATA", lambda t: f.data(1, b"x", True)), ("HEADERS", lambda t: f.headers(1, block(t))),):
    @case("5.1", f"{name} behind END_STREAM, the answer not there yet, is a stream error")
    def half_closed(t, make=make):
        hold(t)
        client = t.connect()
        stream = client.stream()
        client.send(f.headers(1, slow(t)) + make(t))
        t.stream_error(client, stream, *CLOSED)

    @case("5.1", f"{name} on a stream that has closed is an error or ignored, and goes nowhere")
    def closed(t, make=make):
        client = t.connect()
        t.answered(client, client.request(t.fields()))
        seen = len(t.upstream.records.of(t.token))
        client.send(make(t))
        if not client.is_silent() or client.streams[1].reset is not None:
            t.connection_or_stream(client, client.streams[1], *CLOSED)
        t.clean_http2()
        need(len(t.upstream.records.of(t.token)) == seen, "the late frame was passed on")

    @case("5.1", f"{name} after RST_STREAM was sent harms nothing but its stream")
    def after_reset(t, make=make):
        hold(t)
        client = t.connect()
        stream = client.stream()
        client.send(f.headers(1, slow(t)))
        reset_after_end(t, client, stream)
        client.send(make(t))
        need(client.is_silent() or client.wait(lambda: client.closed) and client.goaway in (None, *CLOSED),
             f"GOAWAY {client.goaway}")
        t.clean_http2()
        need(len(t.upstream.records.of(t.token)) <= 1, "the late frame was passed on")


@case("5.1", "CONTINUATION behind END_STREAM is a connection error")
def closed_continuation(t):
    client = t.connect()
    t.answered(client, client.request(t.fields()))
    client.send(f.frame(f.CONTINUATION, f.END_HEADERS, 1, block(t)))
    t.connection_error(client, f.PROTOCOL_ERROR, f.STREAM_CLOSED)


for name, frame in (("WINDOW_UPDATE", f.window_update(1, 10)), ("PRIORITY", f.priority(1)),
                    ("RST_STREAM", f.rst_stream(1))):
    @case("5.1", f"{name} on a stream that has just closed is ignored")
    def late(t, frame=frame):
        client = t.connect()
        t.answered(client, client.request(t.fields()))
        client.send(frame)
        t.still_works(client)


@case("5.1.1", "an even number is a connection error")
def even(t):
    client = t.connect()
    client.send(f.headers(2, block(t)))
    t.connection_error(client, f.PROTOCOL_ERROR)
    t.not_passed_on()


@case("5.1.1", "a number below the last is an error")
def descending(t):
    client = t.connect()
    t.answered(client, client.request_on(5, t.fields()))
    before = len(t.upstream.records.of(t.token))
    stream = client.stream(3)
    client.send(f.headers(3, block(t)))
    t.connection_or_stream(client, stream, f.PROTOCOL_ERROR, f.STREAM_CLOSED)
    t.clean_http2()
    need(len(t.upstream.records.of(t.token)) == before, "it was passed on")


@case("5.1.1", "numbers may be left out")
def gaps(t):
    client = t.connect()
    for number in (1, 7, 101, 2**31 - 1):
        t.answered(client, client.request_on(number, t.fields()))


@case("5.1.2", "streams above the announced limit are refused, those within it are not")
def too_many(t):
    hold(t)
    client = t.connect()
    limit = client.peer.get(f.MAX_STREAMS)
    need(limit is not None and limit <= 10_000, f"SETTINGS_MAX_CONCURRENT_STREAMS is {limit}: no bound on streams")
    streams = [client.stream() for _ in range(limit + 1)]
    client.send(b"".join(f.headers(stream.number, slow(t, method="POST"), end=False) for stream in streams))
    t.stream_error(client, streams[-1], f.PROTOCOL_ERROR, f.REFUSED_STREAM)
    if not client.closed:
        need(sum(stream.reset is not None for stream in streams) == 1, "streams within the limit were refused")
    for stream in streams[:-1]:
        stream.sent_reset = True


for number in (1, 3):
    @case("5.3.1", f"a stream {number} that depends on itself is an error of its stream or ignored")
    def self_dependency(t, number=number):
        client = t.connect()
        stream = client.stream(number)
        payload = number.to_bytes(4, "big") + b"\x0f" + block(t)
        client.send(f.headers(number, payload, flags=f.WITH_PRIORITY))
        client.wait(lambda: stream.is_over() or client.goaway)
        need(stream.status == 200 or stream.reset == f.PROTOCOL_ERROR or client.goaway == f.PROTOCOL_ERROR,
             f"answer {stream.status}, reset {stream.reset}, GOAWAY {client.goaway}")


@case("5.4.1", "after a connection error nothing more is taken")
def nothing_after_an_error(t):
    client = t.connect()
    client.send(f.frame(f.PING, 0, 0, b"short") + f.headers(1, block(t)))
    t.connection_error(client, f.FRAME_SIZE_ERROR)
    t.not_passed_on()


@case("5.4.2", "a stream error leaves the other streams alone")
def only_one_stream(t):
    client = t.connect()
    bad = client.request([*t.fields(), ("connection", "close")])
    good = client.request(t.fields())
    t.stream_error(client, bad, f.PROTOCOL_ERROR, answers=range(400, 500))
    if not client.goaway:
        t.answered(client, good)


# -- the frames of a stream

@case("6.1", "DATA on stream 0 is a connection error")
def data_on_0(t):
    client = t.connect()
    client.send(f.data(0, b"x", True))
    t.connection_error(client, f.PROTOCOL_ERROR)


for length, padding in ((5, 5), (5, 200), (1, 1), (0, None)):
    @case("6.1", f"DATA of {length} octets with a padding of {padding} is a connection error")
    def bad_padding(t, length=length, padding=padding):
        client = t.connect()
        payload = b"" if padding is None else bytes([padding]) + bytes(length - 1)
        client.stream()
        client.send(f.headers(1, block(t, method="POST"), end=False) +
                    f.frame(f.DATA, f.END_STREAM | f.PADDED, 1, payload))
        t.connection_error(client, *((f.PROTOCOL_ERROR,) if payload else (f.PROTOCOL_ERROR, f.FRAME_SIZE_ERROR)))
        t.not_passed_on(begun=True)


@case("6.1", "padding is no part of the body")
def padding(t):
    client = t.connect()
    stream = client.stream()
    client.send(f.headers(1, block(t, ("content-length", "4"), method="POST"), end=False) +
                f.frame(f.DATA, f.PADDED, 1, f.padded(b"ab", 255)) + f.frame(f.DATA, f.PADDED, 1, f.padded(b"", 7)) +
                f.frame(f.DATA, f.PADDED | f.END_STREAM, 1, f.padded(b"cd", 0)))
    t.answered(client, stream, b"abcd", method="POST")


@case("6.2", "HEADERS on stream 0 is a connection error")
def headers_on_0(t):
    client = t.connect()
    client.send(f.headers(0, block(t)))
    t.connection_error(client, f.PROTOCOL_ERROR)


@case("6.2", "HEADERS with more padding than octets is a connection error")
def bad_headers_padding(t):
    client = t.connect()
    head = block(t)
    client.send(f.headers(1, bytes([min(255, len(head) + 2)]) + head, flags=f.PADDED))
    t.connection_error(client, f.PROTOCOL_ERROR)


@case("6.2", "HEADERS that are too short for a priority are a connection error")
def short_priority_field(t):
    client = t.connect()
    client.send(f.headers(1, b"\0\0\0", flags=f.WITH_PRIORITY))
    t.connection_error(client, f.FRAME_SIZE_ERROR, f.PROTOCOL_ERROR)


@case("6.2", "HEADERS with padding and priority are taken")
def padded_headers(t):
    client = t.connect()
    stream = client.stream()
    payload = f.padded(b"\0\0\0\0\x10" + block(t), 9)
    client.send(f.headers(1, payload, flags=f.PADDED | f.WITH_PRIORITY))
    t.answered(client, stream)


@case("6.3", "PRIORITY on stream 0 is a connection error")
def priority_on_0(t):
    client = t.connect()
    client.send(f.priority(0))
    t.connection_error(client, f.PROTOCOL_ERROR)


@case("6.3", "PRIORITY of a wrong length is an error")
def priority_length(t):
    client = t.connect()
    stream = client.stream()
    client.send(f.headers(1, block(t, method="POST"), end=False) + f.frame(f.PRIORITY, 0, 1, b"\0\0\0\1"))
    t.stream_error(client, stream, f.FRAME_SIZE_ERROR)


@case("6.3", "PRIORITY on an idle stream is taken, and a stream below it may still be opened")
def priority_idle(t):
    client = t.connect()
    client.send(f.priority(101, 7, 200) + f.priority(7))
    t.still_works(client)


@case("6.4", "RST_STREAM on stream 0 is a connection error")
def reset_on_0(t):
    client = t.connect()
    client.send(f.rst_stream(0))
    t.connection_error(client, f.PROTOCOL_ERROR)


for length in (0, 3, 5):
    @case("6.4", f"RST_STREAM of {length} octets is a connection error")
    def reset_length(t, length=length):
        client = t.connect()
        client.send(f.headers(1, block(t, method="POST"), end=False) + f.frame(f.RST_STREAM, 0, 1, bytes(length)))
        client.stream()
        t.connection_error(client, f.FRAME_SIZE_ERROR)


@case("6.4", "a request that is taken back is taken back from the upstream too")
def reset_reaches_the_upstream(t):
    hold(t)
    client = t.connect()
    stream = client.stream()
    client.send(f.headers(1, slow(t)))
    need(t.upstream.wait_record(t.token), "it did not reach the upstream")
    reset_after_end(t, client, stream)
    need(t.upstream.wait_record(t.token, lambda record: record.reset is not None), "the upstream was not told")
    t.still_works(client)


@case("6.6", "PUSH_PROMISE of a client is a connection error")
def push(t):
    client = t.connect()
    client.stream()
    client.send(f.headers(1, block(t, method="POST"), end=False) +
                f.frame(f.PUSH_PROMISE, f.END_HEADERS, 1, b"\0\0\0\2" + block(t)))
    t.connection_error(client, f.PROTOCOL_ERROR)


@case("7", "unknown error codes have no special meaning")
def unknown_codes(t):
    client = t.connect()
    client.stream()
    client.send(f.headers(1, block(t, method="POST"), end=False) + f.rst_stream(1, 0xFEED))
    t.still_works(client)
