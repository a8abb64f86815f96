"""One end of an HTTP/2 connection: a thread reads, keeps the books of both windows, and notes every breach.

A case may send any bytes; what the other end sends must be right, always. `breaches` says what was not.
"""

import collections
import socket
import struct
import threading
import time

from . import fields as rules
from . import frames as f
from . import hpack
from .stream import Ended, Stream

# enough for a slow machine; nothing waits that long when all is well
PATIENCE = 15.0
_LENGTHS = {f.PRIORITY: 5, f.RST_STREAM: 4, f.PING: 8, f.WINDOW_UPDATE: 4}
_ON_STREAM_0 = {f.SETTINGS, f.PING, f.GOAWAY}


class Endpoint:
    def __init__(self, sock, is_client, received=b"", values=None, auto_window=True, auto_ack=True,
                 send_limit=30):
        self.sock, self.is_client = sock, is_client
        self.auto_stream = self.auto_connection = auto_window
        self.auto_ack = auto_ack
        self.changed = threading.Condition(threading.RLock())
        self.sending = threading.Lock()
        self.reading = threading.Event()
        self.reading.set()
        self.streams = {}
        self.breaches = []
        self.counts = collections.Counter()
        self.pongs = []
        self.peer = {}
        self.acks = self.sent_settings = 0
        self.goaway = self.goaway_debug = None
        self.goaways = []
        self.closed = False
        self.newest = 0
        self.decoder = hpack.Decoder()
        self.own_window = self.peer_window = f.WINDOW
        self.window, self.room = f.WINDOW, f.WINDOW
        self._frame = None
        self._block = None
        self._values = collections.deque()
        # of the sender's alone: the reader must be able to wait for ever
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", send_limit, 0))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = bytearray(received)
        self.on_stream = lambda stream: None
        self.values = values or {}

    def start(self):
        threading.Thread(target=self._read, daemon=True).start()

    # -- sending

    def send(self, payload):
        """Any octets of a case. DATA in them is taken off the windows, so that the books stay right."""
        at = 0
        while at + f.HEAD <= len(payload):
            length, kind = int.from_bytes(payload[at:at + 3], "big"), payload[at + 3]
            if kind == f.DATA:
                with self.changed:
                    self.window -= length
                    stream = self.streams.get(int.from_bytes(payload[at + 5:at + 9], "big"))
                    if stream:
                        stream.window -= length
            at += f.HEAD + length
        self.write(payload)

    def write(self, payload):
        """Raises `Ended` when the other end takes no more."""
        try:
            with self.sending:
                self.sock.sendall(payload)
        except OSError as error:
            raise Ended(f"cannot send: {error}") from None

    def send_settings(self, values, before=b""):
        with self.changed:
            self.sent_settings += 1
            self._values.append(values)
            window = values.get(f.INITIAL_WINDOW, self.own_window)
            if window > self.own_window:
                self._set_own_window(window)
        self.write(before + f.settings(values))

    def send_block(self, number, block, end, size=f.FRAME_SIZE):
        """HEADERS, and CONTINUATION where one frame is too small."""
        parts = [block[at:at + size] for at in range(0, len(block), size)] or [b""]
        out = f.frame(f.HEADERS, (f.END_STREAM if end else 0) | (f.END_HEADERS if len(parts) == 1 else 0), number,
                      parts[0])
        for part in parts[1:]:
            out += f.frame(f.CONTINUATION, f.END_HEADERS if part is parts[-1] else 0, number, part)
        self.write(out)

    def take_window(self, stream, wanted, patience):
        """How much of `wanted` may go out now, after waiting for at least one octet."""
        def left():
            return min(stream.window, self.window, self.peer.get(f.MAX_FRAME, f.FRAME_SIZE))
        with self.changed:
            done = self.changed.wait_for(
                lambda: wanted == 0 or left() > 0 or stream.reset is not None or stream.sent_reset or self.closed,
                patience)
            if stream.reset is not None or stream.sent_reset or self.closed or not done:
                raise Ended(f"stream {stream.number}: {'no window' if not done else 'gone'}")
            part = max(0, min(wanted, left()))
            stream.window -= part
            self.window -= part
            return part

    def credit(self, octets):
        with self.changed:
            self.room += octets
        self.write(f.window_update(0, octets))

    def close(self):
        for action in (lambda: self.sock.shutdown(socket.SHUT_RDWR), self.sock.close):
            try:
                action()
            except OSError:
                pass

    # -- waiting

    def wait(self, condition, patience=None):
        with self.changed:
            return self.changed.wait_for(condition, PATIENCE if patience is None else patience)

    def is_silent(self):
        """Whether a PING comes back, which means that all before it was read, without an error."""
        mark = struct.pack(">d", time.monotonic())
        try:
            self.send(f.ping(mark))
        except Ended:
            return False
        self.wait(lambda: mark in self.pongs or self.closed or self.goaway)
        return mark in self.pongs and not self.goaway

    # -- reading

    def _breach(self, text):
        if len(self.breaches) < 20:
            self.breaches.append(text)

    def _read(self):
        try:
            while True:
                self.reading.wait()
                self._take_frames()
                part = self.sock.recv(1 << 18)
                if not part:
                    break
                self._received += part
        except OSError:
            pass
        except ValueError as error:
            self._breach(str(error))
        with self.changed:
            self.closed = True
            self.changed.notify_all()

    def _take_frames(self):
        received, at = self._received, 0
        while len(received) - at >= f.HEAD:
            length = int.from_bytes(received[at:at + 3], "big")
            if length > f.FRAME_SIZE:
                raise ValueError(f"no frame of HTTP/2, or one of {length} octets: {bytes(received[at:at + 60])!r}")
            if len(received) - at < f.HEAD + length:
                break
            kind, flags, number = struct.unpack_from(">BBL", received, at + 3)
            payload = bytes(received[at + f.HEAD:at + f.HEAD + length])
            at += f.HEAD + length
            replies = []
            with self.changed:
                self._on_frame(kind, flags, number & f.LARGEST_WINDOW, payload, replies)
                self.changed.notify_all()
            for reply in replies:
                self.write_if_open(reply)
        del received[:at]

    def write_if_open(self, payload):
        try:
            self.write(payload)
        except Ended:
            pass

    def _on_frame(self, kind, flags, number, payload, replies):
        if not self.counts and (kind, flags & f.ACK) != (f.SETTINGS, 0):
            self._breach(f"the first frame is {kind}")
        self.counts[kind] += 1
        if self._block and (kind, number) != (f.CONTINUATION, self._block[0]):
            self._breach(f"frame {kind} inside a header block")
        if len(payload) != _LENGTHS.get(kind, len(payload)):
            self._breach(f"{f.NAMES[kind]} of {len(payload)} octets")
            return
        if kind < len(f.NAMES) and kind != f.WINDOW_UPDATE and (number == 0) != (kind in _ON_STREAM_0):
            self._breach(f"{f.NAMES[kind]} on stream {number}")
            return
        handler = self._HANDLERS.get(kind)
        if handler:
            handler(self, flags, number, payload, replies)

    def _on_data(self, flags, number, payload, replies):
        stream = self._known(number, f.DATA)
        self.room -= len(payload)
        if self.room < 0:
            self._breach(f"DATA beyond the connection's window by {-self.room}")
        if stream is None:
            if self.auto_connection and payload:
                self.room += len(payload)
                replies.append(f.window_update(0, len(payload)))
            return
        stream.room -= len(payload)
        if stream.room < 0:
            self._breach(f"DATA beyond the window of stream {number} by {-stream.room}")
        if not stream.sections:
            self._breach(f"DATA before HEADERS on stream {number}")
        self._give_back(stream, replies)
        if flags & f.PADDED:
            payload = payload[1:len(payload) - payload[0]]
        stream.size += len(payload)
        if stream.keep:
            stream.kept += payload
        self._end(stream, flags)

    def _give_back(self, stream, replies):
        """Both windows, when half of what they began with is used, as far as that is ours to do."""
        for number, holder, full, automatic in ((0, self, f.WINDOW, self.auto_connection),
                                                (stream.number, stream, self.own_window, self.auto_stream)):
            if automatic and 0 < full and holder.room <= full // 2 and not (number and stream.ended):
                replies.append(f.window_update(number, full - holder.room))
                holder.room = full

    def _on_headers(self, flags, number, payload, _):
        if flags & f.PADDED:
            payload = payload[1:len(payload) - payload[0]]
        if flags & f.WITH_PRIORITY:
            payload = payload[5:]
        self._block = (number, flags & f.END_STREAM, bytearray(payload))
        if flags & f.END_HEADERS:
            self._on_section()

    def _on_continuation(self, flags, number, payload, _):
        if not self._block:
            self._breach("CONTINUATION without a block")
            return
        self._block[2].extend(payload)
        if flags & f.END_HEADERS:
            self._on_section()

    def _on_section(self):
        (number, end, block), self._block = self._block, None
        section = self.decoder.decode(block)
        fresh = not self.is_client and number > self.newest
        if fresh:
            self.newest = number
            self.streams[number] = Stream(self, number)
            if number % 2 == 0:
                self._breach(f"stream {number} opened by a client")
        stream = self._known(number, f.HEADERS)
        if stream is None:
            return
        first = "response" if self.is_client else "request"
        kind = "trailers" if stream.final() or (not self.is_client and stream.sections) else first
        for fault in rules.faults(section, kind):
            self._breach(f"{kind} on stream {number}: {fault}")
        if kind == "trailers" and not end:
            self._breach(f"trailers without END_STREAM on stream {number}")
        stream.sections.append(section)
        self._end(stream, end)
        if fresh:
            self.on_stream(stream)

    def _known(self, number, kind):
        """The stream a frame is on, if it may be on it."""
        stream = self.streams.get(number)
        if stream is None:
            if number > self.newest:
                self._breach(f"{f.NAMES[kind]} on stream {number}, which is idle")
            return None
        if kind in (f.DATA, f.HEADERS) and (stream.ended or stream.reset is not None):
            self._breach(f"{f.NAMES[kind]} on stream {number} after its end")
        return stream

    def _end(self, stream, flags):
        if not flags & f.END_STREAM:
            return
        stream.ended = True
        lengths = rules.get(stream.final() or stream.sections[0], b"content-length")
        if lengths and stream.size and [b"%d" % stream.size] != lengths:
            self._breach(f"content-length {lengths} and {stream.size} octets on stream {stream.number}")

    def _on_reset(self, _, number, payload, __):
        stream = self._known(number, f.RST_STREAM)
        if stream is not None and stream.reset is None:
            stream.reset = int.from_bytes(payload, "big")

    def _on_settings(self, flags, _, payload, replies):
        if flags & f.ACK:
            self._on_ack(payload)
            return
        if len(payload) % 6:
            self._breach(f"SETTINGS of {len(payload)} octets")
        for identifier, value in struct.iter_unpack(">HL", payload[:len(payload) // 6 * 6]):
            self.peer[identifier] = value
            if identifier == f.INITIAL_WINDOW:
                for stream in self.streams.values():
                    stream.window += value - self.peer_window
                self.peer_window = value
            if (identifier == f.INITIAL_WINDOW and value > f.LARGEST_WINDOW
                    or identifier == f.MAX_FRAME and not f.FRAME_SIZE <= value < 1 << 24
                    or identifier == f.ENABLE_PUSH and value > (0 if self.is_client else 1)):
                self._breach(f"setting {identifier} is {value}")
        if self.auto_ack:
            replies.append(f.settings(flags=f.ACK))

    def _on_ack(self, payload):
        self.acks += 1
        if payload or self.acks > self.sent_settings:
            self._breach(f"ack {self.acks} of {self.sent_settings} SETTINGS, {len(payload)} octets")
            return
        values = self._values.popleft()
        if f.INITIAL_WINDOW in values:
            self._set_own_window(values[f.INITIAL_WINDOW])

    def _set_own_window(self, window):
        for stream in self.streams.values():
            stream.room += window - self.own_window
        self.own_window = window

    def _on_push(self, *_):
        self._breach("PUSH_PROMISE")

    def _on_ping(self, flags, _, payload, replies):
        if flags & f.ACK:
            self.pongs.append(payload)
        else:
            replies.append(f.ping(payload, f.ACK))

    def _on_goaway(self, _, __, payload, ___):
        last, self.goaway = struct.unpack_from(">LL", payload)
        if self.goaways and last > self.goaways[-1][0]:
            self._breach(f"GOAWAY raises its last stream to {last}")
        self.goaways.append((last, self.goaway))
        self.goaway_debug = payload[8:]

    def _on_window_update(self, _, number, payload, __):
        increment = int.from_bytes(payload, "big") & f.LARGEST_WINDOW
        if increment == 0:
            self._breach(f"WINDOW_UPDATE of 0 on stream {number}")
        holder = self if number == 0 else self._known(number, f.WINDOW_UPDATE)
        if holder is not None:
            holder.window += increment
            if holder.window > f.LARGEST_WINDOW:
                self._breach(f"window of stream {number} is {holder.window}")

    _HANDLERS = {f.DATA: _on_data, f.HEADERS: _on_headers, f.RST_STREAM: _on_reset, f.SETTINGS: _on_settings,
                 f.PUSH_PROMISE: _on_push, f.PING: _on_ping, f.GOAWAY: _on_goaway, f.WINDOW_UPDATE: _on_window_update,
                 f.CONTINUATION: _on_continuation}
