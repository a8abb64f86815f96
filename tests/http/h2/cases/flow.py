"""RFC 9113, section 6.9: WINDOW_UPDATE and flow control."""

from .. import frames as f
from ..judge import case, need
from ..stream import Ended
from .framing import block
from .streams import hold, slow

for increment, where in ((0, 0), (0, 1)):
    @case("6.9", f"an increment of 0 on {'a stream' if where else 'the connection'} is an error")
    def zero(t, where=where):
        client = t.connect()
        stream = client.stream()
        client.send(f.headers(1, block(t, method="POST"), end=False) + f.window_update(where, 0))
        if where:
            t.stream_error(client, stream, f.PROTOCOL_ERROR)
        else:
            t.connection_error(client, f.PROTOCOL_ERROR)


for length in (0, 3, 5):
    @case("6.9", f"WINDOW_UPDATE of {length} octets is a connection error")
    def bad_length(t, length=length):
        client = t.connect()
        client.send(f.frame(f.WINDOW_UPDATE, 0, 0, bytes(length)))
        t.connection_error(client, f.FRAME_SIZE_ERROR)


@case("6.9", "the reserved bit of an increment is ignored")
def reserved(t):
    client = t.connect()
    client.send(f.frame(f.WINDOW_UPDATE, 0, 0, b"\x80\0\0\1"))
    t.still_works(client)


@case("6.9.1", "a connection window above 2^31-1 is a connection error")
def connection_overflow(t):
    client = t.connect()
    client.send(f.window_update(0, f.LARGEST_WINDOW) * 2)
    t.connection_error(client, f.FLOW_CONTROL_ERROR)


@case("6.9.1", "a stream's window above 2^31-1 is a stream error")
def stream_overflow(t):
    hold(t)
    client = t.connect()
    stream = client.stream()
    client.send(f.headers(1, slow(t)) + f.window_update(1, f.LARGEST_WINDOW) * 2)
    t.stream_error(client, stream, f.FLOW_CONTROL_ERROR)


@case("6.9.1", "a window of exactly 2^31-1 is allowed")
def exactly_full(t):
    client = t.connect()
    client.send(f.window_update(0, f.LARGEST_WINDOW - f.WINDOW))
    t.still_works(client)


@case("6.9.1", "with a window of 1 an answer comes octet by octet")
def one_by_one(t):
    client = t.connect({f.INITIAL_WINDOW: 1}, auto_window=False)
    stream = client.request(t.fields())
    for size in range(1, 6):
        need(client.wait(lambda size=size: stream.size >= size), f"{stream.size} octets instead of {size}")
        need(client.is_silent() and stream.size == size, f"{stream.size} octets instead of {size}")
        stream.credit(1)
    stream.credit(10_000)
    t.answered(client, stream)


@case("6.9.1", "HEADERS and an empty body pass without any window")
def headers_need_no_window(t):
    client = t.connect({f.INITIAL_WINDOW: 0}, auto_window=False)
    stream = client.request(t.fields("HEAD"))
    need(stream.wait(lambda: stream.ended) and stream.status == 200, f"{stream.status}, reset {stream.reset}")


@case("6.9.1", "the connection's window is kept to, whatever the streams' are")
def shared_window(t):
    big(t)
    client = t.connect({f.INITIAL_WINDOW: f.LARGEST_WINDOW}, auto_window=False)
    streams = [client.request(t.fields(path=f"/big/{t.token}")) for _ in range(3)]
    need(client.wait(lambda: client.room == 0), f"{client.room} octets of room instead of 0")
    need(client.is_silent() and client.room == 0, f"{client.room} octets of room")
    client.auto_connection = client.auto_stream = True
    client.credit(f.WINDOW)
    for stream in streams:
        need(stream.wait(lambda s=stream: s.ended), f"{stream.size} of {BIG} octets")
        need(stream.size == BIG, f"{stream.size} octets")


BIG = 300_000


def big(t):
    t.upstream.handlers["big"] = lambda exchange: (exchange.body(), exchange.reply(200, (), b"b" * BIG))


