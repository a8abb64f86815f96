"""Clients that spend the server's memory and time: whatever they do, it is bounded, and others are served.

RFC 9113, section 10.5, names them; some have numbers of their own (CVE-2019-9511 and those that follow,
CVE-2023-44487, CVE-2024-27316, CVE-2025-8671). With a pid, memory may grow by 24 MiB at most, and the CPU
comes to rest.
"""

import socket
import time

from .. import frames as f
from .. import hpack, process
from ..client import HOST
from ..judge import case, need
from ..stream import Ended
from .streams import hold, slow

MEMORY = 24 << 20


class Watch:
    """The process during a case. The first megabytes of a process's life are not of the case."""

    def __init__(self, t, most=MEMORY):
        self.pid, self.most = t.pid, most
        t.clean_http2()
        self.before = process.resident(self.pid) if self.pid else 0
        self.peak = self.before

    def look(self):
        if self.pid:
            self.peak = max(self.peak, process.resident(self.pid))

    def end(self):
        if not self.pid:
            return
        self.look()
        grown = self.peak - self.before
        need(grown <= self.most, f"memory grew by {grown / (1 << 20):.1f} MiB")
        need(process.calms_down(self.pid), "the CPU does not come to rest")


def flood(client, payload, times, watch, stop_at=None):
    """Sends until it was sent so often, or the other end has had enough; gives how often."""
    for i in range(times):
        try:
            client.write(payload)
        except Ended:
            return i
        if i % 64 == 0:
            watch.look()
            if client.closed or client.goaway or (stop_at and stop_at()):
                return i
    return times


def unread(t, **options):
    """A client that never reads."""
    client = t.connect(send_limit=2, **options)
    client.reading.clear()
    return client


@case("10.5", "10,000 streams that are opened and reset at once")
def rapid_reset(t):
    hold(t)
    watch, client = Watch(t), t.connect()
    head = hpack.block(t.fields())
    for begin in range(1, 20_000, 500):
        client.newest = begin + 500
        try:
            client.write(b"".join(f.headers(number, head) + f.rst_stream(number)
                                  for number in range(begin, begin + 500, 2)))
        except Ended:
            break
        watch.look()
    if not client.goaway:
        client.is_silent()
    watch.end()
    need(len(t.upstream.records.of(t.token)) <= 10_000, "more requests at the upstream than were sent")


@case("10.5", "10,000 streams that make the server reset them")
def made_you_reset(t):
    watch, client = Watch(t), t.connect()
    head = hpack.block([*t.fields(), ("connection", "close")])
    for begin in range(1, 20_000, 500):
        client.newest = begin + 500
        try:
            client.write(b"".join(f.headers(number, head) for number in range(begin, begin + 500, 2)))
        except Ended:
            break
        watch.look()
    if not client.goaway:
        client.is_silent()
    watch.end()
    need(not t.upstream.records.of(t.token), "malformed requests reached the upstream")


@case("10.5", "10,000 streams reset by a window that overflows")
def overflow_reset(t):
    hold(t)
    watch, client = Watch(t), t.connect()
    head = hpack.block(t.fields())
    for begin in range(1, 20_000, 500):
        client.newest = begin + 500
        try:
            client.write(b"".join(f.headers(number, head) + f.window_update(number, f.LARGEST_WINDOW)
                                  for number in range(begin, begin + 500, 2)))
        except Ended:
            break
        watch.look()
    watch.end()


@case("10.5.1", "CONTINUATION without an end")
def continuation_flood(t):
    watch, client = Watch(t), t.connect()
    client.stream()
    client.write(f.frame(f.HEADERS, f.END_STREAM, 1, hpack.block(t.fields())))
    sent = flood(client, f.frame(f.CONTINUATION, 0, 1, hpack.literal("x-fill", "f" * 16_000)), 20_000, watch)
    watch.end()
    need(sent < 20_000, "20,000 CONTINUATION frames of 16 KiB were taken")


@case("10.5.1", "empty CONTINUATION without an end")
def empty_continuation_flood(t):
    watch, client = Watch(t), t.connect()
    client.stream()
    client.write(f.frame(f.HEADERS, f.END_STREAM, 1, hpack.block(t.fields())))
    sent = flood(client, f.frame(f.CONTINUATION, 0, 1, b"") * 1000, 1000, watch)
    watch.end()
    need(sent < 1000, "a million empty CONTINUATION frames were taken")


