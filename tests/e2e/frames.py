"""As much of HTTP/2 as it takes to stream one body at a chosen pace: RFC 9113, and RFC 7541 without tables."""

import struct

from harness import check

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, ACK, END_HEADERS = 1, 1, 4
INITIAL_WINDOW_SIZE = 4
# indexed fields of the static table
GET, POST, HTTP, OK = b"\x82", b"\x83", b"\x86", b"\x88"
FRAME = 16384


def field(index, value):
    """A literal whose name stands in the static table, below 30."""
    name = bytes([index]) if index < 15 else bytes([15, index - 15])
    return name + bytes([len(value)]) + value


def head(method, path, length=None):
    fields = method + HTTP + field(4, path) + field(1, b"model")
    return fields + (field(28, b"%d" % length) if length is not None else b"")


class Wire:
    """One end of a connection."""

    def __init__(self, peer, window):
        self.peer, self.file = peer, peer.makefile("rb", 1 << 18)
        self.first_window = 65535
        self.room = {0: 65535}
        self.send(SETTINGS, 0, 0, struct.pack(">HI", INITIAL_WINDOW_SIZE, window))
        self.send(WINDOW_UPDATE, 0, 0, struct.pack(">I", window))

    def send(self, kind, flags, stream, payload=b""):
        self.peer.sendall(struct.pack(">IBI", len(payload) << 8 | kind, flags, stream) + payload)

    def receive(self):
        """The next frame that is about a stream: flags, kind, stream, payload; `None` at the end."""
        while True:
            start = self.file.read(9)
            if len(start) < 9:
                return None
            size, flags, stream = struct.unpack(">IBI", start)
            kind, payload = size & 0xff, self.file.read(size >> 8)
            if kind == SETTINGS and not flags & ACK:
                for name, value in struct.iter_unpack(">HI", payload):
                    if name == INITIAL_WINDOW_SIZE:
                        self.room = {key: room + (value - self.first_window if key else 0)
                                     for key, room in self.room.items()}
                        self.first_window = value
                self.send(SETTINGS, ACK, 0)
            elif kind == PING and not flags & ACK:
                self.send(PING, ACK, 0, payload)
            elif kind == WINDOW_UPDATE:
                self.room[stream] = self.room.get(stream, self.first_window) + struct.unpack(">I", payload)[0]
            check(kind not in (RESET, GOAWAY), lambda: f"frame {kind} {payload!r}")
            if kind in (HEADERS, DATA, WINDOW_UPDATE):
                return kind, flags, stream, payload

    def opened(self, stream):
        self.room.setdefault(stream, self.first_window)

    def stream(self, stream, blocks):
        """Sends a body as fast as the other end takes it."""
        self.opened(stream)
        for block in blocks:
            at = 0
            while at < len(block):
                room = min(self.room[0], self.room[stream], FRAME, len(block) - at)
                if room <= 0:
                    check(self.receive(), "the other end has left")
                    continue
                self.send(DATA, 0, stream, block[at:at + room])
                self.room[0] -= room
                self.room[stream] -= room
                at += room
        self.send(DATA, END_STREAM, stream)

    def body(self, took):
        """Receives a body, `took` is told of each part, and only then is there room for more."""
        while True:
            frame = self.receive()
            check(frame, "the other end has left")
            kind, flags, stream, payload = frame
            if kind == DATA and payload:
                took(payload)
                more = struct.pack(">I", len(payload))
                self.send(WINDOW_UPDATE, 0, 0, more)
                if not flags & END_STREAM:
                    self.send(WINDOW_UPDATE, 0, stream, more)
            if kind != WINDOW_UPDATE and flags & END_STREAM:
                return
