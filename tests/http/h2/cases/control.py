"""RFC 9113, sections 6.5, 6.7 and 6.8: SETTINGS, PING, GOAWAY."""

import struct

from .. import frames as f
from .. import hpack
from ..judge import case, need
from .framing import block

# -- SETTINGS

for name, frame, codes in (
        ("an acknowledgement with a payload", f.settings({f.ENABLE_PUSH: 0}, f.ACK), [f.FRAME_SIZE_ERROR]),
        ("SETTINGS on a stream", f.frame(f.SETTINGS, 0, 1, b""), [f.PROTOCOL_ERROR]),
        ("SETTINGS of 3 octets", f.frame(f.SETTINGS, 0, 0, b"\0\3\0"), [f.FRAME_SIZE_ERROR]),
        ("SETTINGS of 7 octets", f.frame(f.SETTINGS, 0, 0, bytes(7)), [f.FRAME_SIZE_ERROR]),
        ("ENABLE_PUSH of 2", f.settings({f.ENABLE_PUSH: 2}), [f.PROTOCOL_ERROR]),
        ("INITIAL_WINDOW_SIZE of 2^31", f.settings({f.INITIAL_WINDOW: 1 << 31}), [f.FLOW_CONTROL_ERROR]),
        ("MAX_FRAME_SIZE of 2^14-1", f.settings({f.MAX_FRAME: f.FRAME_SIZE - 1}), [f.PROTOCOL_ERROR]),
        ("MAX_FRAME_SIZE of 0", f.settings({f.MAX_FRAME: 0}), [f.PROTOCOL_ERROR]),
        ("MAX_FRAME_SIZE of 2^24", f.settings({f.MAX_FRAME: 1 << 24}), [f.PROTOCOL_ERROR])):
    @case("6.5", f"{name} is a connection error")
    def bad_settings(t, frame=frame, codes=codes):
        client = t.connect()
        client.send(frame)
        t.connection_error(client, *codes)


for name, values in (("nothing", {}), ("unknown settings", {number: number for number in range(100, 120)}),
                     ("ENABLE_PUSH of 0", {f.ENABLE_PUSH: 0}), ("ENABLE_PUSH of 1", {f.ENABLE_PUSH: 1}),
                     ("MAX_FRAME_SIZE of 2^24-1", {f.MAX_FRAME: (1 << 24) - 1}),
                     ("HEADER_TABLE_SIZE of 0", {f.TABLE_SIZE: 0}),
                     ("HEADER_TABLE_SIZE of 2^32-1", {f.TABLE_SIZE: (1 << 32) - 1}),
                     ("MAX_CONCURRENT_STREAMS of 0", {f.MAX_STREAMS: 0}),
                     ("MAX_HEADER_LIST_SIZE of 2^32-1", {f.MAX_FIELDS: (1 << 32) - 1}),
                     ("INITIAL_WINDOW_SIZE of 2^31-1", {f.INITIAL_WINDOW: f.LARGEST_WINDOW})):
    @case("6.5.2", f"SETTINGS with {name} are taken and acknowledged")
    def good_settings(t, values=values):
        client = t.connect()
        client.send_settings(values)
        need(client.wait(lambda: client.acks == 2), f"{client.acks} acknowledgements of 2")
        t.still_works(client)


@case("6.5.2", "a value that comes twice in one frame counts as it came last")
def twice_in_one(t):
    client = t.connect()
    client.expect_ack()
    client.send(f.settings([(f.INITIAL_WINDOW, 100), (f.INITIAL_WINDOW, 3)]))
    need(client.wait(lambda: client.acks == 2), "no acknowledgement")
    client.own_window, client.auto_stream = 3, False
    stream = client.request(t.fields())
    need(client.wait(lambda: stream.size == 3), f"{stream.size} octets instead of 3")
    client.is_silent()
    need(stream.size == 3, f"{stream.size} octets instead of 3")


@case("6.5.2", "no dynamic table is used when HEADER_TABLE_SIZE is 0")
def no_table(t):
    client = t.connect({f.TABLE_SIZE: 0})
    client.decoder = hpack.Decoder(0)
    for _ in range(3):
        t.answered(client, client.request(t.fields()))


@case("6.5.2", "a small HEADER_TABLE_SIZE is kept to")
def small_table(t):
    client = t.connect({f.TABLE_SIZE: 64})
    client.decoder = hpack.Decoder(64)
    for _ in range(10):
        t.answered(client, client.request(t.fields()))


@case("6.5.3", "each of 50 SETTINGS is acknowledged, in order with PING")
def many_settings(t):
    client = t.connect()
    for _ in range(50):
        client.send_settings({f.MAX_FIELDS: 1 << 20})
    need(client.is_silent(), "no answer to PING")
    need(client.wait(lambda: client.acks == 51), f"{client.acks} acknowledgements of 51")