for what, payload in (("SETTINGS", f.settings({f.INITIAL_WINDOW: 100})), ("empty SETTINGS", f.settings()),
                      ("PING", f.ping()), ("PRIORITY", f.priority(1)),
                      ("an unknown frame", f.frame(0xEE, 0, 0, bytes(64)))):
    @case("10.5", f"{what} a hundred thousand times, the answers never read")
    def control_flood(t, payload=payload):
        watch, client = Watch(t), unread(t)
        flood(client, payload * 100, 1000, watch)
        watch.end()


@case("10.5", "SETTINGS that give all streams a window and take it back, 20,000 times")
def window_flapping(t):
    watch, client = Watch(t), t.connect()
    hold(t)
    streams = [client.request(t.fields(path=f"/held/{t.token}")) for _ in range(client.most_streams(50))]
    client.sent_settings += 40_001
    client._values.extend({} for _ in range(40_001))
    flood(client, (f.settings({f.INITIAL_WINDOW: 0}) + f.settings({f.INITIAL_WINDOW: f.WINDOW})) * 100, 200, watch)
    watch.end()
    for stream in streams:
        stream.sent_reset = True


@case("10.5", "empty DATA a hundred thousand times")
def empty_data(t):
    watch, client = Watch(t), t.connect()
    stream = client.request(t.fields("POST"), end=False)
    flood(client, f.data(stream.number) * 100, 1000, watch)
    watch.end()


@case("10.5", "DATA of nothing but padding, within the windows")
def padding(t):
    watch, client = Watch(t), t.connect()
    stream = client.request(t.fields("POST"), end=False)
    frame = f.frame(f.DATA, f.PADDED, stream.number, f.padded(b"", 255))
    for _ in range(20_000):
        if not client.wait(lambda: min(stream.window, client.window) >= 300 or stream.is_over()) or stream.is_over():
            break
        client.send(frame)
    watch.end()


@case("10.5", "WINDOW_UPDATE by one, a hundred thousand times")
def small_updates(t):
    watch, client = Watch(t), t.connect()
    flood(client, f.window_update(0, 1) * 100, 1000, watch)
    watch.end()


@case("10.5", "100 answers that are asked for and not read, each of 8 MiB")
def slow_read(t):
    t.upstream.handlers["big"] = lambda exchange: (exchange.body(), exchange.reply(200, (), bytes(8 << 20)))
    # what a stream may hold at either end of the proxy, a hundred times
    watch = Watch(t, 40 << 20)
    client = t.connect({f.INITIAL_WINDOW: 0}, auto_window=False)
    streams = [client.request(t.fields(path=f"/big/{t.token}")) for _ in range(client.most_streams(100))]
    client.wait(lambda: all(stream.status for stream in streams))
    for _ in range(20):
        for stream in streams:
            if not stream.is_over():
                stream.credit(1)
        watch.look()
    client.is_silent()
    watch.end()


@case("10.5.1", "a list of fields that is far too large")
def huge_list(t):
    watch, client = Watch(t), t.connect()
    stream = client.stream()
    head = hpack.block(t.fields())
    try:
        client.write(f.frame(f.HEADERS, f.END_STREAM, 1, head))
        for i in range(64):
            field = hpack.literal(f"x-{i}", "v" * 16_000)
            client.write(f.frame(f.CONTINUATION, f.END_HEADERS if i == 63 else 0, 1, field))
    except Ended:
        pass
    too_large(t, client, stream)
    watch.end()


def too_large(t, client, stream):
    """431, or an error of any kind that says so."""
    client.wait(lambda: stream.is_over() or client.goaway)
    need(stream.status == 431 or stream.reset is not None or client.goaway or client.closed,
         f"answer {stream.status}, no error")
    need(stream.status in (None, 431), f"answer {stream.status}")
    t.not_passed_on()


