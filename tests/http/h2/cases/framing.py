"""RFC 9113, section 4: the format and size of frames, and header blocks as one."""

from .. import frames as f
from .. import hpack
from ..judge import case, need


def block(t, *more, method="GET"):
    return hpack.block(t.fields(method, *more))


@case("4.1", "frames of an unknown type are ignored")
def unknown_type(t):
    client = t.connect()
    client.send(f.frame(0xEE, 0xFF, 0, b"hello") + f.frame(0x16, 0, 0, bytes(f.FRAME_SIZE)))
    t.still_works(client)


@case("4.1", "an unknown frame between the frames of a request is ignored")
def unknown_between(t):
    client = t.connect()
    stream = client.stream()
    client.send(f.headers(1, block(t, method="POST"), end=False) + f.frame(0xEE, 0xFF, 1, b"x") + f.data(1, b"y", True))
    t.answered(client, stream, b"y", method="POST")


@case("4.1", "undefined flags are ignored")
def undefined_flags(t):
    client = t.connect()
    client.send(f.ping(b"12345678", 0x16))
    need(client.wait(lambda: b"12345678" in client.pongs), "no answer to PING")
    stream = client.stream()
    client.send(f.headers(1, block(t), flags=0xC2))
    t.answered(client, stream)


@case("4.1", "the reserved bit of the stream identifier is ignored")
def reserved_bit(t):
    client = t.connect()
    client.send(f.frame(f.PING, 0, 1 << 31, b"87654321"))
    need(client.wait(lambda: b"87654321" in client.pongs), "no answer to PING")
    stream = client.stream()
    client.send(f.headers(1 | 1 << 31, block(t)))
    t.answered(client, stream)


@case("4.2", "a DATA frame of 2^14 octets is taken")
def largest_data(t):
    client = t.connect()
    body = b"d" * f.FRAME_SIZE
    stream = client.stream()
    client.send(f.headers(1, block(t, method="POST"), end=False) + f.data(1, body, True))
    t.answered(client, stream, body, method="POST")


@case("4.2", "a HEADERS frame of 2^14 octets is taken")
def largest_headers(t):
    client = t.connect()
    head = block(t)
    filler = hpack.block([("x-fill", "f" * 15000)])
    filler += hpack.literal("x-rest", "r" * (f.FRAME_SIZE - len(head) - len(filler) - 11))
    need(len(head + filler) <= f.FRAME_SIZE, "the case is wrong")
    stream = client.stream()
    client.send(f.headers(1, head + filler))
    t.answered(client, stream)


@case("4.2", "a DATA frame above SETTINGS_MAX_FRAME_SIZE is an error")
def too_large_data(t):
    client = t.connect()
    stream = client.stream()
    size = client.peer.get(f.MAX_FRAME, f.FRAME_SIZE) + 1
    client.send(f.headers(1, block(t, method="POST"), end=False) + f.data(1, bytes(size), True))
    t.stream_error(client, stream, f.FRAME_SIZE_ERROR)
    t.not_passed_on(begun=True)


for name, kind, number in (("HEADERS", f.HEADERS, 1), ("SETTINGS", f.SETTINGS, 0), ("PING", f.PING, 0),
                           ("an unknown frame", 0xEE, 0)):
    @case("4.2", f"{name} above SETTINGS_MAX_FRAME_SIZE is a connection error")
    def too_large(t, kind=kind, number=number):
        client = t.connect()
        size = client.peer.get(f.MAX_FRAME, f.FRAME_SIZE) + 1
        client.send(f.frame(kind, f.END_HEADERS | f.END_STREAM if kind == f.HEADERS else 0, number, bytes(size)))
        t.connection_error(client, f.FRAME_SIZE_ERROR, f.ENHANCE_YOUR_CALM)


@case("4.2", "a frame that claims 2^24-1 octets is an error before they come")
def claims(t):
    client = t.connect()
    client.send(f.frame(f.SETTINGS, 0, 0, b"", length=(1 << 24) - 1))
    t.connection_error(client, f.FRAME_SIZE_ERROR)


@case("4.3", "a header block that cannot be decoded is a connection error")
def undecodable(t):
    client = t.connect()
    client.send(f.headers(1, b"\x40\x01\x88"))
    t.connection_error(client, f.COMPRESSION_ERROR)


@case("4.3", "an index outside of both tables is a connection error")
def no_such_index(t):
    client = t.connect()
    client.send(f.headers(1, block(t) + hpack.indexed(127)))
    t.connection_error(client, f.COMPRESSION_ERROR)


for name, frame in (("PRIORITY", f.priority(1)), ("HEADERS of another stream", None), ("DATA", f.data(1, b"x")),
                    ("PING", f.ping()), ("SETTINGS", f.settings()), ("RST_STREAM", f.rst_stream(1)),
                    ("WINDOW_UPDATE", f.window_update(0, 1)), ("an unknown frame", f.frame(0xEE, 0, 1, b"x")),
                    ("GOAWAY", f.goaway())):
    @case("4.3", f"{name} inside a header block is a connection error")
    def inside(t, frame=frame):
        client = t.connect()
        head = block(t)
        frame = frame or f.headers(3, head)
        client.send(f.frame(f.HEADERS, f.END_STREAM, 1, head[:20]) + frame +
                    f.frame(f.CONTINUATION, f.END_HEADERS, 1, head[20:]))
        t.connection_error(client, f.PROTOCOL_ERROR)
        t.not_passed_on()


@case("4.3", "a block in the middle of whose field a frame ends is one block")
def cut_block(t):
    head = block(t, ("x-a", "1"))
    client = t.connect()
    for cut in range(1, len(head), 7):
        stream = client.stream()
        client.send(f.frame(f.HEADERS, f.END_STREAM, stream.number, head[:cut]) +
                    f.frame(f.CONTINUATION, f.END_HEADERS, stream.number, head[cut:]))
        t.answered(client, stream)