@case("6.5.3", "an acknowledgement too many does no harm, or is an error")
def spare_ack(t):
    client = t.connect()
    client.send(f.settings(flags=f.ACK))
    if client.is_silent():
        t.still_works(client)
    else:
        t.connection_error(client, f.PROTOCOL_ERROR)


# -- PING

@case("6.7", "PING is answered with the same octets")
def ping(t):
    client = t.connect()
    for octets in (b"h2spec\0\0", bytes(8), b"\xff" * 8):
        client.send(f.ping(octets))
        need(client.wait(lambda octets=octets: octets in client.pongs), f"no answer to {octets!r}")
    need(len(client.pongs) == 3, f"{client.pongs}")


@case("6.7", "an answer to no PING is not answered")
def pong(t):
    client = t.connect()
    client.send(f.ping(b"unasked!", f.ACK) + f.ping(b"asked..."))
    need(client.wait(lambda: client.pongs), "no answer to PING")
    need(client.is_silent() and client.pongs[0] == b"asked..." and b"unasked!" not in client.pongs, f"{client.pongs}")


@case("6.7", "PING is answered while a request waits")
def ping_meanwhile(t):
    client = t.connect()
    stream = client.request(t.fields("POST"), end=False)
    need(client.is_silent(), "no answer to PING")
    stream.send(b"late", True)
    t.answered(client, stream, b"late", method="POST")


for name, frame, codes in (("on a stream", f.frame(f.PING, 0, 1, bytes(8)), [f.PROTOCOL_ERROR]),
                           ("of 6 octets", f.frame(f.PING, 0, 0, bytes(6)), [f.FRAME_SIZE_ERROR]),
                           ("of 0 octets", f.frame(f.PING, 0, 0, b""), [f.FRAME_SIZE_ERROR]),
                           ("of 9 octets", f.frame(f.PING, 0, 0, bytes(9)), [f.FRAME_SIZE_ERROR])):
    @case("6.7", f"PING {name} is a connection error")
    def bad_ping(t, frame=frame, codes=codes):
        client = t.connect()
        client.send(frame)
        t.connection_error(client, *codes)


# -- GOAWAY

@case("6.8", "GOAWAY on a stream is a connection error")
def goaway_on_a_stream(t):
    client = t.connect()
    client.send(f.goaway(stream=1))
    t.connection_error(client, f.PROTOCOL_ERROR)


@case("6.8", "GOAWAY of 7 octets is a connection error")
def short_goaway(t):
    client = t.connect()
    client.send(f.frame(f.GOAWAY, 0, 0, bytes(7)))
    t.connection_error(client, f.FRAME_SIZE_ERROR)


for name, code in (("NO_ERROR", f.NO_ERROR), ("an unknown code", 0xFF), ("an error", f.INTERNAL_ERROR)):
    @case("6.8", f"after a GOAWAY of the client with {name}, clients that follow are served")
    def goaway(t, code=code):
        client = t.connect()
        client.send(f.goaway(0, code, b"debug data"))
        if client.is_silent() and not client.closed:
            return
        client.wait(lambda: client.closed)
        need(client.closed and client.goaway in (None, f.NO_ERROR), f"GOAWAY {client.goaway}")


@case("6.8", "a request under way when the client sends GOAWAY is finished")
def goaway_under_way(t):
    client = t.connect()
    stream = client.request(t.fields("POST"), end=False)
    need(t.upstream.wait_record(t.token) or t.upstream.protocol == "http1", "it did not reach the upstream")
    client.send(f.goaway())
    try:
        stream.send(b"rest", True)
    except Exception as error:
        need(False, f"it was cut: {error}")
    t.answered(client, stream, b"rest", method="POST")


@case("6.8", "the last stream of a GOAWAY for an error is one that was processed")
def last_stream(t):
    client = t.connect()
    for _ in range(2):
        t.answered(client, client.request(t.fields()))
    client.send(f.frame(f.PING, 0, 0, b""))
    t.connection_error(client, f.FRAME_SIZE_ERROR)
    need(all(last in (3, f.LARGEST_WINDOW) for last, code in client.goaways if code or last != f.LARGEST_WINDOW),
         f"{client.goaways}")


@case("5.5", "an unknown extension's frame before SETTINGS were acknowledged is ignored")
def early_extension(t):
    client = t.connect(ready=False)
    stream = client.stream()
    client.begin(f.frame(0x42, 0, 0, struct.pack(">Q", 1)) + f.headers(1, block(t)))
    t.answered(client, stream)
