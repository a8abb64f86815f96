"""RFC 9113, section 6.10: CONTINUATION."""

from .. import frames as f
from .. import hpack
from ..judge import case
from .framing import block

CONTINUED = f.CONTINUATION


@case("6.10", "many CONTINUATION frames make one block, empty ones too")
def many(t):
    client = t.connect()
    head = block(t, *((f"x-{i}", "v" * 100) for i in range(20)))
    stream = client.stream()
    parts = [head[at:at + 600] for at in range(0, len(head), 600)]
    client.send(f.frame(f.HEADERS, f.END_STREAM, 1, b"") + b"".join(f.frame(CONTINUED, 0, 1, part) for part in parts) +
                f.frame(CONTINUED, 0, 1, b"") + f.frame(CONTINUED, f.END_HEADERS, 1, b""))
    t.answered(client, stream)


@case("6.10", "trailers may be continued")
def trailers(t):
    client = t.connect()
    stream = client.request(t.fields("POST", ("te", "trailers")), b"body", end=False)
    tail = hpack.block([("x-sum", "1" * 50)])
    client.send(f.frame(f.HEADERS, f.END_STREAM, 1, tail[:9]) + f.frame(CONTINUED, f.END_HEADERS, 1, tail[9:]))
    t.answered(client, stream, b"body", method="POST")


for name, make in (
        ("on stream 0", lambda h: f.frame(f.HEADERS, f.END_STREAM, 1, h[:9]) +
         f.frame(CONTINUED, f.END_HEADERS, 0, h[9:])),
        ("on another stream", lambda h: f.frame(f.HEADERS, f.END_STREAM, 1, h[:9]) +
         f.frame(CONTINUED, f.END_HEADERS, 3, h[9:])),
        ("behind HEADERS with END_HEADERS", lambda h: f.headers(1, h) + f.frame(CONTINUED, f.END_HEADERS, 1, h)),
        ("behind the last CONTINUATION", lambda h: f.frame(f.HEADERS, f.END_STREAM, 1, h[:9]) +
         f.frame(CONTINUED, f.END_HEADERS, 1, h[9:]) + f.frame(CONTINUED, f.END_HEADERS, 1, b"")),
        ("behind DATA", lambda h: f.headers(1, h, end=False) + f.data(1, b"x") +
         f.frame(CONTINUED, f.END_HEADERS, 1, h)),
        ("first of all", lambda h: f.frame(CONTINUED, f.END_HEADERS, 1, h)),
        ("that never comes, but HEADERS again", lambda h: f.frame(f.HEADERS, f.END_STREAM, 1, h[:9]) +
         f.frame(f.HEADERS, f.END_HEADERS, 1, h[9:]))):
    @case("6.10", f"CONTINUATION {name} is a connection error")
    def misplaced(t, make=make):
        client = t.connect()
        client.stream()
        client.send(make(block(t)))
        t.connection_error(client, f.PROTOCOL_ERROR, f.STREAM_CLOSED)