@case("10.5.1", "as many fields as there is room for, each tiny")
def many_fields(t):
    watch, client = Watch(t), t.connect()
    stream = client.stream()
    try:
        client.send_block(1, hpack.block(t.fields()) + hpack.literal("a", "") * 16_000, True)
    except Ended:
        pass
    too_large(t, client, stream)
    watch.end()


@case("10.5.1", "an HPACK bomb: 16,000 references to one entry of 4,000 octets")
def bomb(t):
    watch, client = Watch(t), t.connect()
    size = client.peer.get(f.TABLE_SIZE, hpack.TABLE_SIZE)
    entry = hpack.literal("x-bomb", "b" * min(size - 100, 8000), "add")
    for number in (1, 3, 5, 7):
        stream = client.stream()
        try:
            client.write(f.headers(number, hpack.block(t.fields()) + entry + hpack.indexed(hpack.DYNAMIC) * 8000))
        except Ended:
            break
        watch.look()
        too_large(t, client, stream)
        if client.closed or client.goaway:
            break
    watch.end()


@case("10.5", "1,000 streams that are begun and left, on ten connections")
def half_open(t):
    # before a server of HTTP/1 each of them takes a connection of its own
    watch = Watch(t, 64 << 20)
    for _ in range(10):
        client = t.connect()
        for _ in range(client.most_streams(100)):
            client.request(t.fields("POST"), end=False)
        watch.look()
        need(client.is_silent(), "an error within the limit")
    t.clean_http1()
    t.clean_http2()
    watch.end()


@case("10.5", "1,000 heads that are begun and left, on as many connections")
def half_heads(t):
    # a connection costs its buffers
    watch = Watch(t, 64 << 20)
    socks = []
    for _ in range(1000):
        sock = socket.create_connection((HOST, t.port), timeout=30)
        sock.sendall(f.PREFACE + f.settings() + f.frame(f.HEADERS, 0, 1, hpack.block(t.fields())))
        socks.append(sock)
    watch.look()
    t.clean_http1()
    t.clean_http2()
    for sock in socks:
        sock.close()
    watch.end()


@case("10.5", "500 connections with half a preface hold up nobody")
def half_prefaces(t):
    watch = Watch(t)
    socks = []
    for i in range(500):
        sock = socket.create_connection((HOST, t.port), timeout=30)
        sock.sendall(f.PREFACE[:i % len(f.PREFACE)])
        socks.append(sock)
    t.clean_http1()
    t.clean_http2()
    watch.look()
    for sock in socks:
        sock.close()
    watch.end()


@case("10.5", "requests in the middle of which the connection is reset")
def cut(t):
    watch = Watch(t)
    for i in range(200):
        sock = socket.create_connection((HOST, t.port), timeout=30)
        head = f.headers(1, hpack.block(t.fields("POST")), end=False)
        whole = f.PREFACE + f.settings() + head + f.data(1, b"d" * 100)
        sock.sendall(whole[:20 + i % (len(whole) - 20)])
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        sock.close()
    time.sleep(0.1)
    watch.end()


HALVES = {"half a preface": lambda t: f.PREFACE[:10], "a preface without SETTINGS": lambda t: f.PREFACE,
          "half a SETTINGS": lambda t: f.PREFACE + f.settings({1: 4096})[:12],
          "HEADERS without their CONTINUATION": lambda t: f.PREFACE + f.settings() + f.frame(f.HEADERS, 0, 1, b"\x82"),
          "half a HEADERS": lambda t: f.PREFACE + f.settings() + f.headers(1, hpack.block(t.fields()))[:20]}


@case("10.5", "whatever is begun and not finished by the deadline for a head ends the connection", needs="head_timeout")
def deadline(t):
    socks = {}
    for what, make in HALVES.items():
        socks[what] = socket.create_connection((HOST, t.port), timeout=30)
        socks[what].sendall(make(t))
    end = time.monotonic() + t.head_timeout + 15
    open_still = []
    for what, sock in socks.items():
        try:
            sock.settimeout(max(0.1, end - time.monotonic()))
            while sock.recv(65536):
                sock.settimeout(max(0.1, end - time.monotonic()))
        except TimeoutError:
            open_still.append(what)
        except OSError:
            pass
        sock.close()
    need(not open_still, f"still open: {open_still}")