@case("6.9.2", "a new INITIAL_WINDOW_SIZE changes the windows of open streams")
def raised(t):
    client = t.connect({f.INITIAL_WINDOW: 0}, auto_window=False)
    stream = client.request(t.fields())
    need(stream.wait(lambda: stream.status == 200), "no HEADERS")
    need(client.is_silent() and stream.size == 0, f"{stream.size} octets without a window")
    client.send_settings({f.INITIAL_WINDOW: 1})
    need(client.wait(lambda: stream.size == 1), "nothing after the window was raised to 1")
    client.send_settings({f.INITIAL_WINDOW: 10_000})
    t.answered(client, stream)


@case("6.9.2", "a window can become negative, and is then filled first")
def negative(t):
    client = t.connect({f.INITIAL_WINDOW: 3}, auto_window=False)
    stream = client.request(t.fields())
    need(client.wait(lambda: stream.size == 3), f"{stream.size} octets instead of 3")
    client.send_settings({f.INITIAL_WINDOW: 1})
    need(client.wait(lambda: client.acks == 2), "no acknowledgement")
    stream.credit(2)
    need(client.is_silent() and stream.size == 3, f"{stream.size} octets with a window of 0")
    stream.credit(1)
    need(client.wait(lambda: stream.size == 4), f"{stream.size} octets instead of 4")
    stream.credit(10_000)
    t.answered(client, stream)


@case("6.9.2", "an INITIAL_WINDOW_SIZE that lifts an open stream above 2^31-1 is a connection error")
def lifted(t):
    hold(t)
    client = t.connect()
    client.stream()
    client.expect_ack()
    client.send(f.headers(1, slow(t)) + f.window_update(1, f.LARGEST_WINDOW - f.WINDOW) +
                f.settings({f.INITIAL_WINDOW: f.WINDOW + 1}))
    t.connection_error(client, f.FLOW_CONTROL_ERROR)


@case("6.9.1", "DATA beyond the windows is an error, or is no longer read", needs="http2")
def beyond(t):
    """The upstream does not read, so that no window can open meanwhile."""
    t.upstream.handlers["never"] = lambda exchange: exchange.wait_reset(10)
    client = t.connect(send_limit=3)
    stream = client.request(t.fields("POST", path=f"/never/{t.token}"), end=False)
    sent, most = 0, 256 << 20
    try:
        while sent < most and not (client.goaway or stream.is_over()):
            client.send(f.data(1, bytes(f.FRAME_SIZE)) * 16)
            sent += 16 * f.FRAME_SIZE
    except Ended:
        if not client.closed:
            return
    need(sent < most, "there is no bound")
    t.stream_error(client, stream, f.FLOW_CONTROL_ERROR)


@case("6.9", "a large upload is taken as windows open, padding given back too")
def padding_is_given_back(t):
    client = t.connect()
    stream = client.request(t.fields("POST"), end=False)
    body = b""
    # 1,100 frames of 256 octets of padding each are four times the first window
    for i in range(1100):
        client.wait(lambda: min(client.window, stream.window) >= 300 or stream.is_over())
        need(not stream.is_over() and min(client.window, stream.window) >= 300,
             f"no window after {i} frames: {client.window}, {stream.window}")
        body += b"%04d" % i
        client.send(f.frame(f.DATA, f.PADDED, 1, f.padded(b"%04d" % i, 255)))
    stream.send(b"", True)
    t.answered(client, stream, body, method="POST")


@case("6.9", "the connection's window comes back after streams that were reset with their body under way")
def reset_gives_back(t):
    """More than any window holds, never read; each stream is at the upstream before it is taken back."""
    t.upstream.handlers["never"] = lambda exchange: exchange.wait_reset(10)
    client = t.connect()
    for i in range(150):
        stream = client.request(t.fields("POST", path=f"/never/{t.token}/{i}-"), end=False)
        client.wait(lambda: client.window >= f.FRAME_SIZE)
        need(client.window >= f.FRAME_SIZE, f"window {client.window} after {i} streams")
        client.send(f.data(stream.number, bytes(f.FRAME_SIZE)))
        need(t.upstream.wait_record(f"{t.token}/{i}-"), f"stream {i} did not reach the upstream")
        stream.cancel()
    t.still_works(client)
