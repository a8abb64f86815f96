"""A model server in this process and its clients, which stream large bodies at a pace that a test chooses."""

import functools
import http.client
import socket
import threading
import time
import typing
import zlib

import frames as f
import harness as h
from frames import Wire
from harness import check, equal

ROW = b'{"sepal_length":5.1,"sepal_width":3.5,"petal_length":1.4,"petal_width":0.2},'
BLOCK = ROW * (65536 // len(ROW))
# more than any proxy should take at once
WINDOW = 1 << 24


def blocks(size):
    """A list of rows in JSON, of so many bytes."""
    yield b"["
    for _ in range((size - 3) // len(BLOCK)):
        yield BLOCK
    yield b"{}]".rjust((size - 3) % len(BLOCK) + 2)


@functools.cache
def sum_of(size):
    total = Taken(FAST)
    for block in blocks(size):
        total(block)
    return total.bytes, total.crc


class Pace(typing.NamedTuple):
    """Nothing for `pause` seconds, then so many bytes a second; `None`: as they come."""

    rate: float | None = None
    pause: float = 0.0


FAST = Pace()
SHORT, STREAMED = 1000, 256 << 20
# less than loopback takes, and nothing at all at first: what is not held back piles up
SLOW = Pace(128 << 20, 1)


class Taken:
    """What came of a body that is read at a pace."""

    def __init__(self, pace):
        self.pace, self.due = pace, None
        self.bytes, self.crc = 0, 0

    def __call__(self, part):
        self.bytes += len(part)
        self.crc = zlib.crc32(part, self.crc)
        if self.pace.rate is not None:
            self._wait(len(part))

    def _wait(self, taken):
        if self.due is None:
            time.sleep(self.pace.pause)
            self.due = time.monotonic()
        self.due += taken / self.pace.rate
        time.sleep(max(0.0, self.due - time.monotonic()))


class Server:
    """Takes what a `POST` brings at a pace, and gives `size` bytes at the full one."""

    def __init__(self, size, http2=False, chunked=False):
        self.size, self.http2, self.chunked = size, http2, chunked
        self.pace, self.taken = FAST, []
        self.listener = socket.create_server((h.HOST, 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer):
        with peer:
            try:
                is_http2 = peer.recv(3, socket.MSG_PEEK) == b"PRI"
                if is_http2 and self.http2:
                    self._serve_http2(peer)
                elif not is_http2:
                    self._serve_http1(peer)
            except (OSError, h.Failed):
                # the proxy has left
                pass

    def _serve_http2(self, peer):
        wire = Wire(peer, WINDOW)
        wire.file.read(len(f.PREFACE))
        while frame := wire.receive():
            kind, flags, stream, _ = frame
            if kind != f.HEADERS:
                continue
            if not flags & f.END_STREAM:
                wire.body(self._take())
            wire.send(f.HEADERS, f.END_HEADERS, stream, f.OK)
            wire.stream(stream, blocks(self.size))

    def _take(self):
        taken = Taken(self.pace)
        self.taken.append(taken)
        return taken

    def _serve_http1(self, peer):
        file = peer.makefile("rb", 1 << 18)
        while line := file.readline():
            fields = http.client.parse_headers(file)
            if line.startswith(b"POST"):
                _read_body(file, fields, self._take())
                self._send(peer)
            else:
                peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    def _send(self, peer):
        if self.chunked:
            peer.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for block in blocks(self.size):
                peer.sendall(b"%x\r\n%b\r\n" % (len(block), block))
            peer.sendall(b"0\r\n\r\n")
        else:
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % self.size)
            for block in blocks(self.size):
                peer.sendall(block)


def _read_body(file, fields, taken):
    def read(size):
        while size > 0:
            part = file.read(min(size, len(BLOCK)))
            check(part, "a body that broke off")
            taken(part)
            size -= len(part)
    if "chunked" not in fields.get("Transfer-Encoding", ""):
        return read(int(fields.get("Content-Length", 0)))
    while size := int(file.readline().split(b";")[0], 16):
        read(size)
        file.readline()
    file.readline()
    return None


def _wire(port):
    peer = socket.create_connection((h.HOST, port), timeout=h.PATIENCE)
    peer.sendall(f.PREFACE)
    return Wire(peer, WINDOW)


def exchange(port, size, pace, http2=False, chunked=False):
    """`POST /predict` of `size` bytes, as fast as the proxy takes them; the answer is read at a pace: what came."""
    taken = Taken(pace)
    length = None if chunked else size
    if http2:
        _over_http2(port, size, length, taken)
    else:
        _over_http1(port, size, length, taken)
    return taken.bytes, taken.crc


def _over_http2(port, size, length, taken):
    with socket.create_connection((h.HOST, port), timeout=h.PATIENCE) as peer:
        peer.sendall(f.PREFACE)
        wire = Wire(peer, WINDOW)
        wire.send(f.HEADERS, f.END_HEADERS, 1, f.head(f.POST, b"/predict", length))
        wire.stream(1, blocks(size))
        while (frame := wire.receive())[0] != f.HEADERS:
            pass
        check(frame[3].startswith(f.OK), lambda: f"head of the answer: {frame[3]!r}")
        wire.body(taken)


def _over_http1(port, size, length, taken):
    connection = http.client.HTTPConnection(h.HOST, port, timeout=h.PATIENCE)
    fields = {} if length is None else {"Content-Length": str(length)}
    connection.request("POST", "/predict", blocks(size), fields, encode_chunked=length is None)
    response = connection.getresponse()
    equal(response.status, 200, "status")
    while part := response.read(len(BLOCK)):
        taken(part)
    connection.close()
